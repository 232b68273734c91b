//! Import tokens (`spec/import-token.md`): stateless, sealed for one key.

use bulla_crypto::keys::WrappingAlgorithm as Wrapping;
use bulla_crypto::{Random, SecretBytes};
use bulla_model::{KeySpec, Timestamp, WrappingAlgorithm};
use bulla_store::Table;

use crate::entry::KeyEntry;
use crate::keyring::{Place, StoreKey, WrapError};

/// How long a token and its public key are good for.
pub(crate) const VALID_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// "version: `01`. A reader MUST refuse any other"
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 11;
/// "algorithm: 1 `RSAES_OAEP_SHA_1`, 2 `RSAES_OAEP_SHA_256`, 3 `RSA_AES_KEY_WRAP_SHA_1`, 4 `RSA_AES_KEY_WRAP_SHA_256`"
const ALGORITHMS: [(u8, WrappingAlgorithm); 4] = [
    (1, WrappingAlgorithm::RsaesOaepSha1),
    (2, WrappingAlgorithm::RsaesOaepSha256),
    (3, WrappingAlgorithm::RsaAesKeyWrapSha1),
    (4, WrappingAlgorithm::RsaAesKeyWrapSha256),
];
/// "spec: 1 `RSA_2048`, 2 `RSA_3072`, 3 `RSA_4096`"
const SPECS: [(u8, KeySpec); 3] = [(1, KeySpec::Rsa2048), (2, KeySpec::Rsa3072), (3, KeySpec::Rsa4096)];

/// What a token says beside the private key that it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImportToken {
    pub(crate) algorithm: WrappingAlgorithm,
    /// Of the wrapping key.
    pub(crate) spec: KeySpec,
    pub(crate) valid_to: Timestamp,
}

impl ImportToken {
    /// Seals the token for one key: it opens for no other. `private_key` is the wrapping key as it is stored.
    pub(crate) fn seal(
        self,
        store_key: &StoreKey,
        random: &dyn Random,
        key: &KeyEntry,
        private_key: &SecretBytes,
    ) -> Result<Vec<u8>, WrapError> {
        let algorithm = ALGORITHMS
            .iter()
            .find(|(_, algorithm)| *algorithm == self.algorithm)
            .ok_or(WrapError)?
            .0;
        let spec = SPECS.iter().find(|(_, spec)| *spec == self.spec).ok_or(WrapError)?.0;
        let valid_to = u64::try_from(self.valid_to.as_micros()).map_err(|_| WrapError)?;
        // One allocation of the right size: a vector that grows leaves secrets behind.
        let mut plaintext = Vec::with_capacity(HEAD_BYTES + private_key.len());
        plaintext.extend_from_slice(&[VERSION, algorithm, spec]);
        plaintext.extend_from_slice(&valid_to.to_be_bytes());
        plaintext.extend_from_slice(private_key.expose_secret());
        let plaintext = SecretBytes::from_vec(plaintext);
        store_key.seal(place(key), random, plaintext.expose_secret())
    }

    /// Opens a token of this key's, with the private key that it carries.
    pub(crate) fn open(store_key: &StoreKey, key: &KeyEntry, token: &[u8]) -> Result<(Self, SecretBytes), WrapError> {
        let plaintext = store_key.open(place(key), token)?;
        let (head, private_key) = plaintext
            .expose_secret()
            .split_first_chunk::<HEAD_BYTES>()
            .ok_or(WrapError)?;
        let [version, algorithm, spec, valid_to @ ..] = *head;
        if version != VERSION {
            return Err(WrapError);
        }
        let valid_to = i64::try_from(u64::from_be_bytes(valid_to)).map_err(|_| WrapError)?;
        let token = Self {
            algorithm: ALGORITHMS
                .iter()
                .find(|(number, _)| *number == algorithm)
                .ok_or(WrapError)?
                .1,
            spec: SPECS.iter().find(|(number, _)| *number == spec).ok_or(WrapError)?.1,
            valid_to: Timestamp::from_micros(valid_to),
        };
        Ok((token, SecretBytes::from_vec(private_key.to_vec())))
    }

    /// How the material was wrapped, as the cryptographic library has it.
    pub(crate) fn wrapping(&self) -> Option<Wrapping> {
        match self.algorithm {
            WrappingAlgorithm::RsaesOaepSha1 => Some(Wrapping::RsaesOaepSha1),
            WrappingAlgorithm::RsaesOaepSha256 => Some(Wrapping::RsaesOaepSha256),
            WrappingAlgorithm::RsaAesKeyWrapSha1 => Some(Wrapping::RsaAesKeyWrapSha1),
            WrappingAlgorithm::RsaAesKeyWrapSha256 => Some(Wrapping::RsaAesKeyWrapSha256),
            WrappingAlgorithm::RsaesPkcs1V15 | WrappingAlgorithm::Sm2Pke => None,
        }
    }
}

fn place(key: &KeyEntry) -> Place<'_> {
    let id: &str = &key.row.id;
    Place {
        purpose: "import-token",
        table: Table::Keys,
        id,
        owner: id.rsplit_once('/').map_or("", |(owner, _)| owner),
    }
}
