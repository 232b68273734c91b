//! The sets of values of AWS's model, in the order in which AWS lists them when it refuses another.
//!
//! The order is the model's, but for four sets whose order in AWS's answers is known from recorded ones: `EncryptionAlgorithmSpec`,
//! `SigningAlgorithmSpec`, `MacAlgorithmSpec` and `KeySpec` (the place of its ML-KEM values is not confirmed).

/// A set of values.
#[derive(Debug)]
pub struct Choices {
    /// The model's name of the set.
    pub shape: &'static str,
    /// The values, in AWS's order.
    pub values: &'static [&'static str],
}

macro_rules! sets {
    ($($name:ident = $shape:literal: $($value:literal)*;)*) => {
        $(
            #[doc = concat!("`", $shape, "`.")]
            pub(in crate::aws) const $name: &[&str] = &[$($value),*];
        )*

        /// Every set that a request can choose from.
        pub const CHOICES: &[Choices] = &[$(Choices { shape: $shape, values: $name }),*];
    };
}

sets! {
    ENCRYPTION_ALGORITHMS = "EncryptionAlgorithmSpec":
        "RSAES_OAEP_SHA_1" "RSAES_OAEP_SHA_256" "SM2PKE" "SYMMETRIC_DEFAULT";
    SIGNING_ALGORITHMS = "SigningAlgorithmSpec":
        "RSASSA_PSS_SHA_256" "RSASSA_PSS_SHA_384" "RSASSA_PSS_SHA_512" "RSASSA_PKCS1_V1_5_SHA_256" "RSASSA_PKCS1_V1_5_SHA_384"
        "RSASSA_PKCS1_V1_5_SHA_512" "ECDSA_SHA_256" "ECDSA_SHA_384" "ECDSA_SHA_512" "ED25519_SHA_512" "ED25519_PH_SHA_512"
        "SM2DSA" "ML_DSA_SHAKE_256";
    MAC_ALGORITHMS = "MacAlgorithmSpec":
        "HMAC_SHA_384" "HMAC_SHA_256" "HMAC_SHA_224" "HMAC_SHA_512";
    KEY_AGREEMENT_ALGORITHMS = "KeyAgreementAlgorithmSpec":
        "ECDH";
    ENCAPSULATION_ALGORITHMS = "EncapsulationAlgorithmSpec":
        "ML_KEM";
    MESSAGE_TYPES = "MessageType":
        "RAW" "DIGEST" "EXTERNAL_MU";
    DATA_KEY_SPECS = "DataKeySpec":
        "AES_256" "AES_128";
    DATA_KEY_PAIR_SPECS = "DataKeyPairSpec":
        "RSA_2048" "RSA_3072" "RSA_4096" "ECC_NIST_P256" "ECC_NIST_P384" "ECC_NIST_P521" "ECC_SECG_P256K1" "SM2"
        "ECC_NIST_EDWARDS25519" "ML_KEM_512" "ML_KEM_768" "ML_KEM_1024";
    DRY_RUN_MODIFIERS = "DryRunModifierType":
        "IGNORE_CIPHERTEXT";
    KEY_USAGES = "KeyUsageType":
        "SIGN_VERIFY" "ENCRYPT_DECRYPT" "GENERATE_VERIFY_MAC" "KEY_AGREEMENT" "ENCAPSULATE_DECAPSULATE";
    ORIGINS = "OriginType":
        "AWS_KMS" "EXTERNAL" "AWS_CLOUDHSM" "EXTERNAL_KEY_STORE";
    KEY_SPECS = "KeySpec":
        "RSA_2048" "RSA_3072" "RSA_4096" "ECC_NIST_P256" "ECC_NIST_P384" "ECC_NIST_P521" "ECC_SECG_P256K1"
        "ECC_NIST_EDWARDS25519" "SYMMETRIC_DEFAULT" "HMAC_224" "HMAC_256" "HMAC_384" "HMAC_512" "SM2" "ML_DSA_44" "ML_DSA_65"
        "ML_DSA_87" "ML_KEM_512" "ML_KEM_768" "ML_KEM_1024";
    CUSTOMER_MASTER_KEY_SPECS = "CustomerMasterKeySpec":
        "RSA_2048" "RSA_3072" "RSA_4096" "ECC_NIST_P256" "ECC_NIST_P384" "ECC_NIST_P521" "ECC_SECG_P256K1" "SYMMETRIC_DEFAULT"
        "HMAC_224" "HMAC_256" "HMAC_384" "HMAC_512" "SM2";
    RESOURCE_OWNERS = "ResourceOwnerType":
        "SELF" "OTHER_ACCOUNTS_VIA_RAM";
    INCLUDE_KEY_MATERIAL = "IncludeKeyMaterial":
        "ALL_KEY_MATERIAL" "ROTATIONS_ONLY";
    WRAPPING_ALGORITHMS = "AlgorithmSpec":
        "RSAES_PKCS1_V1_5" "RSAES_OAEP_SHA_1" "RSAES_OAEP_SHA_256" "RSA_AES_KEY_WRAP_SHA_1" "RSA_AES_KEY_WRAP_SHA_256" "SM2PKE";
    WRAPPING_KEY_SPECS = "WrappingKeySpec":
        "RSA_2048" "RSA_3072" "RSA_4096" "SM2";
    EXPIRATION_MODELS = "ExpirationModelType":
        "KEY_MATERIAL_EXPIRES" "KEY_MATERIAL_DOES_NOT_EXPIRE";
    IMPORT_TYPES = "ImportType":
        "NEW_KEY_MATERIAL" "EXISTING_KEY_MATERIAL";
    GRANT_OPERATIONS = "GrantOperation":
        "Decrypt" "Encrypt" "GenerateDataKey" "GenerateDataKeyWithoutPlaintext" "ReEncryptFrom" "ReEncryptTo" "Sign" "Verify"
        "GetPublicKey" "CreateGrant" "RetireGrant" "DescribeKey" "GenerateDataKeyPair" "GenerateDataKeyPairWithoutPlaintext"
        "GenerateMac" "VerifyMac" "DeriveSharedSecret" "Encapsulate" "Decapsulate";
    KEY_ENCRYPTION_MECHANISMS = "KeyEncryptionMechanism":
        "RSAES_OAEP_SHA_256";
    CUSTOM_KEY_STORE_TYPES = "CustomKeyStoreType":
        "AWS_CLOUDHSM" "EXTERNAL_KEY_STORE";
    XKS_CONNECTIVITIES = "XksProxyConnectivityType":
        "PUBLIC_ENDPOINT" "VPC_ENDPOINT_SERVICE";
}
