use crate::key_spec::named;
use crate::{KeySpec, KeyUsage, UnknownName};
use std::fmt;
use std::str::FromStr;

named! {
    /// How a key signs, in AWS's words.
    SigningAlgorithm, "signing algorithm" {
        /// RSASSA-PSS with SHA-256, a salt as long as the digest (RFC 8017).
        RsassaPssSha256 = "RSASSA_PSS_SHA_256",
        /// RSASSA-PSS with SHA-384.
        RsassaPssSha384 = "RSASSA_PSS_SHA_384",
        /// RSASSA-PSS with SHA-512.
        RsassaPssSha512 = "RSASSA_PSS_SHA_512",
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017).
        RsassaPkcs1V15Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        RsassaPkcs1V15Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        RsassaPkcs1V15Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        /// ECDSA with SHA-256 (FIPS 186-5), signatures in DER.
        EcdsaSha256 = "ECDSA_SHA_256",
        /// ECDSA with SHA-384.
        EcdsaSha384 = "ECDSA_SHA_384",
        /// ECDSA with SHA-512.
        EcdsaSha512 = "ECDSA_SHA_512",
        /// Ed25519 over the message itself (RFC 8032).
        Ed25519Sha512 = "ED25519_SHA_512",
        /// Ed25519ph over the SHA-512 of the message (RFC 8032).
        Ed25519PhSha512 = "ED25519_PH_SHA_512",
        /// ML-DSA (FIPS 204), with the empty context.
        MlDsaShake256 = "ML_DSA_SHAKE_256",
    }
}

/// What a [`KeyProvider`](crate::KeyProvider) is given to sign or to verify.
#[derive(Clone, Copy)]
pub enum SigningInput<'a> {
    /// The message itself; at most [`SigningLimits::max_message_bytes`].
    Message(&'a [u8]),
    /// What the algorithm makes of the message first: its digest, or the µ of ML-DSA, 64 bytes (FIPS 204, algorithm 7, line 6).
    /// `ED25519_SHA_512` has none.
    Digest(&'a [u8]),
}

/// A signature, and by what it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The signature: DER for ECDSA, else as the algorithm's standard writes it.
    pub signature: Vec<u8>,
    /// The resolved key, with its scheme, as in [`WrappedKey::key`](crate::WrappedKey::key).
    pub key_id: String,
    /// How it was made.
    pub algorithm: SigningAlgorithm,
}

/// Whether a signature is its key's over its message.
///
/// That it could not be found out is an error and never `Invalid`.
#[must_use = "a signature counts only where it is valid"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// It is.
    Valid,
    /// It is not.
    Invalid,
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyDescription {
    /// The resolved key, with its scheme, as in [`WrappedKey::key`](crate::WrappedKey::key).
    pub key: String,
    /// What kind of material it has.
    pub spec: KeySpec,
    /// What it is for.
    pub usage: KeyUsage,
    /// How it signs; empty for a key that is for something else.
    pub algorithms: Vec<SigningAlgorithm>,
    /// The key: a SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7), at most 8,192 bytes.
    pub spki_der: Vec<u8>,
}

/// What a provider can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningLimits {
    /// The longest message that is taken undigested; 4,096 bytes for AWS KMS.
    pub max_message_bytes: usize,
}

/// An algorithm that a key does not sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// The key is for something else.
    #[error("a key for {usage} signs nothing")]
    NotASigningKey {
        /// What it is for.
        usage: KeyUsage,
    },
    /// Keys of this spec sign otherwise.
    #[error("algorithm {algorithm} is incompatible with key spec {spec}, which signs with {}", list(spec.signing_algorithms()))]
    Incompatible {
        /// The algorithm asked for.
        algorithm: SigningAlgorithm,
        /// The key's spec.
        spec: KeySpec,
    },
}

impl SigningAlgorithm {
    /// Length in bytes of what [`SigningInput::Digest`] holds; `None` where the algorithm takes the message only.
    pub fn digest_bytes(self) -> Option<usize> {
        match self {
            Self::RsassaPssSha256 | Self::RsassaPkcs1V15Sha256 | Self::EcdsaSha256 => Some(32),
            Self::RsassaPssSha384 | Self::RsassaPkcs1V15Sha384 | Self::EcdsaSha384 => Some(48),
            Self::RsassaPssSha512 | Self::RsassaPkcs1V15Sha512 | Self::EcdsaSha512 => Some(64),
            Self::Ed25519PhSha512 | Self::MlDsaShake256 => Some(64),
            Self::Ed25519Sha512 => None,
        }
    }

