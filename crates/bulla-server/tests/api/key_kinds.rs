//! Keys of every spec over the wire: what each says of itself, and the answers of the operations on key pairs and HMAC keys.

use serde_json::{Value, json};

use crate::harness::Harness;

const MESSAGE: &str = "bWVzc2FnZQ==";

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn bytes(value: &Value) -> usize {
    base64_simd::STANDARD
        .decode_to_vec(value.as_str().unwrap())
        .unwrap()
        .len()
}

async fn made(server: &Harness, spec: &str, usage: &str) -> Value {
    let created = server
        .ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage}))
        .await;
    let metadata = created["KeyMetadata"].clone();
    assert_eq!(metadata["CustomerMasterKeySpec"], metadata["KeySpec"]);
    let described = server.ok("DescribeKey", json!({"KeyId": metadata["KeyId"]})).await;
    assert_eq!(described["KeyMetadata"], metadata);
    metadata
}

/// Of each spec and usage: the list of algorithms that the key says it has, and no other list.
const LISTS: &[(&str, &str, &str, &[&str])] = &[
    (
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "EncryptionAlgorithms",
        &["SYMMETRIC_DEFAULT"],
    ),
    (
        "RSA_2048",
        "ENCRYPT_DECRYPT",
        "EncryptionAlgorithms",
        &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"],
    ),
    (
        "RSA_2048",
        "SIGN_VERIFY",
        "SigningAlgorithms",
        &[
            "RSASSA_PKCS1_V1_5_SHA_256",
            "RSASSA_PKCS1_V1_5_SHA_384",
            "RSASSA_PKCS1_V1_5_SHA_512",
            "RSASSA_PSS_SHA_256",
            "RSASSA_PSS_SHA_384",
            "RSASSA_PSS_SHA_512",
        ],
    ),
    ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", &["ECDSA_SHA_256"]),
    ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", &["ECDSA_SHA_384"]),
    ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", &["ECDSA_SHA_512"]),
    (
        "ECC_SECG_P256K1",
        "SIGN_VERIFY",
        "SigningAlgorithms",
        &["ECDSA_SHA_256"],
    ),
    (
        "ECC_NIST_EDWARDS25519",
        "SIGN_VERIFY",
        "SigningAlgorithms",
        &["ED25519_SHA_512", "ED25519_PH_SHA_512"],
    ),
    ("ML_DSA_44", "SIGN_VERIFY", "SigningAlgorithms", &["ML_DSA_SHAKE_256"]),
    ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms", &["ECDH"]),
    ("HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_224"]),
    ("HMAC_256", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_256"]),
    ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_384"]),
    ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_512"]),
    (
        "ML_KEM_512",
        "ENCAPSULATE_DECAPSULATE",
        "EncapsulationAlgorithms",
        &["ML_KEM"],
    ),
];

#[tokio::test]
async fn a_key_of_each_kind_says_what_aws_says_of_it() {
    let server = Harness::start().await;
    for (spec, usage, list, algorithms) in LISTS {
        let metadata = made(&server, spec, usage).await;
        let mut expected = vec![
            "AWSAccountId",
            "Arn",
            "CreationDate",
            "CustomerMasterKeySpec",
            "Description",
            "Enabled",
            "KeyId",
            "KeyManager",
            "KeySpec",
            "KeyState",
            "KeyUsage",
            "MultiRegion",
            "Origin",
            list,
        ];
        if *spec == "SYMMETRIC_DEFAULT" {
            expected.push("CurrentKeyMaterialId");
        }
        expected.sort_unstable();
        assert_eq!(members(&metadata), expected, "{spec} {usage}");
        assert_eq!(metadata[list], json!(algorithms), "{spec} {usage}");
        assert_eq!(
            (&metadata["KeySpec"], &metadata["KeyUsage"]),
            (&json!(spec), &json!(usage))
        );
        if *list == "MacAlgorithms" || *spec == "SYMMETRIC_DEFAULT" {
            continue;
        }
        let public = server.ok("GetPublicKey", json!({"KeyId": metadata["KeyId"]})).await;
        assert_eq!(
            members(&public).len(),
            6,
            "key id, public key, two specs, usage and one list: {public}"
        );
        assert_eq!(public["KeyId"], metadata["Arn"]);
        for member in ["KeySpec", "CustomerMasterKeySpec", "KeyUsage", list] {
            assert_eq!(public[member], metadata[member], "{spec} {member}");
        }
    }
}

