use serde_json::{Value, json};

use crate::harness::Harness;

const NO_KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const PLAINTEXT: &str = "c2VjcmV0";

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}"))
}

#[tokio::test]
async fn a_key_is_created_described_and_listed() {
    let server = Harness::start().await;
    let tags = json!([{"TagKey": "team", "TagValue": "payments"}]);
    let created = server
        .ok(
            "CreateKey",
            json!({"Description": "for tests", "Tags": tags, "KeySpec": "SYMMETRIC_DEFAULT"}),
        )
        .await;
    let metadata = &created["KeyMetadata"];
    let (id, arn) = (text(&metadata["KeyId"]), text(&metadata["Arn"]));
    let account = server.initialised.account.as_str();
    assert_eq!(arn, format!("arn:aws:kms:us-east-1:{account}:key/{id}"));
    assert_eq!(metadata["CreationDate"], json!(1_767_225_600.0));
    for (member, value) in [
        ("AWSAccountId", json!(account)),
        ("Description", json!("for tests")),
        ("Enabled", json!(true)),
        ("KeyState", json!("Enabled")),
        ("KeyUsage", json!("ENCRYPT_DECRYPT")),
        ("KeyManager", json!("CUSTOMER")),
        ("Origin", json!("AWS_KMS")),
        ("KeySpec", json!("SYMMETRIC_DEFAULT")),
        ("CustomerMasterKeySpec", json!("SYMMETRIC_DEFAULT")),
        ("EncryptionAlgorithms", json!(["SYMMETRIC_DEFAULT"])),
        ("MultiRegion", json!(false)),
    ] {
        assert_eq!(metadata[member], value, "{member}");
    }
    assert!(metadata.get("DeletionDate").is_none());
    assert_eq!(text(&metadata["CurrentKeyMaterialId"]).len(), 64);
    for name in [id, arn] {
        assert_eq!(
            server.ok("DescribeKey", json!({"KeyId": name})).await["KeyMetadata"],
            *metadata
        );
    }
    let listed = server.ok("ListKeys", json!({})).await;
    assert_eq!(
        listed,
        json!({"Keys": [{"KeyId": id, "KeyArn": arn}], "Truncated": false})
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = Harness::start().await;
    for _ in 0..3 {
        server.key().await;
    }
    let first = server.ok("ListKeys", json!({"Limit": 2})).await;
    assert_eq!(
        (first["Keys"].as_array().map(Vec::len), &first["Truncated"]),
        (Some(2), &json!(true))
    );
    let rest = server
        .ok("ListKeys", json!({"Limit": 2, "Marker": first["NextMarker"]}))
        .await;
    assert_eq!(
        (rest["Keys"].as_array().map(Vec::len), &rest["Truncated"]),
        (Some(1), &json!(false))
    );
    assert!(rest.get("NextMarker").is_none());
    assert_eq!(
        server
            .refused(
                "ListKeys",
                json!({"Marker": "not one of ours"}),
                "InvalidMarkerException"
            )
            .await,
        None
    );
}

#[tokio::test]
async fn a_key_is_disabled_and_enabled() {
    let server = Harness::start().await;
    let key = server.key().await;
    assert_eq!(server.ok("DisableKey", json!({"KeyId": key})).await, Value::Null);
    assert_eq!(
        server.ok("DescribeKey", json!({"KeyId": key})).await["KeyMetadata"]["Enabled"],
        json!(false)
    );
    let said = server
        .refused(
            "Encrypt",
            json!({"KeyId": key, "Plaintext": PLAINTEXT}),
            "DisabledException",
        )
        .await;
    assert!(said.is_some_and(|text| text.ends_with(&format!("key/{key} is disabled."))));
    assert_eq!(server.ok("EnableKey", json!({"KeyId": key})).await, Value::Null);
    server
        .ok("Encrypt", json!({"KeyId": key, "Plaintext": PLAINTEXT}))
        .await;
}

#[tokio::test]
async fn a_deletion_is_scheduled_and_cancelled() {
    let server = Harness::start().await;
    let key = server.key().await;
    let scheduled = server
        .ok("ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7}))
        .await;
    assert_eq!(scheduled["KeyState"], json!("PendingDeletion"));
    assert_eq!(scheduled["PendingWindowInDays"], json!(7));
    assert_eq!(scheduled["DeletionDate"], json!(1_767_225_600.0 + 7.0 * 86_400.0));
    let arn = text(&scheduled["KeyId"]);
    let said = server
        .refused(
            "Encrypt",
            json!({"KeyId": key, "Plaintext": PLAINTEXT}),
            "KMSInvalidStateException",
        )
        .await;
    assert_eq!(said, Some(format!("{arn} is pending deletion.")));
    assert_eq!(
        server.ok("CancelKeyDeletion", json!({"KeyId": key})).await,
        json!({"KeyId": arn})
    );
    assert_eq!(
        server.ok("DescribeKey", json!({"KeyId": key})).await["KeyMetadata"]["KeyState"],
        json!("Disabled")
    );
    server
        .refused("CancelKeyDeletion", json!({"KeyId": key}), "KMSInvalidStateException")
        .await;
}

#[tokio::test]
async fn a_description_changes() {
    let server = Harness::start().await;
    let key = server.key().await;
    assert_eq!(
        server
            .ok("UpdateKeyDescription", json!({"KeyId": key, "Description": "other"}))
            .await,
        Value::Null
    );
    assert_eq!(
        server.ok("DescribeKey", json!({"KeyId": key})).await["KeyMetadata"]["Description"],
        json!("other")
    );
}

#[tokio::test]
async fn an_alias_is_made_moved_listed_and_deleted() {
    let server = Harness::start().await;
    let (first, second) = (server.key().await, server.key().await);
    assert_eq!(
        server
            .ok("CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": first}))
            .await,
        Value::Null
    );
    let said = server
        .refused(
            "CreateAlias",
            json!({"AliasName": "alias/app", "TargetKeyId": second}),
            "AlreadyExistsException",
        )
        .await;
    assert!(said.is_some_and(|text| text.contains("alias/app")));
    let listed = server.ok("ListAliases", json!({"KeyId": first})).await;
    let alias = &listed["Aliases"][0];
    assert_eq!(
        (&alias["AliasName"], &alias["TargetKeyId"]),
        (&json!("alias/app"), &json!(first))
    );
    assert!(text(&alias["AliasArn"]).ends_with(":alias/app"));
    assert_eq!(alias["CreationDate"], json!(1_767_225_600.0));
    assert_eq!(
        server.ok("DescribeKey", json!({"KeyId": alias["AliasArn"]})).await["KeyMetadata"]["KeyId"],
        json!(first)
    );
    assert_eq!(
        server
            .ok("UpdateAlias", json!({"AliasName": "alias/app", "TargetKeyId": second}))
            .await,
        Value::Null
    );
    assert_eq!(
        server.ok("DescribeKey", json!({"KeyId": "alias/app"})).await["KeyMetadata"]["KeyId"],
        json!(second)
    );
    assert_eq!(
        server.ok("DeleteAlias", json!({"AliasName": "alias/app"})).await,
        Value::Null
    );
    server
        .refused("DescribeKey", json!({"KeyId": "alias/app"}), "NotFoundException")
        .await;
    server
        .refused("DeleteAlias", json!({"AliasName": "alias/app"}), "NotFoundException")
        .await;
}