    /// Checks form and length of what is to be signed with this algorithm by a provider of these limits.
    ///
    /// # Errors
    /// In words, naming lengths and never contents.
    pub fn check_input(self, input: SigningInput<'_>, limits: SigningLimits) -> Result<(), String> {
        match (input, self.digest_bytes()) {
            (SigningInput::Message(_), _) if self == Self::Ed25519PhSha512 => {
                Err(format!("{self} takes a digest of the message, and not the message"))
            }
            (SigningInput::Message(message), _) if message.len() > limits.max_message_bytes => Err(format!(
                "a message of {} bytes, where {} are the most that this provider takes undigested",
                message.len(),
                limits.max_message_bytes
            )),
            (SigningInput::Message(_), _) => Ok(()),
            (SigningInput::Digest(digest), Some(bytes)) if digest.len() == bytes => Ok(()),
            (SigningInput::Digest(digest), Some(bytes)) => Err(format!(
                "a digest of {} bytes, where {self} takes {bytes}",
                digest.len()
            )),
            (SigningInput::Digest(_), None) => Err(format!(
                "{self} signs the message itself; ED25519_PH_SHA_512 signs a digest"
            )),
        }
    }
}

impl KeySpec {
    /// How keys of this spec sign, the recommended first; none for those that do not.
    pub fn signing_algorithms(self) -> &'static [SigningAlgorithm] {
        use SigningAlgorithm::*;
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[
                RsassaPssSha256,
                RsassaPssSha384,
                RsassaPssSha512,
                RsassaPkcs1V15Sha256,
                RsassaPkcs1V15Sha384,
                RsassaPkcs1V15Sha512,
            ],
            Self::EccNistP256 | Self::EccSecgP256k1 => &[EcdsaSha256],
            Self::EccNistP384 => &[EcdsaSha384],
            Self::EccNistP521 => &[EcdsaSha512],
            Self::EccNistEdwards25519 => &[Ed25519Sha512, Ed25519PhSha512],
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &[MlDsaShake256],
            _ => &[],
        }
    }

    /// Finds how a key of this spec and usage signs: as given, or as recommended.
    ///
    /// # Errors
    /// [`AlgorithmError`].
    pub fn signing_algorithm(
        self,
        usage: KeyUsage,
        given: Option<SigningAlgorithm>,
    ) -> Result<SigningAlgorithm, AlgorithmError> {
        let algorithms = self.signing_algorithms();
        match (usage, given, algorithms.first()) {
            (KeyUsage::SignVerify, None, Some(recommended)) => Ok(*recommended),
            (KeyUsage::SignVerify, Some(algorithm), Some(_)) if algorithms.contains(&algorithm) => Ok(algorithm),
            (KeyUsage::SignVerify, Some(algorithm), Some(_)) => {
                Err(AlgorithmError::Incompatible { algorithm, spec: self })
            }
            (usage, ..) => Err(AlgorithmError::NotASigningKey { usage }),
        }
    }
}

/// Messages may be secret: lengths only.
impl fmt::Debug for SigningInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => write!(f, "Message({} bytes)", message.len()),
            Self::Digest(digest) => write!(f, "Digest({} bytes)", digest.len()),
        }
    }
}

fn list(algorithms: &[SigningAlgorithm]) -> String {
    let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_signs_exactly_where_it_may_be_for_signing() {
        for spec in KeySpec::ALL {
            let signs = spec.usages().contains(&KeyUsage::SignVerify);
            assert_eq!(!spec.signing_algorithms().is_empty(), signs, "{spec}");
            assert_eq!(
                spec.signing_algorithm(KeyUsage::SignVerify, None).is_ok(),
                signs,
                "{spec}"
            );
            for usage in KeyUsage::ALL.iter().filter(|usage| **usage != KeyUsage::SignVerify) {
                let outcome = spec.signing_algorithm(*usage, None);
                assert_eq!(outcome, Err(AlgorithmError::NotASigningKey { usage: *usage }));
            }
        }
    }

    #[test]
    fn an_algorithm_of_another_spec_is_refused_with_those_that_do() {
        let error = KeySpec::EccNistP384
            .signing_algorithm(KeyUsage::SignVerify, Some(SigningAlgorithm::EcdsaSha256))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "algorithm ECDSA_SHA_256 is incompatible with key spec ECC_NIST_P384, which signs with ECDSA_SHA_384"
        );
    }

    #[test]
    fn forms_and_lengths_are_checked() {
        use SigningAlgorithm::*;
        let limits = SigningLimits {
            max_message_bytes: 4096,
        };
        let check = |algorithm: SigningAlgorithm, input| algorithm.check_input(input, limits);
        let (long, full) = ([0; 4097], [0; 4096]);
        for algorithm in SigningAlgorithm::ALL {
            let takes_messages = *algorithm != Ed25519PhSha512;
            assert_eq!(
                check(*algorithm, SigningInput::Message(&full)).is_ok(),
                takes_messages,
                "{algorithm}"
            );
            assert!(check(*algorithm, SigningInput::Message(&long)).is_err());
            for bytes in [0, 20, 32, 48, 64, 65] {
                let fits = algorithm.digest_bytes() == Some(bytes);
                assert_eq!(
                    check(*algorithm, SigningInput::Digest(&long[..bytes])).is_ok(),
                    fits,
                    "{algorithm} {bytes}"
                );
            }
        }
        assert_eq!(format!("{:?}", SigningInput::Message(b"secret")), "Message(6 bytes)");
    }
}
