use std::fmt;

use zeroize::Zeroizing;

use super::{COMMITMENT_BYTES, Header, MAX_BINDING_BYTES, MAX_RECORD_BYTES, NONCE_BYTES, Record, SUITE, VERSION};
use crate::hazmat::{self, AadBuffer, AeadKey};
use crate::secret;
use crate::{Context, DataKey, KeyError, OpenError, Random, SealError, SecretBytes, constant_time_eq_32};

/// version ‖ suite ‖ commitment
const AAD_PREFIX_BYTES: usize = 2 + COMMITMENT_BYTES;

/// Seals and opens records under one data key, from which it is derived once.
///
/// After that a record costs one AES-256-GCM pass and one allocation, and no key derivation. Shared between threads as it is.
pub struct RecordKey {
    aead: AeadKey,
    commitment: [u8; COMMITMENT_BYTES],
    /// version ‖ suite ‖ commitment: what all associated data of this key begins with.
    aad_prefix: [u8; AAD_PREFIX_BYTES],
}

impl RecordKey {
    /// Derives the encryption key and the commitment.
    ///
    /// # Errors
    /// [`KeyError`] where the library fails.
    pub fn derive(data_key: &DataKey) -> Result<Self, KeyError> {
        // "PRK = HKDF-Extract(salt = "bulla/record/1", IKM = data key)"
        let kdf = hazmat::Kdf::extract(b"bulla/record/1", data_key.expose_secret());
        // "encryption key = HKDF-Expand(PRK, "encrypt" ‖ suite, 32); commitment = HKDF-Expand(PRK, "commit" ‖ suite, 32)"
        let mut key = Zeroizing::new([0; 32]);
        kdf.expand(&[b"encrypt", &[SUITE]], key.as_mut_slice());
        let mut commitment = [0; COMMITMENT_BYTES];
        kdf.expand(&[b"commit", &[SUITE]], &mut commitment);
        let aead = AeadKey::new(&key)?;
        hazmat::burn_stack();
        let mut aad_prefix = [0; AAD_PREFIX_BYTES];
        aad_prefix[..2].copy_from_slice(&[VERSION, SUITE]);
        aad_prefix[2..].copy_from_slice(&commitment);
        Ok(Self {
            aead,
            commitment,
            aad_prefix,
        })
    }

    /// Gives the commitment: public, and equal for equal data keys only.
    #[must_use]
    pub fn commitment(&self) -> &[u8; COMMITMENT_BYTES] {
        &self.commitment
    }

    /// Seals `plaintext` into a whole record, in one allocation.
    ///
    /// `context` says what the value is, `binding` where it lives (at most 65,536 bytes, may be empty). Neither is stored.
    ///
    /// # Errors
    /// [`SealError`] where the record would exceed 64 MiB, the binding its limit, the header is another data key's, or `random` fails.
    ///
    /// # Security
    /// Nonces are random: a data key seals at most 2^32 records, and the caller counts.
    pub fn seal(
        &self,
        header: &Header,
        context: &Context,
        binding: &[u8],
        random: &dyn Random,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let record_len = header.record_len(plaintext.len());
        if record_len > MAX_RECORD_BYTES {
            return Err(SealError::TooLong);
        }
        if header.commitment().first_chunk() != Some(&self.commitment) {
            return Err(SealError::HeaderOfAnotherKey);
        }
        let aad = self.aad(context, binding).ok_or(SealError::BindingTooLong)?;
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce)?;
        let mut record = secret::fresh_zeros(record_len);
        let (head, sealed) = record.split_at_mut(header.as_bytes().len() + NONCE_BYTES);
        let (prefix, nonce_field) = head.split_at_mut(header.as_bytes().len());
        prefix.copy_from_slice(header.as_bytes());
        nonce_field.copy_from_slice(&nonce);
        self.aead.seal_into(nonce, aad.as_slice(), plaintext, sealed)?;
        Ok(record)
    }

    /// Opens a record under the context and the binding that it was sealed with.
    ///
    /// # Errors
    /// [`OpenError`], whatever was wrong.
    pub fn open(&self, record: &Record<'_>, context: &Context, binding: &[u8]) -> Result<SecretBytes, OpenError> {
        // "A reader MUST compare the commitment in constant time, and MUST do so before it decrypts."
        if !constant_time_eq_32(record.commitment(), &self.commitment) {
            return Err(OpenError);
        }
        let aad = self.aad(context, binding).ok_or(OpenError)?;
        self.aead
            .open(*record.nonce(), aad.as_slice(), record.ciphertext(), record.tag())
    }

    /// "AAD = version ‖ suite ‖ commitment ‖ canonical context ‖ u32 length of binding ‖ binding"
    ///
    /// Fields of fixed length are written as arrays, without a call to `memcpy` each.
    #[inline]
    fn aad(&self, context: &Context, binding: &[u8]) -> Option<AadBuffer> {
        let context = context.as_bytes();
        let length = u32::try_from(binding.len())
            .ok()
            .filter(|length| *length <= MAX_BINDING_BYTES as u32)?;
        let mut aad = AadBuffer::zeroed(AAD_PREFIX_BYTES + context.len() + 4 + binding.len());
        let (prefix, rest) = aad.as_mut_slice().split_first_chunk_mut::<AAD_PREFIX_BYTES>()?;
        *prefix = self.aad_prefix;
        let (context_field, rest) = rest.split_at_mut_checked(context.len())?;
        context_field.copy_from_slice(context);
        let (length_field, binding_field) = rest.split_first_chunk_mut::<4>()?;
        *length_field = length.to_be_bytes();
        binding_field.copy_from_slice(binding);
        Some(aad)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey(redacted)")
    }
}
