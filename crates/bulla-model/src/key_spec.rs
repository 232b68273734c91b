use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::key::aws_enum;
use crate::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeyUsage, MacAlgorithm, ParseError,
    SigningAlgorithm,
};

aws_enum! {
    /// What kind of material a key has.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>.
    KeySpec, "key spec" {
        /// RSA with 2,048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA with 3,072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA with 4,096 bits.
        Rsa4096 = "RSA_4096",
        /// NIST P-256 (secp256r1).
        EccNistP256 = "ECC_NIST_P256",
        /// NIST P-384 (secp384r1).
        EccNistP384 = "ECC_NIST_P384",
        /// NIST P-521 (secp521r1).
        EccNistP521 = "ECC_NIST_P521",
        /// secp256k1.
        EccSecgP256K1 = "ECC_SECG_P256K1",
        /// 256 bits for AES-256-GCM.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// HMAC with SHA-224.
        Hmac224 = "HMAC_224",
        /// HMAC with SHA-256.
        Hmac256 = "HMAC_256",
        /// HMAC with SHA-384.
        Hmac384 = "HMAC_384",
        /// HMAC with SHA-512.
        Hmac512 = "HMAC_512",
        /// SM2: known, and refused as AWS does outside its regions in China.
        Sm2 = "SM2",
        /// ML-DSA-44 (FIPS 204).
        MlDsa44 = "ML_DSA_44",
        /// ML-DSA-65 (FIPS 204).
        MlDsa65 = "ML_DSA_65",
        /// ML-DSA-87 (FIPS 204).
        MlDsa87 = "ML_DSA_87",
        /// Ed25519 (RFC 8032).
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        /// ML-KEM-512 (FIPS 203).
        MlKem512 = "ML_KEM_512",
        /// ML-KEM-768 (FIPS 203).
        MlKem768 = "ML_KEM_768",
        /// ML-KEM-1024 (FIPS 203).
        MlKem1024 = "ML_KEM_1024",
    }
}

