//! Ed25519 signatures (RFC 8032, pure Ed25519).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::{DataKey, KeyError, hazmat};

/// Signs with Ed25519; the key lies in memory that AWS-LC cleanses when it frees it.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

/// A signature that is not the signer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
#[non_exhaustive]
pub struct SignatureError;

impl SigningKey {
    /// Makes the key of a 32-byte seed (RFC 8032, 5.1.5).
    ///
    /// # Errors
    /// [`KeyError`] where the library fails.
    pub fn from_seed(seed: &DataKey) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret()).map_err(|_| KeyError)?;
        hazmat::burn_stack();
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError)?;
        Ok(Self { pair, public })
    }

    /// Signs `message`, 64 bytes; the same message gives the same signature.
    ///
    /// # Errors
    /// [`KeyError`] where the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.pair
            .try_sign(message)
            .ok()
            .and_then(|signature| signature.as_ref().try_into().ok())
            .ok_or(KeyError)
    }

    /// Gives the public key, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// Verifies an Ed25519 signature.
///
/// # Errors
/// [`SignatureError`] where it is not `public`'s signature over `message`.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(message, signature)
        .map_err(|_| SignatureError)
}
