//! What was encrypted before Bulla: AES-256-GCM as nonce ‖ ciphertext ‖ tag, without associated data.

mod replaced;
mod samples;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

pub(crate) use replaced::ReplacedSeal;
pub use samples::{SampleKey, SampleKeyError, SampleKeys};

const NONCE_BYTES: usize = 12;

/// A key that opens and never seals.
pub(crate) struct OpeningKey(LessSafeKey);

impl OpeningKey {
    pub(crate) fn new(key: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new).map(Self)
    }

    /// Opens nonce ‖ ciphertext ‖ tag; `None` where it does not authenticate.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::empty(), &mut buffer).ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }
}

impl std::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpeningKey(redacted)")
    }
}

#[cfg(test)]
pub(crate) fn seal_as_others_do(key: &[u8; 32], nonce: [u8; 12], plaintext: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut buffer = plaintext.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut buffer)
        .unwrap();
    [&nonce[..], &buffer].concat()
}