#[tokio::test]
async fn keys_without_a_usage_are_refused_unless_they_are_symmetric() {
    let server = Harness::start().await;
    for member in ["KeySpec", "CustomerMasterKeySpec"] {
        let said = server
            .refused("CreateKey", json!({member: "HMAC_256"}), "ValidationException")
            .await;
        assert_eq!(
            said.as_deref(),
            Some("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
        );
    }
    server.ok("CreateKey", json!({"KeySpec": "SYMMETRIC_DEFAULT"})).await;
}

#[tokio::test]
async fn a_key_for_imported_material_and_a_multi_region_key_say_so() {
    let server = Harness::start().await;
    let created = server.ok("CreateKey", json!({"Origin": "EXTERNAL"})).await;
    let key = &created["KeyMetadata"];
    assert_eq!(
        (&key["KeyState"], &key["Enabled"]),
        (&json!("PendingImport"), &json!(false))
    );
    assert_eq!(key["Origin"], "EXTERNAL");
    for absent in ["CurrentKeyMaterialId", "ExpirationModel", "ValidTo"] {
        assert!(key.get(absent).is_none(), "{absent}");
    }
    let created = server.ok("CreateKey", json!({"MultiRegion": true})).await;
    let key = &created["KeyMetadata"];
    assert!(key["KeyId"].as_str().unwrap().starts_with("mrk-"));
    assert_eq!(key["MultiRegion"], true);
    assert_eq!(
        key["MultiRegionConfiguration"],
        json!({
            "MultiRegionKeyType": "PRIMARY",
            "PrimaryKey": {"Arn": key["Arn"], "Region": "us-east-1"},
            "ReplicaKeys": [],
        })
    );
    server.ok("DescribeKey", json!({"KeyId": key["Arn"]})).await;
    let said = server
        .refused(
            "CreateKey",
            json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1"}),
            "CustomKeyStoreNotFoundException",
        )
        .await;
    assert_eq!(said.as_deref(), Some("Custom key store cks-1 does not exist"));
}

#[tokio::test]
async fn signatures_and_macs_are_answered_with_the_members_of_aws() {
    let server = Harness::start().await;
    let key = made(&server, "ECC_NIST_P256", "SIGN_VERIFY").await;
    let input = json!({"KeyId": key["KeyId"], "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"});
    let signed = server.ok("Sign", input.clone()).await;
    assert_eq!(members(&signed), ["KeyId", "Signature", "SigningAlgorithm"]);
    assert_eq!(
        (&signed["KeyId"], &signed["SigningAlgorithm"]),
        (&key["Arn"], &json!("ECDSA_SHA_256"))
    );
    let mut verify = input;
    verify["Signature"] = signed["Signature"].clone();
    let verified = server.ok("Verify", verify.clone()).await;
    let expected = json!({"KeyId": key["Arn"], "SignatureValid": true, "SigningAlgorithm": "ECDSA_SHA_256"});
    assert_eq!(verified, expected);
    verify["Message"] = json!("AAAA");
    let said = server.refused("Verify", verify, "KMSInvalidSignatureException").await;
    assert_eq!(said, None, "no message");

    let key = made(&server, "HMAC_512", "GENERATE_VERIFY_MAC").await;
    let input = json!({"KeyId": key["KeyId"], "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_512"});
    let made = server.ok("GenerateMac", input.clone()).await;
    assert_eq!(members(&made), ["KeyId", "Mac", "MacAlgorithm"]);
    assert_eq!((bytes(&made["Mac"]), &made["KeyId"]), (64, &key["Arn"]));
    let mut verify = input;
    verify["Mac"] = made["Mac"].clone();
    let expected = json!({"KeyId": key["Arn"], "MacValid": true, "MacAlgorithm": "HMAC_SHA_512"});
    assert_eq!(server.ok("VerifyMac", verify.clone()).await, expected);
    verify["Message"] = json!("AAAA");
    let said = server.refused("VerifyMac", verify, "KMSInvalidMacException").await;
    assert_eq!(said, None, "no message");
}

#[tokio::test]
async fn shared_secrets_are_answered_with_the_members_of_aws() {
    let server = Harness::start().await;
    let key = made(&server, "ECC_NIST_P384", "KEY_AGREEMENT").await;
    let public = server.ok("GetPublicKey", json!({"KeyId": key["KeyId"]})).await["PublicKey"].clone();
    let input = json!({"KeyId": key["KeyId"], "KeyAgreementAlgorithm": "ECDH", "PublicKey": public});
    let agreed = server.ok("DeriveSharedSecret", input).await;
    assert_eq!(
        members(&agreed),
        ["KeyAgreementAlgorithm", "KeyId", "KeyOrigin", "SharedSecret"]
    );
    assert_eq!(
        (bytes(&agreed["SharedSecret"]), &agreed["KeyOrigin"]),
        (48, &json!("AWS_KMS"))
    );

    let key = made(&server, "ML_KEM_768", "ENCAPSULATE_DECAPSULATE").await;
    let input = json!({"KeyId": key["KeyId"], "EncapsulationAlgorithm": "ML_KEM"});
    let encapsulated = server.ok("Encapsulate", input.clone()).await;
    assert_eq!(
        members(&encapsulated),
        [
            "EncapsulationAlgorithm",
            "KeyId",
            "SharedSecret",
            "SharedSecretCiphertextBlob"
        ]
    );
    let mut back = input;
    back["SharedSecretCiphertextBlob"] = encapsulated["SharedSecretCiphertextBlob"].clone();
    let opened = server.ok("Decapsulate", back.clone()).await;
    assert_eq!(members(&opened), ["EncapsulationAlgorithm", "KeyId", "SharedSecret"]);
    assert_eq!(opened["SharedSecret"], encapsulated["SharedSecret"]);
    back["SharedSecretCiphertextBlob"] = json!("AAAA");
    assert_eq!(
        server.refused("Decapsulate", back, "InvalidCiphertextException").await,
        None
    );
}

#[tokio::test]
async fn data_key_pairs_are_answered_with_the_members_of_aws() {
    let server = Harness::start().await;
    let key = server.key().await;
    let input = json!({"KeyId": key, "KeyPairSpec": "ECC_NIST_P256", "EncryptionContext": {"a": "b"}});
    let pair = server.ok("GenerateDataKeyPair", input.clone()).await;
    assert_eq!(
        members(&pair),
        [
            "KeyId",
            "KeyMaterialId",
            "KeyPairSpec",
            "PrivateKeyCiphertextBlob",
            "PrivateKeyPlaintext",
            "PublicKey"
        ]
    );
    let opened = server
        .ok(
            "Decrypt",
            json!({"CiphertextBlob": pair["PrivateKeyCiphertextBlob"], "EncryptionContext": {"a": "b"}}),
        )
        .await;
    assert_eq!(opened["Plaintext"], pair["PrivateKeyPlaintext"]);
    let without = server.ok("GenerateDataKeyPairWithoutPlaintext", input.clone()).await;
    assert_eq!(
        members(&without),
        [
            "KeyId",
            "KeyMaterialId",
            "KeyPairSpec",
            "PrivateKeyCiphertextBlob",
            "PublicKey"
        ]
    );
    let mut dry = input.clone();
    dry["DryRun"] = json!(true);
    server
        .refused("GenerateDataKeyPair", dry, "DryRunOperationException")
        .await;
    let mut to_enclave = input;
    to_enclave["Recipient"] = json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "AAAA"});
    let said = server
        .refused("GenerateDataKeyPair", to_enclave, "UnsupportedOperationException")
        .await;
    assert_eq!(said.as_deref(), Some("Recipient is not built yet."));
}

#[tokio::test]
async fn what_rsa_decrypts_names_no_key_material() {
    let server = Harness::start().await;
    let key = made(&server, "RSA_2048", "ENCRYPT_DECRYPT").await;
    let input = json!({"KeyId": key["KeyId"], "Plaintext": MESSAGE, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"});
    let encrypted = server.ok("Encrypt", input).await;
    assert_eq!(members(&encrypted), ["CiphertextBlob", "EncryptionAlgorithm", "KeyId"]);
    assert_eq!(bytes(&encrypted["CiphertextBlob"]), 256);
    let back = json!({
        "KeyId": key["KeyId"],
        "CiphertextBlob": encrypted["CiphertextBlob"],
        "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    let opened = server.ok("Decrypt", back).await;
    assert_eq!(members(&opened), ["EncryptionAlgorithm", "KeyId", "Plaintext"]);
    assert_eq!(opened["Plaintext"], MESSAGE);
}
