use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::key::aws_enum;

aws_enum! {
    /// How a key encrypts.
    EncryptionAlgorithm, "encryption algorithm" {
        /// AES-256-GCM under a symmetric key.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA OAEP with SHA-1.
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSA OAEP with SHA-256.
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        /// SM2, in AWS's regions in China only.
        Sm2Pke = "SM2PKE",
    }
}

aws_enum! {
    /// How a key signs.
    SigningAlgorithm, "signing algorithm" {
        /// RSA PSS with SHA-256.
        RsassaPssSha256 = "RSASSA_PSS_SHA_256",
        /// RSA PSS with SHA-384.
        RsassaPssSha384 = "RSASSA_PSS_SHA_384",
        /// RSA PSS with SHA-512.
        RsassaPssSha512 = "RSASSA_PSS_SHA_512",
        /// RSA PKCS#1 v1.5 with SHA-256.
        RsassaPkcs1V15Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        /// RSA PKCS#1 v1.5 with SHA-384.
        RsassaPkcs1V15Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        /// RSA PKCS#1 v1.5 with SHA-512.
        RsassaPkcs1V15Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        /// ECDSA with SHA-256.
        EcdsaSha256 = "ECDSA_SHA_256",
        /// ECDSA with SHA-384.
        EcdsaSha384 = "ECDSA_SHA_384",
        /// ECDSA with SHA-512.
        EcdsaSha512 = "ECDSA_SHA_512",
        /// SM2, in AWS's regions in China only.
        Sm2Dsa = "SM2DSA",
        /// ML-DSA (FIPS 204).
        MlDsaShake256 = "ML_DSA_SHAKE_256",
        /// Ed25519 over the message itself.
        Ed25519Sha512 = "ED25519_SHA_512",
        /// Ed25519ph (RFC 8032): over a digest.
        Ed25519PhSha512 = "ED25519_PH_SHA_512",
    }
}

impl SigningAlgorithm {
    /// Length in bytes of the message digest that `MessageType` `DIGEST` takes; `None` for ML-DSA, which takes none, and for
    /// `ED25519_SHA_512`, which signs messages only.
    pub fn digest_bytes(self) -> Option<usize> {
        match self {
            Self::RsassaPssSha256 | Self::RsassaPkcs1V15Sha256 | Self::EcdsaSha256 | Self::Sm2Dsa => Some(32),
            Self::RsassaPssSha384 | Self::RsassaPkcs1V15Sha384 | Self::EcdsaSha384 => Some(48),
            Self::RsassaPssSha512 | Self::RsassaPkcs1V15Sha512 | Self::EcdsaSha512 | Self::Ed25519PhSha512 => Some(64),
            Self::MlDsaShake256 | Self::Ed25519Sha512 => None,
        }
    }

    /// The types of message that the algorithm signs.
    pub fn message_types(self) -> &'static [MessageType] {
        match self {
            Self::MlDsaShake256 => &[MessageType::Raw, MessageType::ExternalMu],
            Self::Ed25519Sha512 => &[MessageType::Raw],
            Self::Ed25519PhSha512 => &[MessageType::Digest],
            _ => &[MessageType::Raw, MessageType::Digest],
        }
    }
}

aws_enum! {
    /// What the message of `Sign` and `Verify` is.
    MessageType, "message type" {
        /// The message itself.
        Raw = "RAW",
        /// Its digest.
        Digest = "DIGEST",
        /// The 64 bytes μ of ML-DSA (FIPS 204, section 6.2).
        ExternalMu = "EXTERNAL_MU",
    }
}

aws_enum! {
    /// How a key authenticates.
    MacAlgorithm, "MAC algorithm" {
        /// HMAC with SHA-224.
        HmacSha224 = "HMAC_SHA_224",
        /// HMAC with SHA-256.
        HmacSha256 = "HMAC_SHA_256",
        /// HMAC with SHA-384.
        HmacSha384 = "HMAC_SHA_384",
        /// HMAC with SHA-512.
        HmacSha512 = "HMAC_SHA_512",
    }
}

aws_enum! {
    /// How a key agrees on a secret.
    KeyAgreementAlgorithm, "key agreement algorithm" {
        /// ECDH with the cofactor (NIST SP 800-56A, section 5.7.1.2); the secret is the x coordinate.
        Ecdh = "ECDH",
    }
}

aws_enum! {
    /// How a key encapsulates a shared secret.
    EncapsulationAlgorithm, "encapsulation algorithm" {
        /// ML-KEM (FIPS 203).
        MlKem = "ML_KEM",
    }
}

aws_enum! {
    /// How key material is wrapped for import.
    WrappingAlgorithm, "wrapping algorithm" {
        /// RSA PKCS#1 v1.5; AWS refuses it since 2023.
        RsaesPkcs1V15 = "RSAES_PKCS1_V1_5",
        /// RSA OAEP with SHA-1.
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSA OAEP with SHA-256.
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        /// An AES key under RSA OAEP with SHA-1, the material under that key (AES-KWP).
        RsaAesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
        /// An AES key under RSA OAEP with SHA-256, the material under that key (AES-KWP).
        RsaAesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
        /// SM2, in AWS's regions in China only.
        Sm2Pke = "SM2PKE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_parse_what_they_print() {
        for algorithm in EncryptionAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(*algorithm));
        }
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(*algorithm));
        }
        assert!("symmetric_default".parse::<EncryptionAlgorithm>().is_err());
    }

    #[test]
    fn digests_have_the_length_that_the_name_says() {
        for algorithm in SigningAlgorithm::ALL {
            let named = [("SHA_256", 32), ("SHA_384", 48), ("SHA_512", 64)];
            let by_name = named.iter().find(|(end, _)| algorithm.as_str().ends_with(end));
            let takes_digests = algorithm.message_types().contains(&MessageType::Digest);
            assert_eq!(algorithm.digest_bytes().is_some(), takes_digests, "{algorithm}");
            if let (true, Some((_, length))) = (takes_digests, by_name) {
                assert_eq!(algorithm.digest_bytes(), Some(*length), "{algorithm}");
            }
        }
    }
}
