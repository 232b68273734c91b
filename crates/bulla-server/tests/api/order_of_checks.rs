//! Which of several mistakes AWS names, and how: from recorded answers of AWS.

use serde_json::{Value, json};

use crate::harness::Harness;

/// The kind of key (spec, usage, origin), what is done to it before, the call with its members beside the key's ARN, and AWS's answer:
/// the code, and the text if there is one. `{arn}` is the key's, `{id}` its id, `{place}` what an ARN of its account and region begins with.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

const DATA_KEY: &str = r#""KeySpec":"AES_256""#;
const MAC_224: &str = r#""Message":"bWVzc2FnZQ==","Mac":"AAAA","MacAlgorithm":"HMAC_SHA_224""#;
const MAC_256: &str = r#""Message":"bWVzc2FnZQ==","Mac":"AAAA","MacAlgorithm":"HMAC_SHA_256""#;
const ECDSA_256: &str = r#""Message":"bWVzc2FnZQ==","Signature":"AAAA","SigningAlgorithm":"ECDSA_SHA_256""#;
const PSS_256: &str = r#""Message":"bWVzc2FnZQ==","Signature":"AAAA","SigningAlgorithm":"RSASSA_PSS_SHA_256""#;
const OAEP: &str = r#""Plaintext":"bWVzc2FnZQ==","CiphertextBlob":"AAAA","EncryptionAlgorithm":"RSAES_OAEP_SHA_256""#;
const SYMMETRIC: &str = "SYMMETRIC_DEFAULT ENCRYPT_DECRYPT AWS_KMS";
const EXTERNAL: &str = "SYMMETRIC_DEFAULT ENCRYPT_DECRYPT EXTERNAL";
const HMAC: &str = "HMAC_256 GENERATE_VERIFY_MAC AWS_KMS";
const RSA: &str = "RSA_2048 ENCRYPT_DECRYPT AWS_KMS";
const RSA_SIGN: &str = "RSA_2048 SIGN_VERIFY AWS_KMS";
const P256: &str = "ECC_NIST_P256 SIGN_VERIFY AWS_KMS";
const ED25519: &str = "ECC_NIST_EDWARDS25519 SIGN_VERIFY AWS_KMS";
const DISABLE: &str = "DisableKey";
const DELETE: &str = "ScheduleKeyDeletion";
const IS_DISABLED: Option<&str> = Some("{arn} is disabled.");
const IS_PENDING_DELETION: Option<&str> = Some("{arn} is pending deletion.");
const IS_PENDING_IMPORT: Option<&str> = Some("{arn} is pending import.");
const EITHER: Option<&str> = Some("Please specify either number of bytes or key spec.");
const DISABLED: &str = "DisabledException";
const STATE: &str = "KMSInvalidStateException";
const USAGE: &str = "InvalidKeyUsageException";
const VALIDATION: &str = "ValidationException";
const UNSUPPORTED: &str = "UnsupportedOperationException";

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Number of bytes and key spec come before usage and state.
    (SYMMETRIC, DISABLE, "GenerateDataKey", "", VALIDATION, EITHER),
    (SYMMETRIC, DISABLE, "GenerateDataKey", r#""KeySpec":"AES_256","NumberOfBytes":32"#, VALIDATION, EITHER),
    (SYMMETRIC, DISABLE, "GenerateDataKeyWithoutPlaintext", "", VALIDATION, EITHER),
    (RSA_SIGN, DISABLE, "GenerateDataKey", "", VALIDATION, EITHER),
    (HMAC, DISABLE, "GenerateDataKey", "", VALIDATION, EITHER),
    // Usage comes before the state.
    (HMAC, DISABLE, "Sign", PSS_256, USAGE, Some("{arn} key usage is GENERATE_VERIFY_MAC which is not valid for Sign.")),
    (HMAC, DELETE, "Sign", PSS_256, USAGE, Some("{arn} key usage is GENERATE_VERIFY_MAC which is not valid for Sign.")),
    (RSA_SIGN, DISABLE, "Encrypt", OAEP, USAGE, Some("{arn} key usage is SIGN_VERIFY which is not valid for Encrypt.")),
    (SYMMETRIC, "", "Sign", ECDSA_256, USAGE, Some("{arn} key usage is ENCRYPT_DECRYPT which is not valid for Sign.")),
    (SYMMETRIC, "", "Verify", ECDSA_256, USAGE, Some("{arn} key usage is ENCRYPT_DECRYPT which is not valid for Verify.")),
    (RSA, "", "Sign", ECDSA_256, USAGE, Some("{arn} key usage is ENCRYPT_DECRYPT which is not valid for Sign.")),
    ("ECC_NIST_P256 KEY_AGREEMENT AWS_KMS", "", "Verify", ECDSA_256, USAGE,
     Some("{arn} key usage is KEY_AGREEMENT which is not valid for Verify.")),
    (RSA_SIGN, "", "GenerateMac", MAC_256, USAGE, Some("{arn} key usage is SIGN_VERIFY which is not valid for GenerateMac.")),
    (SYMMETRIC, "", "VerifyMac", MAC_256, USAGE, Some("{arn} key usage is ENCRYPT_DECRYPT which is not valid for VerifyMac.")),
    (P256, "", "GenerateDataKey", DATA_KEY, USAGE, Some("{arn} key usage is SIGN_VERIFY which is not valid for GenerateDataKey.")),
    (P256, "", "GenerateDataKeyWithoutPlaintext", DATA_KEY, USAGE,
     Some("{arn} key usage is SIGN_VERIFY which is not valid for GenerateDataKeyWithoutPlaintext.")),
    // The state comes before algorithm and spec.
    (SYMMETRIC, DISABLE, "Encrypt", r#""Plaintext":"AAAA""#, DISABLED, IS_DISABLED),
    (SYMMETRIC, DISABLE, "GenerateDataKey", DATA_KEY, DISABLED, IS_DISABLED),
    (RSA, DISABLE, "GenerateDataKey", DATA_KEY, DISABLED, IS_DISABLED),
    (RSA, DISABLE, "Encrypt", OAEP, DISABLED, IS_DISABLED),
    (RSA, DISABLE, "Decrypt", OAEP, DISABLED, IS_DISABLED),
    (RSA_SIGN, DISABLE, "Sign", ECDSA_256, DISABLED, IS_DISABLED),
    (RSA_SIGN, DISABLE, "Verify", PSS_256, DISABLED, IS_DISABLED),
    (HMAC, DISABLE, "GenerateMac", MAC_224, DISABLED, IS_DISABLED),
    (HMAC, DISABLE, "VerifyMac", MAC_256, DISABLED, IS_DISABLED),
    (SYMMETRIC, DELETE, "Encrypt", r#""Plaintext":"AAAA""#, STATE, IS_PENDING_DELETION),
    (P256, DELETE, "Sign", ECDSA_256, STATE, IS_PENDING_DELETION),
    (P256, DELETE, "Verify", ECDSA_256, STATE, IS_PENDING_DELETION),
    (HMAC, DELETE, "GenerateMac", MAC_256, STATE, IS_PENDING_DELETION),
    (EXTERNAL, "", "Encrypt", r#""Plaintext":"AAAA""#, STATE, IS_PENDING_IMPORT),
    (EXTERNAL, "", "GenerateDataKey", DATA_KEY, STATE, IS_PENDING_IMPORT),
    (EXTERNAL, "", "EnableKey", "", STATE, IS_PENDING_IMPORT),
    (EXTERNAL, "", "DisableKey", "", STATE, IS_PENDING_IMPORT),
    ("HMAC_256 GENERATE_VERIFY_MAC EXTERNAL", "", "GenerateMac", MAC_224, STATE, IS_PENDING_IMPORT),
    // The algorithm against the spec.
    (RSA, "", "Encrypt", r#""Plaintext":"AAAA""#, USAGE, Some("Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.")),
    (RSA, "", "Decrypt", r#""CiphertextBlob":"AAAA""#, "InvalidCiphertextException", None),
    (RSA, "", "GenerateDataKey", DATA_KEY, USAGE, Some("You cannot generate a data key with an asymmetric CMK")),
    (SYMMETRIC, "", "Encrypt", OAEP, USAGE, Some("Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.")),
    (RSA_SIGN, "", "Sign", ECDSA_256, USAGE, Some("Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048.")),
    (RSA_SIGN, "", "Verify", ECDSA_256, USAGE, Some("Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048.")),
    // AWS takes SYMMETRIC_DEFAULT as a signing algorithm until it looks at the key; here it is none of the set, as the model says.
    (P256, "", "Sign", PSS_256, USAGE, Some("Algorithm RSASSA_PSS_SHA_256 is incompatible with key spec ECC_NIST_P256.")),
    (P256, "", "Sign", r#""Message":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_384""#, USAGE,
     Some("Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.")),
    (HMAC, "", "GenerateMac", MAC_224, USAGE, Some("Algorithm HMAC_SHA_224 is incompatible with key spec HMAC_256.")),
    (HMAC, "", "VerifyMac", MAC_224, USAGE, Some("Algorithm HMAC_SHA_224 is incompatible with key spec HMAC_256.")),
    // Message type and digest length.
    (P256, "", "Sign", r#""Message":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256""#, VALIDATION,
     Some("Digest is invalid length for algorithm ECDSA_SHA_256.")),
    (P256, "", "Verify", r#""Message":"AAAA","Signature":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256""#, VALIDATION,
     Some("Digest is invalid length for algorithm ECDSA_SHA_256.")),
    (RSA_SIGN, "", "Sign", r#""Message":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"RSASSA_PKCS1_V1_5_SHA_384""#, VALIDATION,
     Some("Digest is invalid length for algorithm RSASSA_PKCS1_V1_5_SHA_384.")),
    (ED25519, "", "Sign", r#""Message":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"ED25519_SHA_512""#, VALIDATION,
     Some("Message type DIGEST is incompatible with algorithm ED25519_SHA_512.")),
    (ED25519, "", "Sign", r#""Message":"AAAA","MessageType":"RAW","SigningAlgorithm":"ED25519_PH_SHA_512""#, VALIDATION,
     Some("Message type RAW is incompatible with algorithm ED25519_PH_SHA_512.")),
    (ED25519, "", "Sign", r#""Message":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"ED25519_PH_SHA_512""#, VALIDATION,
     Some("Digest is invalid length for algorithm ED25519_PH_SHA_512.")),
    ("ML_DSA_44 SIGN_VERIFY AWS_KMS", "", "Sign", r#""Message":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"ML_DSA_SHAKE_256""#,
     VALIDATION, Some("Message type DIGEST is incompatible with key spec ML_DSA_44.")),
    // The cryptography has no words.
    (P256, "", "Verify", ECDSA_256, "KMSInvalidSignatureException", None),
    (RSA_SIGN, "", "Verify", PSS_256, "KMSInvalidSignatureException", None),
    (HMAC, "", "VerifyMac", MAC_256, "KMSInvalidMacException", None),
    (RSA, "", "Decrypt", OAEP, "InvalidCiphertextException", None),
    (SYMMETRIC, "", "Decrypt", r#""CiphertextBlob":"AAAA""#, "InvalidCiphertextException", None),
    // Public keys: the state comes before the spec.
    (SYMMETRIC, "", "GetPublicKey", "", UNSUPPORTED, None),
    (EXTERNAL, "", "GetPublicKey", "", STATE, IS_PENDING_IMPORT),
    (HMAC, DELETE, "GetPublicKey", "", STATE, IS_PENDING_DELETION),
    (P256, DELETE, "GetPublicKey", "", STATE, IS_PENDING_DELETION),
    (P256, DISABLE, "GetPublicKey", "", "ok", None),
    // Rotation: the state comes before the spec, the spec before the origin's material.
    (SYMMETRIC, DISABLE, "EnableKeyRotation", "", DISABLED, IS_DISABLED),
    (SYMMETRIC, DISABLE, "DisableKeyRotation", "", DISABLED, IS_DISABLED),
    (SYMMETRIC, DISABLE, "RotateKeyOnDemand", "", DISABLED, IS_DISABLED),
    (HMAC, DISABLE, "EnableKeyRotation", "", DISABLED, IS_DISABLED),
    (HMAC, DISABLE, "DisableKeyRotation", "", DISABLED, IS_DISABLED),
    (HMAC, DISABLE, "RotateKeyOnDemand", "", DISABLED, IS_DISABLED),
    (HMAC, DELETE, "EnableKeyRotation", "", STATE, IS_PENDING_DELETION),
    (HMAC, DELETE, "DisableKeyRotation", "", STATE, IS_PENDING_DELETION),
    (HMAC, DELETE, "RotateKeyOnDemand", "", STATE, IS_PENDING_DELETION),
    (HMAC, "", "EnableKeyRotation", "", UNSUPPORTED, None),
    (HMAC, "", "RotateKeyOnDemand", "", UNSUPPORTED, None),
    (RSA, "", "EnableKeyRotation", "", UNSUPPORTED, None),
    (RSA, "", "RotateKeyOnDemand", "", UNSUPPORTED, None),
    // AWS's pages say that rotation of these can't be disabled; its answers let it be.
    (HMAC, "", "DisableKeyRotation", "", "ok", None),
    (RSA_SIGN, "", "DisableKeyRotation", "", "ok", None),
    (EXTERNAL, "", "RotateKeyOnDemand", "", STATE, IS_PENDING_IMPORT),
    // Origins.
    (EXTERNAL, "", "EnableKeyRotation", "", UNSUPPORTED, Some("{arn} origin is EXTERNAL which is not valid for this operation.")),
    (EXTERNAL, "", "DisableKeyRotation", "", UNSUPPORTED, Some("{arn} origin is EXTERNAL which is not valid for this operation.")),
    (SYMMETRIC, "", "GetParametersForImport", r#""WrappingAlgorithm":"RSAES_OAEP_SHA_256","WrappingKeySpec":"RSA_2048""#, UNSUPPORTED,
     Some("{arn} origin is AWS_KMS which is not valid for this operation.")),
    (SYMMETRIC, "", "DeleteImportedKeyMaterial", "", UNSUPPORTED, Some("{arn} origin is AWS_KMS which is not valid for this operation.")),
    (SYMMETRIC, "", "ImportKeyMaterial",
     r#""ImportToken":"AAAA","EncryptedKeyMaterial":"AAAA","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE""#, UNSUPPORTED,
     Some("{arn} origin is AWS_KMS which is not valid for this operation.")),
    // What a key that is pending deletion bears.
    (SYMMETRIC, DELETE, "EnableKey", "", STATE, IS_PENDING_DELETION),
    (SYMMETRIC, DELETE, "DisableKey", "", STATE, IS_PENDING_DELETION),
    (SYMMETRIC, DELETE, "UpdateKeyDescription", r#""Description":"x""#, STATE, IS_PENDING_DELETION),
    (SYMMETRIC, DELETE, "ScheduleKeyDeletion", "", STATE, IS_PENDING_DELETION),
    (SYMMETRIC, DELETE, "TagResource", r#""Tags":[{"TagKey":"a","TagValue":"b"}]"#, STATE, IS_PENDING_DELETION),
    (SYMMETRIC, DELETE, "UntagResource", r#""TagKeys":["a"]"#, STATE, IS_PENDING_DELETION),
    (SYMMETRIC, DELETE, "CreateGrant", r#""GranteePrincipal":"arn:aws:iam::000000000000:root","Operations":["Encrypt"]"#, STATE,
     IS_PENDING_DELETION),
    (EXTERNAL, DELETE, "GetParametersForImport", r#""WrappingAlgorithm":"RSAES_OAEP_SHA_256","WrappingKeySpec":"RSA_2048""#, STATE,
     IS_PENDING_DELETION),
    (EXTERNAL, DELETE, "ImportKeyMaterial",
     r#""ImportToken":"AAAA","EncryptedKeyMaterial":"AAAA","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE""#, STATE, IS_PENDING_DELETION),
    // DryRun comes last.
    (SYMMETRIC, "", "Encrypt", r#""Plaintext":"AAAA","DryRun":true"#, "DryRunOperationException",
     Some("The request would have succeeded, but the DryRun option is set.")),
    (SYMMETRIC, DISABLE, "Encrypt", r#""Plaintext":"AAAA","DryRun":true"#, DISABLED, IS_DISABLED),
    (P256, "", "Verify", r#""Message":"AAAA","Signature":"AAAA","SigningAlgorithm":"ECDSA_SHA_256","DryRun":true"#,
     "KMSInvalidSignatureException", None),
];

/// Makes a key of this kind, and tells its ARN.
async fn key(server: &Harness, kind: &str) -> String {
    let [spec, usage, origin] = kind.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{kind}")
    };
    let input = json!({"KeySpec": spec, "KeyUsage": usage, "Origin": origin});
    let made = server.ok("CreateKey", input).await;
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

async fn said(server: &Harness, operation: &str, body: &str) -> (String, Option<String>) {
    let answer = server.send(operation, body.as_bytes()).await;
    if answer.status == 200 {
        return ("ok".to_owned(), None);
    }
    assert_eq!(answer.status, 400, "{operation} {body}");
    let body = answer.json();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    (text("__type").unwrap(), text("message"))
}

#[tokio::test]
async fn of_several_mistakes_awss_first_is_named() {
    let server = Harness::start().await;
    let mut found = Vec::new();
    for (kind, before, operation, members, code, message) in CASES {
        let arn = key(&server, kind).await;
        if !before.is_empty() {
            server.ok(before, json!({"KeyId": arn})).await;
        }
        let comma = if members.is_empty() { "" } else { "," };
        let body = format!("{{\"KeyId\":\"{arn}\"{comma}{members}}}");
        let expected = ((*code).to_owned(), message.map(|text| text.replace("{arn}", &arn)));
        let said = said(&server, operation, &body).await;
        if said != expected {
            found.push(format!(
                "{kind} {before}: {operation} {members}\n   {said:?}\n   {expected:?} was expected"
            ));
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// How a key can be named wrongly, and AWS's words; `{place}` begins the ARNs of the caller's account and region, `{elsewhere}` those of
/// another region.
const NAMES: &[(&str, &str, &str)] = &[
    (
        "12345678-1234-1234-1234-123456789012",
        "NotFoundException",
        "Key '{place}key/12345678-1234-1234-1234-123456789012' does not exist",
    ),
    (
        "mrk-1234567812341234123412345678901a",
        "NotFoundException",
        "Key '{place}key/mrk-1234567812341234123412345678901a' does not exist",
    ),
    (
        "{place}key/12345678-1234-1234-1234-123456789012",
        "NotFoundException",
        "Key '{place}key/12345678-1234-1234-1234-123456789012' does not exist",
    ),
    ("{place}key/foo", "NotFoundException", "Invalid keyId foo"),
    ("foo", "NotFoundException", "Invalid keyId 'foo'"),
    (
        "12345678123412341234123456789012",
        "NotFoundException",
        "Invalid keyId '12345678123412341234123456789012'",
    ),
    ("mrk-1234", "NotFoundException", "Invalid keyId 'mrk-1234'"),
    (
        "{elsewhere}key/12345678-1234-1234-1234-123456789012",
        "NotFoundException",
        "Invalid arn eu-west-3",
    ),
    ("{elsewhere}alias/missing", "NotFoundException", "Invalid arn eu-west-3"),
    (
        "alias/missing",
        "NotFoundException",
        "Alias {place}alias/missing is not found.",
    ),
    (
        "{place}alias/missing",
        "NotFoundException",
        "Alias {place}alias/missing is not found.",
    ),
    (
        "alias/aws/missing",
        "NotFoundException",
        "Alias {place}alias/aws/missing is not found.",
    ),
];

#[tokio::test]
async fn a_key_that_can_not_be_found_is_named_as_aws_names_it() {
    let server = Harness::start().await;
    let account = server.initialised.account.as_str();
    let place = format!("arn:aws:kms:us-east-1:{account}:");
    let elsewhere = format!("arn:aws:kms:eu-west-3:{account}:");
    let mut found = Vec::new();
    for (name, code, message) in NAMES {
        let fill = |text: &str| text.replace("{place}", &place).replace("{elsewhere}", &elsewhere);
        let expected = ((*code).to_owned(), Some(fill(message)));
        for (operation, mut body) in [
            ("DescribeKey", json!({})),
            ("Encrypt", json!({"Plaintext": "AAAA"})),
            ("GenerateDataKey", json!({})),
        ] {
            body["KeyId"] = json!(fill(name));
            let said = said(&server, operation, &body.to_string()).await;
            if said != expected {
                found.push(format!("{operation} {name}\n   {said:?}\n   {expected:?} was expected"));
            }
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// Operations that take keys and no aliases, with what they need beside the key.
const KEY_ONLY: &[(&str, &str)] = &[
    ("CancelKeyDeletion", ""),
    (
        "CreateGrant",
        r#","GranteePrincipal":"arn:aws:iam::000000000000:root","Operations":["Encrypt"]"#,
    ),
    ("DeleteImportedKeyMaterial", ""),
    ("DisableKey", ""),
    ("DisableKeyRotation", ""),
    ("EnableKey", ""),
    ("EnableKeyRotation", ""),
    ("GetKeyPolicy", ""),
    ("GetKeyRotationStatus", ""),
    (
        "GetParametersForImport",
        r#","WrappingAlgorithm":"RSAES_OAEP_SHA_256","WrappingKeySpec":"RSA_2048""#,
    ),
    (
        "ImportKeyMaterial",
        r#","ImportToken":"AAAA","EncryptedKeyMaterial":"AAAA""#,
    ),
    ("ListGrants", ""),
    ("ListKeyPolicies", ""),
    ("ListResourceTags", ""),
    ("PutKeyPolicy", r#","Policy":"{}""#),
    ("RevokeGrant", r#","GrantId":"a""#),
    ("RotateKeyOnDemand", ""),
    ("ScheduleKeyDeletion", ""),
    ("TagResource", r#","Tags":[]"#),
    ("UntagResource", r#","TagKeys":[]"#),
    ("UpdateKeyDescription", r#","Description":"""#),
];

#[tokio::test]
async fn operations_on_keys_refuse_aliases_before_they_look_them_up() {
    let server = Harness::start().await;
    let account = server.initialised.account.as_str();
    let expected = (
        "InvalidArnException".to_owned(),
        Some("Key Aliases are not supported for this operation.".to_owned()),
    );
    let mut found = Vec::new();
    for (operation, members) in KEY_ONLY {
        for alias in [
            "alias/missing",
            &format!("arn:aws:kms:us-east-1:{account}:alias/missing"),
        ] {
            let said = said(&server, operation, &format!("{{\"KeyId\":\"{alias}\"{members}}}")).await;
            if said != expected {
                found.push(format!("{operation} {alias}: {said:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn keys_that_can_not_be_are_refused_in_awss_words() {
    let server = Harness::start().await;
    let mut found = Vec::new();
    for (spec, usage) in [
        ("SYMMETRIC_DEFAULT", "SIGN_VERIFY"),
        ("RSA_2048", "KEY_AGREEMENT"),
        ("ECC_NIST_P256", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_EDWARDS25519", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_EDWARDS25519", "KEY_AGREEMENT"),
        ("ECC_SECG_P256K1", "KEY_AGREEMENT"),
        ("ML_DSA_87", "KEY_AGREEMENT"),
        ("HMAC_256", "SIGN_VERIFY"),
    ] {
        let said = said(
            &server,
            "CreateKey",
            &json!({"KeySpec": spec, "KeyUsage": usage}).to_string(),
        )
        .await;
        let expected = format!("KeyUsage {usage} is not compatible with KeySpec {spec}.");
        if said != (VALIDATION.to_owned(), Some(expected)) {
            found.push(format!("{spec} {usage}: {said:?}"));
        }
    }
    let said = said(&server, "CreateKey", r#"{"KeySpec":"SM2","KeyUsage":"SIGN_VERIFY"}"#).await;
    let expected = Some("KeySpec SM2 is not supported in this Region".to_owned());
    if said != (UNSUPPORTED.to_owned(), expected) {
        found.push(format!("SM2: {said:?}"));
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
