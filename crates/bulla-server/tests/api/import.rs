use base64_simd::STANDARD;
use bulla_crypto::SystemRandom;
use bulla_crypto::keys::{PublicKey, WrappingAlgorithm, wrap_for_import};
use serde_json::{Value, json};

use crate::harness::Harness;

/// What the clock shows.
const NOW_SECONDS: f64 = 1_767_225_600.0;

#[track_caller]
fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode_to_vec(value.as_str().unwrap()).unwrap()
}

pub(crate) async fn external_key(server: &Harness) -> String {
    let made = server.ok("CreateKey", json!({"Origin": "EXTERNAL"})).await;
    let metadata = &made["KeyMetadata"];
    assert_eq!(
        (&metadata["KeyState"], &metadata["Enabled"], &metadata["Origin"]),
        (&json!("PendingImport"), &json!(false), &json!("EXTERNAL"))
    );
    assert!(metadata.get("CurrentKeyMaterialId").is_none() && metadata.get("ExpirationModel").is_none());
    metadata["KeyId"].as_str().unwrap().to_owned()
}

pub(crate) async fn parameters(server: &Harness, key: &str) -> Value {
    let input = json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
    server.ok("GetParametersForImport", input).await
}

/// An import of 32 times a byte that does not expire.
pub(crate) fn import(parameters: &Value, material: u8) -> Value {
    let key = PublicKey::from_spki_der(&bytes(&parameters["PublicKey"])).unwrap();
    let wrapped = wrap_for_import(&key, WrappingAlgorithm::RsaesOaepSha256, &SystemRandom, &[material; 32]).unwrap();
    json!({
        "KeyId": parameters["KeyId"],
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": STANDARD.encode_to_string(wrapped),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    })
}

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn material_is_imported_deleted_and_imported_again() {
    let server = Harness::start().await;
    let key = external_key(&server).await;
    let given = parameters(&server, &key).await;
    assert!(given["KeyId"].as_str().unwrap().ends_with(&format!(":key/{key}")));
    assert_eq!(given["ParametersValidTo"], json!(NOW_SECONDS + 86_400.0));
    let imported = server.ok("ImportKeyMaterial", import(&given, 7)).await;
    assert_eq!(imported["KeyId"], given["KeyId"]);
    let id = &imported["KeyMaterialId"];
    assert_eq!(id.as_str().unwrap().len(), 64);
    let metadata = &server.ok("DescribeKey", json!({"KeyId": key})).await["KeyMetadata"];
    assert_eq!(
        (
            &metadata["KeyState"],
            &metadata["ExpirationModel"],
            &metadata["CurrentKeyMaterialId"]
        ),
        (&json!("Enabled"), &json!("KEY_MATERIAL_DOES_NOT_EXPIRE"), id)
    );
    assert!(metadata.get("ValidTo").is_none());
    let sealed = server
        .ok("Encrypt", json!({"KeyId": key, "Plaintext": "c2VjcmV0"}))
        .await;
    let deleted = server.ok("DeleteImportedKeyMaterial", json!({"KeyId": key})).await;
    assert_eq!(deleted, json!({"KeyId": given["KeyId"], "KeyMaterialId": id}));
    let said = server
        .refused(
            "Decrypt",
            json!({"CiphertextBlob": sealed["CiphertextBlob"]}),
            "KMSInvalidStateException",
        )
        .await;
    assert_eq!(
        said,
        Some(format!("{} is pending import.", given["KeyId"].as_str().unwrap()))
    );
    server.ok("ImportKeyMaterial", import(&given, 7)).await;
    let opened = server
        .ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}))
        .await;
    assert_eq!(
        (&opened["Plaintext"], &opened["KeyMaterialId"]),
        (&json!("c2VjcmV0"), id)
    );
}

