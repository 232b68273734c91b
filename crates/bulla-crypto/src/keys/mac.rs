use aws_lc_rs::hmac;

use super::private::Inner;
use super::{MacAlgorithm, PrivateKey, UseError, Verification};
use crate::constant_time_eq;

impl PrivateKey {
    /// Computes the tag of a message of any length under an HMAC key.
    ///
    /// # Errors
    /// [`UseError::Incompatible`] where the key's spec does not have the algorithm.
    pub fn generate_mac(&self, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, UseError> {
        let Inner::Hmac(key) = &self.inner else {
            return Err(UseError::Incompatible(self.spec()));
        };
        if self.spec().mac_algorithm() != Some(algorithm) {
            return Err(UseError::Incompatible(self.spec()));
        }
        Ok(hmac::sign(key, message).as_ref().to_vec())
    }

    /// Tells in constant time whether `tag` is the whole tag of a message.
    ///
    /// # Errors
    /// [`UseError::Incompatible`] where the key's spec does not have the algorithm. A wrong tag is no error.
    pub fn verify_mac(&self, algorithm: MacAlgorithm, message: &[u8], tag: &[u8]) -> Result<Verification, UseError> {
        let expected = self.generate_mac(algorithm, message)?;
        Ok(constant_time_eq(&expected, tag).into())
    }
}

pub(super) fn library(algorithm: MacAlgorithm) -> hmac::Algorithm {
    match algorithm {
        MacAlgorithm::HmacSha224 => hmac::HMAC_SHA224,
        MacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithm::HmacSha384 => hmac::HMAC_SHA384,
        MacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    }
}
