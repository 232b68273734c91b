use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::account::text_type;

/// A key id: a UUID in lower case with hyphens, or for a multi-Region key `mrk-` and 32 hex digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Makes a version 4 UUID of 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into())
    }

    /// Makes the id of a multi-Region key of 16 random bytes.
    pub fn multi_region_from_random(bytes: [u8; 16]) -> Self {
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Self(format!("mrk-{}", uuid.simple()).into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether it is the id of a multi-Region key, primary or replica.
    pub fn is_multi_region(&self) -> bool {
        self.0.starts_with("mrk-")
    }
}

impl FromStr for KeyId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let legal = text.len() == 36
            && match text.strip_prefix("mrk-") {
                Some(digits) => digits.bytes().all(is_hex),
                None => text.bytes().enumerate().all(|(at, b)| match at {
                    8 | 13 | 18 | 23 => b == b'-',
                    _ => is_hex(b),
                }),
            };
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
        /// Its key store can't be reached.
        Unavailable = "Unavailable",
        /// Its primary region is changing.
        Updating = "Updating",
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
        /// Encapsulates and decapsulates shared secrets.
        EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
    }
}

aws_enum! {
    /// Where a key's material comes from.
    KeyOrigin, "key origin" {
        /// Made by the service.
        AwsKms = "AWS_KMS",
        /// Imported by its owner.
        External = "EXTERNAL",
        /// In a CloudHSM cluster.
        AwsCloudHsm = "AWS_CLOUDHSM",
        /// In a key manager outside, reached through its proxy.
        ExternalKeyStore = "EXTERNAL_KEY_STORE",
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

aws_enum! {
    /// Which of the keys of a multi-Region key one is.
    MultiRegionKeyType, "multi-Region key type" {
        /// The one that is replicated, and whose rotation the others follow.
        Primary = "PRIMARY",
        /// A copy in another region.
        Replica = "REPLICA",
    }
}

aws_enum! {
    /// Whose key it is: AWS's own services make managed keys, and this service has none.
    KeyManager, "key manager" {
        /// AWS's.
        Aws = "AWS",
        /// The customer's.
        Customer = "CUSTOMER",
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
    fn multi_region_ids_are_mrk_and_32_hex_digits() {
        let id: KeyId = "mrk-1234abcd12ab34cd56ef1234567890ab".parse().expect("an id");
        assert!(id.is_multi_region());
        for wrong in [
            "mrk-1234abcd12ab34cd56ef1234567890a",
            "mrk-1234abcd12ab34cd56ef1234567890abc",
            "mrk-1234ABCD12ab34cd56ef1234567890ab",
            "mrk-1234abcd-12ab-34cd-56ef-12345678",
            "MRK-1234abcd12ab34cd56ef1234567890ab",
        ] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
        assert!(!KeyId::from_random([7; 16]).is_multi_region());
    }

    #[test]
    fn enums_parse_what_they_print() {
        for state in KeyState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        for usage in KeyUsage::ALL {
            assert_eq!(usage.as_str().parse(), Ok(*usage));
        }
        assert!("encrypt_decrypt".parse::<KeyUsage>().is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_make_version_4_ids(bytes in any::<[u8; 16]>()) {
            let id = KeyId::from_random(bytes);
            prop_assert_eq!(id.as_str().as_bytes()[14], b'4');
            prop_assert_eq!(id.as_str().parse::<KeyId>(), Ok(id));
            let id = KeyId::multi_region_from_random(bytes);
            prop_assert!(id.is_multi_region());
            prop_assert_eq!(id.as_str().parse::<KeyId>(), Ok(id));
        }
    }
}
