use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm};

use super::public::Inner;
use super::{EncryptionAlgorithm, KeySpec, PrivateKey, PublicKey, UseError};
use crate::{OpenError, SecretBytes};

/// Gives the longest plaintext that OAEP takes under a key of this spec, in bytes; none where the spec does not encrypt.
///
/// RFC 8017, 7.1.1: the modulus less twice the hash less 2: 214, 342, 470 with SHA-1 and 190, 318, 446 with SHA-256.
#[must_use]
pub const fn max_plaintext_bytes(spec: KeySpec, algorithm: EncryptionAlgorithm) -> Option<usize> {
    let hash_bytes = match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => 20,
        EncryptionAlgorithm::RsaesOaepSha256 => 32,
    };
    match spec.modulus_bytes() {
        Some(modulus_bytes) => Some(modulus_bytes - 2 * hash_bytes - 2),
        None => None,
    }
}

impl PublicKey {
    /// Encrypts up to [`max_plaintext_bytes`] with OAEP; the ciphertext is as long as the modulus.
    ///
    /// # Errors
    /// [`UseError::Incompatible`] where the key is not RSA, [`UseError::TooLong`] where the plaintext is.
    pub fn encrypt(&self, algorithm: EncryptionAlgorithm, plaintext: &[u8]) -> Result<Vec<u8>, UseError> {
        let (Inner::Rsa(key), Some(max)) = (&self.inner, max_plaintext_bytes(self.spec(), algorithm)) else {
            return Err(UseError::Incompatible(self.spec()));
        };
        if plaintext.len() > max {
            return Err(UseError::TooLong { max });
        }
        let mut ciphertext = vec![0; key.ciphertext_size()];
        key.encrypt(library(algorithm), plaintext, &mut ciphertext, None)
            .map_err(|_| UseError::Library)?;
        Ok(ciphertext)
    }
}

impl PrivateKey {
    /// Decrypts what [`PublicKey::encrypt`] made.
    ///
    /// # Errors
    /// [`OpenError`], whatever was wrong: the key's spec, the ciphertext's length, the padding.
    pub fn decrypt(&self, algorithm: EncryptionAlgorithm, ciphertext: &[u8]) -> Result<SecretBytes, OpenError> {
        let key = self.decrypting().map_err(|_| OpenError)?;
        // RFC 8017, 7.1.2, step 1b: "If the length of the ciphertext C is not k octets, output "decryption error" and stop."
        if ciphertext.len() != key.key_size_bytes() {
            return Err(OpenError);
        }
        let mut out = SecretBytes::from_vec(vec![0; key.min_output_size()]);
        let length = key
            .decrypt(library(algorithm), ciphertext, out.bytes_mut(), None)
            .map_err(|_| OpenError)?
            .len();
        out.truncate(length);
        Ok(out)
    }
}

fn library(algorithm: EncryptionAlgorithm) -> &'static OaepAlgorithm {
    match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => &OAEP_SHA1_MGF1SHA1,
        EncryptionAlgorithm::RsaesOaepSha256 => &OAEP_SHA256_MGF1SHA256,
    }
}
