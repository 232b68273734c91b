use std::fmt;
use std::str::FromStr;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The value in AWS's words.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err(UnknownName::new($what, text)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What kind of material a key has, in AWS's words.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>. `SM2` exists in AWS's
    /// China regions only and is not among them.
    KeySpec, "key spec" {
        /// 256 bits for AES-256-GCM.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA, 2,048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA, 3,072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA, 4,096 bits.
        Rsa4096 = "RSA_4096",
        /// NIST P-256.
        EccNistP256 = "ECC_NIST_P256",
        /// NIST P-384.
        EccNistP384 = "ECC_NIST_P384",
        /// NIST P-521.
        EccNistP521 = "ECC_NIST_P521",
        /// Ed25519.
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        /// secp256k1.
        EccSecgP256k1 = "ECC_SECG_P256K1",
        /// HMAC, 224 bits.
        Hmac224 = "HMAC_224",
        /// HMAC, 256 bits.
        Hmac256 = "HMAC_256",
        /// HMAC, 384 bits.
        Hmac384 = "HMAC_384",
        /// HMAC, 512 bits.
        Hmac512 = "HMAC_512",
        /// ML-DSA-44 (FIPS 204).
        MlDsa44 = "ML_DSA_44",
        /// ML-DSA-65.
        MlDsa65 = "ML_DSA_65",
        /// ML-DSA-87.
        MlDsa87 = "ML_DSA_87",
        /// ML-KEM-512 (FIPS 203).
        MlKem512 = "ML_KEM_512",
        /// ML-KEM-768.
        MlKem768 = "ML_KEM_768",
        /// ML-KEM-1024.
        MlKem1024 = "ML_KEM_1024",
    }
}

named! {
    /// What a key is for, in AWS's words.
    KeyUsage, "key usage" {
        /// Encrypts, decrypts and wraps data keys.
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        /// Signs and verifies.
        SignVerify = "SIGN_VERIFY",
        /// Makes and checks MACs.
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        /// Agrees on a secret.
        KeyAgreement = "KEY_AGREEMENT",
        /// Encapsulates and decapsulates secrets.
        EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
    }
}

/// A spec, usage or algorithm that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} {name:?}")]
pub struct UnknownName {
    what: &'static str,
    name: String,
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, name: &str) -> Self {
        let name = name.chars().take(64).collect();
        Self { what, name }
    }
}

/// A spec and a usage that do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpecUsageError {
    /// Keys of this spec are not for that.
    #[error("a key of spec {spec} is not for {usage}, but for {}", list(spec.usages()))]
    Incompatible {
        /// The spec asked for.
        spec: KeySpec,
        /// The usage asked for.
        usage: KeyUsage,
    },
    /// Keys of this spec may be for several things, and nothing says which.
    #[error("a key of spec {spec} may be for {}: say which", list(spec.usages()))]
    Ambiguous {
        /// The spec asked for.
        spec: KeySpec,
    },
}

impl KeySpec {
    /// What keys of this spec may be for; each key is for one of them.
    pub fn usages(self) -> &'static [KeyUsage] {
        use KeyUsage::*;
        match self {
            Self::SymmetricDefault => &[EncryptDecrypt],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[EncryptDecrypt, SignVerify],
            Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521 => &[SignVerify, KeyAgreement],
            Self::EccNistEdwards25519 | Self::EccSecgP256k1 => &[SignVerify],
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => &[GenerateVerifyMac],
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &[SignVerify],
            Self::MlKem512 | Self::MlKem768 | Self::MlKem1024 => &[EncapsulateDecapsulate],
        }
    }

    /// Finds the usage of a key of this spec: the one given if it goes with it, or the only one there is.
    ///
    /// # Errors
    /// [`SpecUsageError`].
    pub fn usage(self, given: Option<KeyUsage>) -> Result<KeyUsage, SpecUsageError> {
        match (given, self.usages()) {
            (Some(usage), usages) if usages.contains(&usage) => Ok(usage),
            (Some(usage), _) => Err(SpecUsageError::Incompatible { spec: self, usage }),
            (None, [only]) => Ok(*only),
            (None, _) => Err(SpecUsageError::Ambiguous { spec: self }),
        }
    }

    /// Tells whether a key of this spec can get new material: symmetric encryption keys alone.
    pub fn can_rotate(self) -> bool {
        self == Self::SymmetricDefault
    }
}

fn list(usages: &[KeyUsage]) -> String {
    let names: Vec<_> = usages.iter().map(|usage| usage.as_str()).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for spec in KeySpec::ALL {
            assert_eq!(spec.as_str().parse(), Ok(*spec));
        }
        for usage in KeyUsage::ALL {
            assert_eq!(usage.as_str().parse(), Ok(*usage));
        }
        assert!("SM2".parse::<KeySpec>().is_err());
        assert!("rsa_2048".parse::<KeySpec>().is_err());
    }

    #[test]
    fn every_spec_has_a_usage_and_says_which_others_it_has_not() {
        for spec in KeySpec::ALL {
            for usage in KeyUsage::ALL {
                let expected = spec.usages().contains(usage);
                assert_eq!(spec.usage(Some(*usage)).is_ok(), expected, "{spec} {usage}");
            }
            assert_eq!(spec.usage(None).is_ok(), spec.usages().len() == 1, "{spec}");
        }
        let error = KeySpec::EccNistP256.usage(Some(KeyUsage::EncryptDecrypt)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a key of spec ECC_NIST_P256 is not for ENCRYPT_DECRYPT, but for SIGN_VERIFY or KEY_AGREEMENT"
        );
    }
}
