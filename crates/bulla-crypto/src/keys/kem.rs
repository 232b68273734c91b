use aws_lc_rs::kem::Ciphertext;

use super::{PrivateKey, PublicKey, UseError, private, public};
use crate::{OpenError, SecretBytes};

/// A shared secret, and what makes the holder of the private key arrive at the same.
#[derive(Debug)]
pub struct Encapsulated {
    /// 768, 1,088 or 1,568 bytes for ML-KEM-512, 768 and 1024.
    pub ciphertext: Vec<u8>,
    /// 32 bytes.
    pub shared_secret: SecretBytes,
}

impl PublicKey {
    /// Makes a shared secret and encapsulates it (FIPS 203, algorithm 20).
    ///
    /// # Errors
    /// [`UseError::Incompatible`] where the key is not ML-KEM.
    pub fn encapsulate(&self) -> Result<Encapsulated, UseError> {
        let public::Inner::Encapsulating(key) = &self.inner else {
            return Err(UseError::Incompatible(self.spec()));
        };
        let (ciphertext, secret) = key.encapsulate().map_err(|_| UseError::Library)?;
        Ok(Encapsulated {
            ciphertext: ciphertext.as_ref().to_vec(),
            shared_secret: SecretBytes::from_vec(secret.as_ref().to_vec()),
        })
    }
}

impl PrivateKey {
    /// Decapsulates a shared secret, 32 bytes (FIPS 203, algorithm 21).
    ///
    /// A ciphertext that is not this key's, but has the right length, gives another secret and no error: implicit rejection.
    ///
    /// # Errors
    /// [`OpenError`] where the key is not ML-KEM or the ciphertext has the wrong length.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, OpenError> {
        let private::Inner::MlKem(key) = &self.inner else {
            return Err(OpenError);
        };
        let secret = key.decapsulate(Ciphertext::from(ciphertext)).map_err(|_| OpenError)?;
        Ok(SecretBytes::from_vec(secret.as_ref().to_vec()))
    }
}