impl KeySpec {
    /// What a key of this spec can be for.
    pub fn usages(self) -> &'static [KeyUsage] {
        match self {
            Self::SymmetricDefault => &[KeyUsage::EncryptDecrypt],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify],
            Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521 => {
                &[KeyUsage::SignVerify, KeyUsage::KeyAgreement]
            }
            Self::EccSecgP256K1 | Self::EccNistEdwards25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => {
                &[KeyUsage::SignVerify]
            }
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => &[KeyUsage::GenerateVerifyMac],
            Self::MlKem512 | Self::MlKem768 | Self::MlKem1024 => &[KeyUsage::EncapsulateDecapsulate],
            Self::Sm2 => &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify, KeyUsage::KeyAgreement],
        }
    }

    /// How a key of this spec encrypts, if it is for that.
    pub fn encryption_algorithms(self) -> &'static [EncryptionAlgorithm] {
        match self {
            Self::SymmetricDefault => &[EncryptionAlgorithm::SymmetricDefault],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => {
                &[EncryptionAlgorithm::RsaesOaepSha1, EncryptionAlgorithm::RsaesOaepSha256]
            }
            Self::Sm2 => &[EncryptionAlgorithm::Sm2Pke],
            _ => &[],
        }
    }

    /// How a key of this spec signs, if it is for that; in the order in which AWS lists them.
    pub fn signing_algorithms(self) -> &'static [SigningAlgorithm] {
        use SigningAlgorithm as A;
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[
                A::RsassaPkcs1V15Sha256,
                A::RsassaPkcs1V15Sha384,
                A::RsassaPkcs1V15Sha512,
                A::RsassaPssSha256,
                A::RsassaPssSha384,
                A::RsassaPssSha512,
            ],
            Self::EccNistP256 | Self::EccSecgP256K1 => &[A::EcdsaSha256],
            Self::EccNistP384 => &[A::EcdsaSha384],
            Self::EccNistP521 => &[A::EcdsaSha512],
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &[A::MlDsaShake256],
            Self::EccNistEdwards25519 => &[A::Ed25519Sha512, A::Ed25519PhSha512],
            Self::Sm2 => &[A::Sm2Dsa],
            _ => &[],
        }
    }

    /// How a key of this spec authenticates, if it is for that.
    pub fn mac_algorithms(self) -> &'static [MacAlgorithm] {
        match self {
            Self::Hmac224 => &[MacAlgorithm::HmacSha224],
            Self::Hmac256 => &[MacAlgorithm::HmacSha256],
            Self::Hmac384 => &[MacAlgorithm::HmacSha384],
            Self::Hmac512 => &[MacAlgorithm::HmacSha512],
            _ => &[],
        }
    }

    /// How a key of this spec agrees on secrets, if it is for that.
    pub fn key_agreement_algorithms(self) -> &'static [KeyAgreementAlgorithm] {
        if self.usages().contains(&KeyUsage::KeyAgreement) {
            &[KeyAgreementAlgorithm::Ecdh]
        } else {
            &[]
        }
    }

    /// How a key of this spec encapsulates, if it is for that.
    pub fn encapsulation_algorithms(self) -> &'static [EncapsulationAlgorithm] {
        if self.usages().contains(&KeyUsage::EncapsulateDecapsulate) {
            &[EncapsulationAlgorithm::MlKem]
        } else {
            &[]
        }
    }

    /// Tells whether the material is a key pair.
    pub fn is_asymmetric(self) -> bool {
        self != Self::SymmetricDefault && !self.is_hmac()
    }

    /// Tells whether the material is a key for HMAC.
    pub fn is_hmac(self) -> bool {
        !self.mac_algorithms().is_empty()
    }

    /// Length in bytes of symmetric material; `None` for key pairs.
    ///
    /// AWS makes HMAC keys as long as the hash: 28, 32, 48 or 64 bytes.
    pub fn symmetric_bytes(self) -> Option<usize> {
        match self {
            Self::SymmetricDefault | Self::Hmac256 => Some(32),
            Self::Hmac224 => Some(28),
            Self::Hmac384 => Some(48),
            Self::Hmac512 => Some(64),
            _ => None,
        }
    }

    /// Tells whether AWS imports material for keys of this spec: all but post-quantum key pairs.
    pub fn can_be_imported(self) -> bool {
        !matches!(
            self,
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 | Self::MlKem512 | Self::MlKem768 | Self::MlKem1024
        )
    }

    /// The longest plaintext in bytes that a key of this spec encrypts with `algorithm`; `None` where it does not.
    pub fn max_plaintext_bytes(self, algorithm: EncryptionAlgorithm) -> Option<usize> {
        let modulus_bytes = match (self, algorithm) {
            (Self::SymmetricDefault, EncryptionAlgorithm::SymmetricDefault) => return Some(4096),
            (Self::Rsa2048, _) => 256,
            (Self::Rsa3072, _) => 384,
            (Self::Rsa4096, _) => 512,
            _ => return None,
        };
        // RFC 8017, section 7.1.1: k - 2 hLen - 2.
        match algorithm {
            EncryptionAlgorithm::RsaesOaepSha1 => Some(modulus_bytes - 2 * 20 - 2),
            EncryptionAlgorithm::RsaesOaepSha256 => Some(modulus_bytes - 2 * 32 - 2),
            _ => None,
        }
    }
}

aws_enum! {
    /// What kind of data key pair is made.
    DataKeyPairSpec, "data key pair spec" {
        /// RSA with 2,048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA with 3,072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA with 4,096 bits.
        Rsa4096 = "RSA_4096",
        /// NIST P-256 (secp256r1).
        EccNistP256 = "ECC_NIST_P256",
        /// NIST P-384 (secp384r1).
        EccNistP384 = "ECC_NIST_P384",
        /// NIST P-521 (secp521r1).
        EccNistP521 = "ECC_NIST_P521",
        /// secp256k1.
        EccSecgP256K1 = "ECC_SECG_P256K1",
        /// SM2, in AWS's regions in China only.
        Sm2 = "SM2",
        /// Ed25519 (RFC 8032).
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        /// ML-KEM-512 (FIPS 203).
        MlKem512 = "ML_KEM_512",
        /// ML-KEM-768 (FIPS 203).
        MlKem768 = "ML_KEM_768",
        /// ML-KEM-1024 (FIPS 203).
        MlKem1024 = "ML_KEM_1024",
    }
}

