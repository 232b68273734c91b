use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::account::text_type;

/// A key id: a UUID in lower case with hyphens (later also `mrk-` and 32 hex digits).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Makes a version 4 UUID of 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let legal = text.len() == 36
            && text.bytes().enumerate().all(|(at, b)| match at {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
            });
        if legal {
            Ok(Self(text.into()))
        } else {
            Err(ParseError { what: "key id" })
        }
    }
}

text_type!(KeyId);

macro_rules! aws_enum {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),*
        }

        impl $name {
            /// Every value, in AWS's order.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The value as AWS spells it.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }

        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                match text { $($text => Ok($name::$variant),)* _ => Err(ParseError { what: $what }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use aws_enum;

aws_enum! {
    /// The state of a key.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>.
    KeyState, "key state" {
        /// Being made.
        Creating = "Creating",
        /// Usable.
        Enabled = "Enabled",
        /// Refuses every use until it is enabled again.
        Disabled = "Disabled",
        /// Refuses every use and will be deleted.
        PendingDeletion = "PendingDeletion",
        /// Waits for imported material.
        PendingImport = "PendingImport",
        /// A primary key that waits for its replicas to be deleted.
        PendingReplicaDeletion = "PendingReplicaDeletion",
        /// Its primary region is changing.
        Updating = "Updating",
        /// Its key store can't be reached.
        Unavailable = "Unavailable",
    }
}

aws_enum! {
    /// What a key is for.
    KeyUsage, "key usage" {
        /// Signs and verifies.
        SignVerify = "SIGN_VERIFY",
        /// Encrypts and decrypts.
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        /// Makes and checks MACs.
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        /// Agrees on a secret.
        KeyAgreement = "KEY_AGREEMENT",
    }
}

aws_enum! {
    /// What kind of material a key has.
    KeySpec, "key spec" {
        /// 256 bits for AES-256-GCM.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
    }
}

aws_enum! {
    /// Where a key's material comes from.
    KeyOrigin, "key origin" {
        /// Made by the service.
        AwsKms = "AWS_KMS",
    }
}

aws_enum! {
    /// How a key encrypts.
    EncryptionAlgorithm, "encryption algorithm" {
        /// AES-256-GCM under a symmetric key.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA OAEP with SHA-1.
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSA OAEP with SHA-256.
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        /// SM2.
        Sm2Pke = "SM2PKE",
    }
}

aws_enum! {
    /// The length of a data key, by name.
    DataKeySpec, "data key spec" {
        /// 32 bytes.
        Aes256 = "AES_256",
        /// 16 bytes.
        Aes128 = "AES_128",
    }
}

impl DataKeySpec {
    /// Length of such a data key in bytes.
    pub fn size_bytes(self) -> usize {
        match self {
            DataKeySpec::Aes256 => 32,
            DataKeySpec::Aes128 => 16,
        }
    }
}

aws_enum! {
    /// What started a rotation.
    RotationType, "rotation type" {
        /// The rotation period ended.
        Automatic = "AUTOMATIC",
        /// Somebody asked for it.
        OnDemand = "ON_DEMAND",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn key_ids_are_lower_case_uuids() {
        assert!("1234abcd-12ab-34cd-56ef-1234567890ab".parse::<KeyId>().is_ok());
        for wrong in [
            "",
            "1234ABCD-12ab-34cd-56ef-1234567890ab",
            "1234abcd12ab34cd56ef1234567890ab",
            "alias/a",
        ] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn enums_parse_what_they_print() {
        for state in KeyState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        for algorithm in EncryptionAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(*algorithm));
        }
        assert!("symmetric_default".parse::<KeySpec>().is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_make_version_4_ids(bytes in any::<[u8; 16]>()) {
            let id = KeyId::from_random(bytes);
            prop_assert_eq!(id.as_str().as_bytes()[14], b'4');
            prop_assert_eq!(id.as_str().parse::<KeyId>(), Ok(id));
        }
    }
}