#[tokio::test]
async fn what_is_encrypted_decrypts_under_its_context_only() {
    let server = Harness::start().await;
    let key = server.key().await;
    let context = json!({"tenant": "7", "purpose": "test"});
    let sealed = server
        .ok(
            "Encrypt",
            json!({"KeyId": key, "Plaintext": PLAINTEXT, "EncryptionContext": context}),
        )
        .await;
    assert_eq!(sealed["EncryptionAlgorithm"], json!("SYMMETRIC_DEFAULT"));
    assert!(text(&sealed["CiphertextBlob"]).starts_with("AQICAH"));
    let blob = &sealed["CiphertextBlob"];
    let opened = server
        .ok("Decrypt", json!({"CiphertextBlob": blob, "EncryptionContext": context}))
        .await;
    assert_eq!(
        (&opened["Plaintext"], &opened["KeyId"]),
        (&json!(PLAINTEXT), &sealed["KeyId"])
    );
    assert_eq!(text(&opened["KeyMaterialId"]).len(), 64);
    for wrong in [
        json!({}),
        json!({"tenant": "8", "purpose": "test"}),
        json!({"tenant": "7"}),
        json!({"purpose": "7", "tenant": "test"}),
    ] {
        let input = json!({"CiphertextBlob": blob, "EncryptionContext": wrong});
        assert_eq!(
            server.refused("Decrypt", input, "InvalidCiphertextException").await,
            None
        );
    }
    let other = server.key().await;
    let input = json!({"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": other});
    assert!(
        server
            .refused("Decrypt", input, "IncorrectKeyException")
            .await
            .is_some()
    );
    assert_eq!(
        server
            .refused(
                "Decrypt",
                json!({"CiphertextBlob": "AAAA"}),
                "InvalidCiphertextException"
            )
            .await,
        None
    );
}