impl DataKeyPairSpec {
    /// The spec of a KMS key with the same kind of material.
    pub fn key_spec(self) -> KeySpec {
        match self {
            Self::Rsa2048 => KeySpec::Rsa2048,
            Self::Rsa3072 => KeySpec::Rsa3072,
            Self::Rsa4096 => KeySpec::Rsa4096,
            Self::EccNistP256 => KeySpec::EccNistP256,
            Self::EccNistP384 => KeySpec::EccNistP384,
            Self::EccNistP521 => KeySpec::EccNistP521,
            Self::EccSecgP256K1 => KeySpec::EccSecgP256K1,
            Self::Sm2 => KeySpec::Sm2,
            Self::EccNistEdwards25519 => KeySpec::EccNistEdwards25519,
            Self::MlKem512 => KeySpec::MlKem512,
            Self::MlKem768 => KeySpec::MlKem768,
            Self::MlKem1024 => KeySpec::MlKem1024,
        }
    }
}

aws_enum! {
    /// The kind of key under which material is wrapped for import.
    WrappingKeySpec, "wrapping key spec" {
        /// RSA with 2,048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA with 3,072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA with 4,096 bits.
        Rsa4096 = "RSA_4096",
        /// SM2, in AWS's regions in China only.
        Sm2 = "SM2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usage_of_a_spec_has_its_algorithms_and_no_other() {
        for spec in KeySpec::ALL.iter().copied() {
            let usages = spec.usages();
            assert!(!usages.is_empty(), "{spec}");
            for (usage, has_algorithms) in [
                (KeyUsage::EncryptDecrypt, !spec.encryption_algorithms().is_empty()),
                (KeyUsage::SignVerify, !spec.signing_algorithms().is_empty()),
                (KeyUsage::GenerateVerifyMac, !spec.mac_algorithms().is_empty()),
                (KeyUsage::KeyAgreement, !spec.key_agreement_algorithms().is_empty()),
                (
                    KeyUsage::EncapsulateDecapsulate,
                    !spec.encapsulation_algorithms().is_empty(),
                ),
            ] {
                assert_eq!(usages.contains(&usage), has_algorithms, "{spec} {usage}");
            }
            assert_eq!(spec.is_asymmetric(), spec.symmetric_bytes().is_none(), "{spec}");
            assert_eq!(spec.as_str().parse(), Ok(spec));
        }
    }

    #[test]
    fn rsa_encrypts_as_much_as_aws_says() {
        let maxima = [
            (KeySpec::Rsa2048, 214, 190),
            (KeySpec::Rsa3072, 342, 318),
            (KeySpec::Rsa4096, 470, 446),
        ];
        for (spec, sha_1, sha_256) in maxima {
            assert_eq!(
                spec.max_plaintext_bytes(EncryptionAlgorithm::RsaesOaepSha1),
                Some(sha_1)
            );
            assert_eq!(
                spec.max_plaintext_bytes(EncryptionAlgorithm::RsaesOaepSha256),
                Some(sha_256)
            );
            assert_eq!(spec.max_plaintext_bytes(EncryptionAlgorithm::SymmetricDefault), None);
        }
        assert_eq!(
            KeySpec::Hmac256.max_plaintext_bytes(EncryptionAlgorithm::SymmetricDefault),
            None
        );
    }

    #[test]
    fn data_key_pairs_are_named_as_keys_are() {
        for pair in DataKeyPairSpec::ALL {
            assert_eq!(pair.as_str(), pair.key_spec().as_str());
            assert!(pair.key_spec().is_asymmetric());
        }
    }
}
