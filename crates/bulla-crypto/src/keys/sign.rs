use aws_lc_rs::digest::Digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};

use super::private::Inner;
use super::{KeySpec, PrivateKey, SigningAlgorithm, UseError, ml_dsa_mu, prehash};
use crate::Random;

/// What is signed, of any length for [`Raw`](Message::Raw).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// The message itself.
    Raw(&'a [u8]),
    /// The message's digest under the algorithm's hash ([`SigningAlgorithm::digest`]).
    Digest(&'a [u8]),
    /// The message's mu under an ML-DSA key, 64 bytes ([`PublicKey::external_mu`](super::PublicKey::external_mu)).
    ExternalMu(&'a [u8]),
}

impl PrivateKey {
    /// Signs a message, or its digest.
    ///
    /// ECDSA signatures are DER (RFC 3279, 2.2.3); RSA signatures as long as the modulus; Ed25519 64 bytes; ML-DSA 2,420, 3,309 or
    /// 4,627 bytes. `random` serves the external-mu variant of ML-DSA; all others draw from AWS-LC.
    ///
    /// # Errors
    /// [`UseError`]: the spec does not have the algorithm, the algorithm does not take this type of message, the digest has the wrong
    /// length; or `random` or the library failed.
    pub fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
        random: &dyn Random,
    ) -> Result<Vec<u8>, UseError> {
        check(self.spec(), algorithm, message)?;
        let library = |_| UseError::Library;
        let own = SystemRandom::new();
        match (&self.inner, message) {
            (Inner::Rsa { signing, .. }, _) => {
                let encoding = rsa_encoding(algorithm).ok_or(UseError::Incompatible(self.spec()))?;
                let mut signature = vec![0; signing.public_modulus_len()];
                match message {
                    Message::Raw(message) => signing.sign(encoding, &own, message, &mut signature),
                    _ => signing.sign_digest(encoding, &digest(algorithm, message)?, &mut signature),
                }
                .map_err(library)?;
                Ok(signature)
            }
            (Inner::Curve { signing, .. }, Message::Raw(message)) => {
                let signature = signing.sign(&own, message).map_err(library)?;
                Ok(signature.as_ref().to_vec())
            }
            (Inner::Curve { signing, .. }, _) => {
                let signature = signing.sign_digest(&digest(algorithm, message)?).map_err(library)?;
                Ok(signature.as_ref().to_vec())
            }
            (Inner::Ed25519(pair), Message::Raw(message)) => {
                let signature = pair.try_sign(message).map_err(library)?;
                Ok(signature.as_ref().to_vec())
            }
            (Inner::Ed25519(_), Message::Digest(digest)) => prehash::sign(self.stored_bytes(), digest),
            (Inner::MlDsa(pair), Message::Raw(message)) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).map_err(library)?;
                Ok(signature)
            }
            (Inner::MlDsa(_), Message::ExternalMu(mu)) => ml_dsa_mu::sign(self.spec(), self.stored_bytes(), mu, random),
            _ => Err(UseError::Incompatible(self.spec())),
        }
    }
}

/// Refuses combinations of spec, algorithm, type of message and length that there are not; the same for signing and verifying.
pub(super) fn check(spec: KeySpec, algorithm: SigningAlgorithm, message: Message<'_>) -> Result<(), UseError> {
    if !spec.signing_algorithms().contains(&algorithm) {
        return Err(UseError::Incompatible(spec));
    }
    let length = |expected: usize, actual: usize| {
        if expected == actual {
            Ok(())
        } else {
            Err(UseError::DigestLength { expected, actual })
        }
    };
    match (message, algorithm) {
        (Message::Raw(_), SigningAlgorithm::Ed25519PhSha512) => Err(UseError::MessageType),
        (Message::Raw(_), _) => Ok(()),
        (Message::Digest(digest), _) => length(algorithm.digest_bytes().ok_or(UseError::MessageType)?, digest.len()),
        (Message::ExternalMu(mu), SigningAlgorithm::MlDsaShake256) => length(ml_dsa_mu::MU_BYTES, mu.len()),
        (Message::ExternalMu(_), _) => Err(UseError::MessageType),
    }
}

/// Takes a digest over as the library's own type.
pub(super) fn digest(algorithm: SigningAlgorithm, message: Message<'_>) -> Result<Digest, UseError> {
    match (message, algorithm.hash()) {
        (Message::Digest(digest), Some(hash)) => Digest::import_less_safe(digest, hash).map_err(|_| UseError::Library),
        _ => Err(UseError::MessageType),
    }
}

/// RFC 8017, 9.1, note 4, as AWS KMS has it: the salt is as long as the hash, which is the library's default.
fn rsa_encoding(algorithm: SigningAlgorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        SigningAlgorithm::RsassaPssSha256 => &RSA_PSS_SHA256,
        SigningAlgorithm::RsassaPssSha384 => &RSA_PSS_SHA384,
        SigningAlgorithm::RsassaPssSha512 => &RSA_PSS_SHA512,
        SigningAlgorithm::RsassaPkcs1V15Sha256 => &RSA_PKCS1_SHA256,
        SigningAlgorithm::RsassaPkcs1V15Sha384 => &RSA_PKCS1_SHA384,
        SigningAlgorithm::RsassaPkcs1V15Sha512 => &RSA_PKCS1_SHA512,
        _ => return None,
    })
}
