use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};

use super::public::Inner;
use super::{Message, PublicKey, SigningAlgorithm, UseError, ml_dsa_mu, prehash, sign};

/// Says whether a signature or a tag is the one of this key over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an invalid signature is no error"]
pub enum Verification {
    /// It is.
    Valid,
    /// It is not, whatever is wrong with it.
    Invalid,
}

impl Verification {
    /// Tells whether the signature or tag is right.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self == Self::Valid
    }
}

impl From<bool> for Verification {
    fn from(valid: bool) -> Self {
        if valid { Self::Valid } else { Self::Invalid }
    }
}

impl PublicKey {
    /// Verifies a signature over a message, or its digest.
    ///
    /// # Errors
    /// [`UseError`] where the spec does not have the algorithm, the algorithm does not take this type of message, or the digest has
    /// the wrong length. A wrong signature is none: it is [`Verification::Invalid`].
    pub fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<Verification, UseError> {
        sign::check(self.spec(), algorithm, message)?;
        let valid = match (&self.inner, message) {
            (Inner::Rsa(_), _) => {
                let parameters = rsa_parameters(algorithm).ok_or(UseError::Incompatible(self.spec()))?;
                let key = UnparsedPublicKey::new(parameters, self.spki_der());
                match message {
                    Message::Raw(message) => key.verify(message, signature),
                    _ => key.verify_digest(&sign::digest(algorithm, message)?, signature),
                }
                .is_ok()
            }
            (Inner::Verifying(key), Message::Raw(message)) => key.verify_sig(message, signature).is_ok(),
            (Inner::Verifying(_), Message::ExternalMu(mu)) => {
                ml_dsa_mu::verify(self.spec(), self.key_bytes(), mu, signature)
            }
            (Inner::Verifying(_), Message::Digest(digest)) if algorithm == SigningAlgorithm::Ed25519PhSha512 => {
                prehash::verify(self.key_bytes(), digest, signature)
            }
            (Inner::Verifying(key), _) => key
                .verify_digest_sig(&sign::digest(algorithm, message)?, signature)
                .is_ok(),
            (Inner::Encapsulating(_), _) => return Err(UseError::Incompatible(self.spec())),
        };
        Ok(valid.into())
    }
}

fn rsa_parameters(algorithm: SigningAlgorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        SigningAlgorithm::RsassaPssSha256 => &RSA_PSS_2048_8192_SHA256,
        SigningAlgorithm::RsassaPssSha384 => &RSA_PSS_2048_8192_SHA384,
        SigningAlgorithm::RsassaPssSha512 => &RSA_PSS_2048_8192_SHA512,
        SigningAlgorithm::RsassaPkcs1V15Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        SigningAlgorithm::RsassaPkcs1V15Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        SigningAlgorithm::RsassaPkcs1V15Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}