#[tokio::test]
async fn imported_material_is_listed_with_its_state_and_rotates() {
    let server = Harness::start().await;
    let key = external_key(&server).await;
    let given = parameters(&server, &key).await;
    let first = with(
        import(&given, 1),
        json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": NOW_SECONDS + 3600.5, "KeyMaterialDescription": "the first"}),
    );
    let first = server.ok("ImportKeyMaterial", first).await;
    let second = with(import(&given, 2), json!({"ImportType": "NEW_KEY_MATERIAL"}));
    let second = server.ok("ImportKeyMaterial", second).await;
    let list = async || {
        let input = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
        server.ok("ListKeyRotations", input).await["Rotations"].clone()
    };
    assert_eq!(
        list().await,
        json!([
            {
                "KeyId": key,
                "KeyMaterialId": first["KeyMaterialId"],
                "KeyMaterialDescription": "the first",
                "ImportState": "IMPORTED",
                "KeyMaterialState": "CURRENT",
                "ExpirationModel": "KEY_MATERIAL_EXPIRES",
                "ValidTo": NOW_SECONDS + 3600.5,
            },
            {
                "KeyId": key,
                "KeyMaterialId": second["KeyMaterialId"],
                "ImportState": "IMPORTED",
                "KeyMaterialState": "PENDING_ROTATION",
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            },
        ])
    );
    server.ok("RotateKeyOnDemand", json!({"KeyId": key})).await;
    let listed = list().await;
    assert_eq!(
        (&listed[0]["KeyMaterialState"], &listed[1]["KeyMaterialState"]),
        (&json!("NON_CURRENT"), &json!("CURRENT"))
    );
    assert_eq!(
        (&listed[1]["RotationType"], &listed[1]["RotationDate"]),
        (&json!("ON_DEMAND"), &json!(NOW_SECONDS))
    );
    let metadata = &server.ok("DescribeKey", json!({"KeyId": key})).await["KeyMetadata"];
    assert_eq!(
        (
            &metadata["CurrentKeyMaterialId"],
            &metadata["ValidTo"],
            &metadata["ExpirationModel"]
        ),
        (
            &second["KeyMaterialId"],
            &json!(NOW_SECONDS + 3600.5),
            &json!("KEY_MATERIAL_EXPIRES")
        )
    );
}

#[tokio::test]
async fn imports_are_refused_in_awss_words() {
    let server = Harness::start().await;
    let (key, other) = (external_key(&server).await, external_key(&server).await);
    let given = parameters(&server, &key).await;
    let right = import(&given, 7);
    let refused = async |more: Value, code: &str| {
        server
            .refused("ImportKeyMaterial", with(right.clone(), more), code)
            .await
    };
    let silent = [
        (json!({"KeyId": other}), "InvalidImportTokenException"),
        (json!({"ImportToken": "AAAA"}), "InvalidImportTokenException"),
        (json!({"EncryptedKeyMaterial": "AAAA"}), "InvalidCiphertextException"),
        (
            json!({"ImportType": "EXISTING_KEY_MATERIAL"}),
            "IncorrectKeyMaterialException",
        ),
        (
            json!({"KeyMaterialId": "ab".repeat(32)}),
            "IncorrectKeyMaterialException",
        ),
    ];
    for (more, code) in silent {
        assert_eq!(refused(more, code).await, None, "{code}");
    }
    let spoken = [
        (
            json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES"}),
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        ),
        (
            json!({"ExpirationModel": "NEVER"}),
            "1 validation error detected: Value 'NEVER' at 'expirationModel' failed to satisfy constraint: Member must satisfy enum value set: [KEY_MATERIAL_EXPIRES, KEY_MATERIAL_DOES_NOT_EXPIRE]",
        ),
        (
            json!({"KeyMaterialId": "AB"}),
            "2 validation errors detected: Value 'AB' at 'keyMaterialId' failed to satisfy constraint: Member must have length greater than or equal to 64; Value 'AB' at 'keyMaterialId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-f0-9]+$",
        ),
    ];
    for (more, words) in spoken {
        assert_eq!(refused(more, "ValidationException").await.as_deref(), Some(words));
    }
    let own = server.key().await;
    let said = refused(json!({"KeyId": own}), "UnsupportedOperationException").await;
    assert!(
        said.unwrap()
            .ends_with("origin is AWS_KMS which is not valid for this operation.")
    );
    let input = json!({"KeyId": "alias/app", "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048"});
    server
        .refused("GetParametersForImport", input, "InvalidArnException")
        .await;
    let input = json!({"KeyId": key, "WrappingAlgorithm": "RSAES_PKCS1_V1_5", "WrappingKeySpec": "RSA_2048"});
    server
        .refused("GetParametersForImport", input, "UnsupportedOperationException")
        .await;
    let input = json!({"KeyId": key, "WrappingAlgorithm": "ROT13", "WrappingKeySpec": "RSA_512"});
    let said = server
        .refused("GetParametersForImport", input, "ValidationException")
        .await;
    assert!(said.unwrap().starts_with("2 validation errors detected: "));
    // A key that takes no part in any of it waits still.
    assert_eq!(
        server.ok("DescribeKey", json!({"KeyId": other})).await["KeyMetadata"]["KeyState"],
        json!("PendingImport")
    );
}