#[tokio::test]
async fn a_ciphertext_is_encrypted_again_under_another_key() {
    let server = Harness::start().await;
    let (source, destination) = (server.key().await, server.key().await);
    let sealed = server
        .ok(
            "Encrypt",
            json!({"KeyId": source, "Plaintext": PLAINTEXT, "EncryptionContext": {"a": "1"}}),
        )
        .await;
    let input = json!({
        "CiphertextBlob": sealed["CiphertextBlob"],
        "SourceEncryptionContext": {"a": "1"},
        "DestinationKeyId": destination,
        "DestinationEncryptionContext": {"b": "2"},
    });
    let moved = server.ok("ReEncrypt", input).await;
    assert_eq!(moved["SourceKeyId"], sealed["KeyId"]);
    assert!(text(&moved["KeyId"]).ends_with(&destination));
    assert_eq!(moved["SourceEncryptionAlgorithm"], json!("SYMMETRIC_DEFAULT"));
    assert_eq!(moved["DestinationEncryptionAlgorithm"], json!("SYMMETRIC_DEFAULT"));
    assert_ne!(moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]);
    let opened = server
        .ok(
            "Decrypt",
            json!({"CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": {"b": "2"}}),
        )
        .await;
    assert_eq!(opened["Plaintext"], json!(PLAINTEXT));
}

#[tokio::test]
async fn data_keys_come_with_and_without_their_plaintext() {
    let server = Harness::start().await;
    let key = server.key().await;
    for (size, length) in [
        (json!({"KeySpec": "AES_256"}), 44),
        (json!({"KeySpec": "AES_128"}), 24),
        (json!({"NumberOfBytes": 3}), 4),
    ] {
        let mut input = size.clone();
        input["KeyId"] = json!(key);
        let made = server.ok("GenerateDataKey", input.clone()).await;
        assert_eq!(text(&made["Plaintext"]).len(), length);
        let opened = server
            .ok("Decrypt", json!({"CiphertextBlob": made["CiphertextBlob"]}))
            .await;
        assert_eq!(opened["Plaintext"], made["Plaintext"]);
        let sealed = server.ok("GenerateDataKeyWithoutPlaintext", input).await;
        assert!(sealed.get("Plaintext").is_none());
        let opened = server
            .ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}))
            .await;
        assert_eq!(text(&opened["Plaintext"]).len(), length);
        assert_eq!(opened["KeyMaterialId"], sealed["KeyMaterialId"]);
    }
    for operation in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        server
            .refused(operation, json!({"KeyId": key}), "ValidationException")
            .await;
        let both = json!({"KeyId": key, "KeySpec": "AES_256", "NumberOfBytes": 32});
        server.refused(operation, both, "ValidationException").await;
    }
}

#[tokio::test]
async fn random_bytes_are_as_many_as_asked() {
    let server = Harness::start().await;
    let made = server.ok("GenerateRandom", json!({"NumberOfBytes": 32})).await;
    assert_eq!(text(&made["Plaintext"]).len(), 44);
    assert_ne!(server.ok("GenerateRandom", json!({"NumberOfBytes": 32})).await, made);
}

#[tokio::test]
async fn a_rotated_key_opens_what_it_sealed_before() {
    let server = Harness::start().await;
    let key = server.key().await;
    let sealed = server
        .ok("Encrypt", json!({"KeyId": key, "Plaintext": PLAINTEXT}))
        .await;
    let rotated = server.ok("RotateKeyOnDemand", json!({"KeyId": key})).await;
    assert_eq!(rotated["KeyId"], sealed["KeyId"]);
    assert_eq!(
        server
            .ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}))
            .await["Plaintext"],
        json!(PLAINTEXT)
    );
    let listed = server.ok("ListKeyRotations", json!({"KeyId": key})).await;
    let rotation = &listed["Rotations"][0];
    assert_eq!(
        (&rotation["RotationType"], &rotation["RotationDate"]),
        (&json!("ON_DEMAND"), &json!(1_767_225_600.0))
    );
    assert_eq!(
        (listed["Rotations"].as_array().map(Vec::len), &listed["Truncated"]),
        (Some(1), &json!(false))
    );
    let all = server
        .ok(
            "ListKeyRotations",
            json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}),
        )
        .await;
    let states: Vec<&str> = all["Rotations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| text(&entry["KeyMaterialState"]))
        .collect();
    assert_eq!(
        (states.len(), states.iter().filter(|state| **state == "CURRENT").count()),
        (2, 1)
    );
}

