use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::key::aws_enum;

aws_enum! {
    /// What a grant can permit; `kms:` and the name is the action in policies.
    GrantOperation, "grant operation" {
        /// `Decrypt`.
        Decrypt = "Decrypt",
        /// `Encrypt`.
        Encrypt = "Encrypt",
        /// `GenerateDataKey`.
        GenerateDataKey = "GenerateDataKey",
        /// `GenerateDataKeyWithoutPlaintext`.
        GenerateDataKeyWithoutPlaintext = "GenerateDataKeyWithoutPlaintext",
        /// `ReEncrypt`, as the key that decrypts.
        ReEncryptFrom = "ReEncryptFrom",
        /// `ReEncrypt`, as the key that encrypts.
        ReEncryptTo = "ReEncryptTo",
        /// `Sign`.
        Sign = "Sign",
        /// `Verify`.
        Verify = "Verify",
        /// `GetPublicKey`.
        GetPublicKey = "GetPublicKey",
        /// `CreateGrant`, of no more than this grant permits.
        CreateGrant = "CreateGrant",
        /// `RetireGrant`.
        RetireGrant = "RetireGrant",
        /// `DescribeKey`.
        DescribeKey = "DescribeKey",
        /// `GenerateDataKeyPair`.
        GenerateDataKeyPair = "GenerateDataKeyPair",
        /// `GenerateDataKeyPairWithoutPlaintext`.
        GenerateDataKeyPairWithoutPlaintext = "GenerateDataKeyPairWithoutPlaintext",
        /// `GenerateMac`.
        GenerateMac = "GenerateMac",
        /// `VerifyMac`.
        VerifyMac = "VerifyMac",
        /// `DeriveSharedSecret`.
        DeriveSharedSecret = "DeriveSharedSecret",
        /// `Encapsulate`.
        Encapsulate = "Encapsulate",
        /// `Decapsulate`.
        Decapsulate = "Decapsulate",
    }
}
