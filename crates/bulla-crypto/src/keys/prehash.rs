//! Ed25519ph (RFC 8032, 5.1) over a SHA-512 digest that the caller made, by `ed25519-dalek`: `aws-lc-rs` has pure Ed25519 only.

use ed25519_dalek::ed25519::signature::digest::{self, FixedOutput, HashMarker, OutputSizeUser, Update};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::{UseError, pkcs8};
use crate::{SecretBytes, hazmat};

pub(super) fn sign(stored: &SecretBytes, digest: &[u8]) -> Result<Vec<u8>, UseError> {
    let digest = Prehashed::new(digest).ok_or(UseError::Library)?;
    let mut seed = Zeroizing::new([0; 32]);
    seed.copy_from_slice(pkcs8::read_ed25519(stored.expose_secret()).map_err(|_| UseError::Library)?);
    let signature = SigningKey::from_bytes(&seed).sign_prehashed(digest, None);
    hazmat::burn_stack();
    signature
        .map(|signature| signature.to_bytes().to_vec())
        .map_err(|_| UseError::Library)
}

/// Verifies as RFC 8032 does without the cofactor, and refuses points of small order: what an honest signer never makes.
pub(super) fn verify(key: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let verified = || {
        let key = VerifyingKey::try_from(key).ok()?;
        let signature = Signature::from_slice(signature).ok()?;
        key.verify_prehashed_strict(Prehashed::new(digest)?, None, &signature)
            .ok()
    };
    verified().is_some()
}

/// A digest that is made already, in the place where the library expects a hash that it finishes.
#[derive(Clone)]
struct Prehashed([u8; 64]);

impl Prehashed {
    fn new(digest: &[u8]) -> Option<Self> {
        digest.try_into().ok().map(Self)
    }
}

/// Never used: `Digest` asks for a start.
impl Default for Prehashed {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl OutputSizeUser for Prehashed {
    type OutputSize = digest::consts::U64;
}

impl HashMarker for Prehashed {}

/// Never used: what is to be hashed was hashed.
impl Update for Prehashed {
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for Prehashed {
    fn finalize_into(self, out: &mut digest::Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}