#[tokio::test]
async fn automatic_rotation_is_switched_on_and_off() {
    let server = Harness::start().await;
    let key = server.key().await;
    let off = server.ok("GetKeyRotationStatus", json!({"KeyId": key})).await;
    assert_eq!(off["KeyRotationEnabled"], json!(false));
    assert!(off.get("NextRotationDate").is_none());
    assert_eq!(
        server
            .ok("EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 90}))
            .await,
        Value::Null
    );
    let on = server.ok("GetKeyRotationStatus", json!({"KeyId": key})).await;
    assert_eq!(
        (&on["KeyRotationEnabled"], &on["RotationPeriodInDays"]),
        (&json!(true), &json!(90))
    );
    assert!(on["NextRotationDate"].is_number());
    assert_eq!(
        server.ok("DisableKeyRotation", json!({"KeyId": key})).await,
        Value::Null
    );
    assert_eq!(
        server.ok("GetKeyRotationStatus", json!({"KeyId": key})).await["KeyRotationEnabled"],
        json!(false)
    );
}

#[tokio::test]
async fn a_dry_run_decides_and_does_nothing() {
    let server = Harness::start().await;
    let key = server.key().await;
    let input = json!({"KeyId": key, "Plaintext": PLAINTEXT, "DryRun": true});
    let said = server.refused("Encrypt", input, "DryRunOperationException").await;
    assert_eq!(
        said.as_deref(),
        Some("The request would have succeeded, but the DryRun option is set.")
    );
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_not_found_by_any_operation() {
    let server = Harness::start().await;
    let key = json!({"KeyId": NO_KEY});
    let with = |more: Value| {
        let mut input = key.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    for (operation, input) in [
        ("DescribeKey", key.clone()),
        ("EnableKey", key.clone()),
        ("DisableKey", key.clone()),
        ("ScheduleKeyDeletion", key.clone()),
        ("CancelKeyDeletion", key.clone()),
        ("UpdateKeyDescription", with(json!({"Description": ""}))),
        ("CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": NO_KEY})),
        ("ListAliases", key.clone()),
        ("Encrypt", with(json!({"Plaintext": PLAINTEXT}))),
        ("GenerateDataKey", with(json!({"KeySpec": "AES_256"}))),
        ("GenerateDataKeyWithoutPlaintext", with(json!({"KeySpec": "AES_256"}))),
        ("RotateKeyOnDemand", key.clone()),
        ("EnableKeyRotation", key.clone()),
        ("DisableKeyRotation", key.clone()),
        ("GetKeyRotationStatus", key.clone()),
        ("ListKeyRotations", key.clone()),
    ] {
        let said = server.refused(operation, input, "NotFoundException").await;
        assert!(
            said.is_some_and(|text| text.ends_with(&format!("key/{NO_KEY}' does not exist"))),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn a_key_of_one_region_is_not_found_from_another() {
    let server = Harness::start().await;
    let key = server.key().await;
    let mut bytes = Vec::new();
    let body = json!({"KeyId": key}).to_string();
    server
        .signer("eu-west-1")
        .request(&mut bytes, "DescribeKey", body.as_bytes(), crate::harness::NOW);
    let said = server.raw(&bytes).await.is_error(400, "NotFoundException");
    assert!(said.is_some_and(|text| text.contains(":eu-west-1:")));
}

#[tokio::test]
async fn operations_that_are_not_built_say_so() {
    let server = Harness::start().await;
    for route in bulla_server::ROUTES.iter().filter(|route| !route.built) {
        let said = server
            .refused(route.name, json!({}), "UnsupportedOperationException")
            .await;
        assert_eq!(said, Some(format!("{} is not built yet.", route.name)));
    }
    let recipient = json!({"NumberOfBytes": 1, "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "AAAA"}});
    server
        .refused("GenerateRandom", recipient, "UnsupportedOperationException")
        .await;
}
