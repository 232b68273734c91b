use serde_json::{Value, json};

use crate::harness::Harness;

const EU: &str = "eu-west-1";

#[tokio::test]
async fn a_key_lives_in_two_regions_and_moves() {
    let server = Harness::start().await;
    let made = server.ok("CreateKey", json!({"MultiRegion": true})).await;
    let primary = &made["KeyMetadata"];
    let (id, arn) = (primary["KeyId"].as_str().unwrap(), primary["Arn"].as_str().unwrap());
    assert_eq!(
        primary["MultiRegionConfiguration"],
        json!({"MultiRegionKeyType": "PRIMARY", "PrimaryKey": {"Arn": arn, "Region": "us-east-1"}, "ReplicaKeys": []})
    );
    let input = json!({
        "KeyId": id,
        "ReplicaRegion": EU,
        "Description": "a replica",
        "Tags": [{"TagKey": "team", "TagValue": "payments"}],
    });
    let replicated = server.ok("ReplicateKey", input.clone()).await;
    let replica_arn = arn.replace("us-east-1", EU);
    let configuration = |kind: &str| {
        json!({
            "MultiRegionKeyType": kind,
            "PrimaryKey": {"Arn": arn, "Region": "us-east-1"},
            "ReplicaKeys": [{"Arn": replica_arn, "Region": EU}],
        })
    };
    let metadata = &replicated["ReplicaKeyMetadata"];
    for (member, value) in [
        ("Arn", json!(replica_arn)),
        ("KeyId", json!(id)),
        ("KeyState", json!("Creating")),
        ("Enabled", json!(false)),
        ("Description", json!("a replica")),
        ("MultiRegion", json!(true)),
        ("CurrentKeyMaterialId", primary["CurrentKeyMaterialId"].clone()),
        ("MultiRegionConfiguration", configuration("REPLICA")),
    ] {
        assert_eq!(metadata[member], value, "{member}");
    }
    assert_eq!(
        replicated["ReplicaTags"],
        json!([{"TagKey": "team", "TagValue": "payments"}])
    );
    let policy: Value = serde_json::from_str(replicated["ReplicaPolicy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Id"], json!("key-default-1"));
    let described = server.ok_in(EU, "DescribeKey", json!({"KeyId": id})).await;
    assert_eq!(
        (
            &described["KeyMetadata"]["KeyState"],
            &described["KeyMetadata"]["MultiRegionConfiguration"]
        ),
        (&json!("Enabled"), &configuration("REPLICA"))
    );
    assert_eq!(
        server.ok("DescribeKey", json!({"KeyId": arn})).await["KeyMetadata"]["MultiRegionConfiguration"],
        configuration("PRIMARY")
    );
    server.refused("ReplicateKey", input, "AlreadyExistsException").await;
    // One seals here, the other opens there; an ARN of the other region is not understood.
    let sealed = server
        .ok("Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0"}))
        .await;
    let input = json!({"CiphertextBlob": sealed["CiphertextBlob"], "KeyId": replica_arn});
    let opened = server.ok_in(EU, "Decrypt", input.clone()).await;
    assert_eq!(
        (&opened["KeyId"], &opened["Plaintext"]),
        (&json!(replica_arn), &json!("c2VjcmV0"))
    );
    assert_eq!(
        server.refused("Decrypt", input, "NotFoundException").await,
        Some(format!("Invalid arn {EU}"))
    );
    assert_eq!(
        server
            .ok("UpdatePrimaryRegion", json!({"KeyId": id, "PrimaryRegion": EU}))
            .await,
        Value::Null
    );
    let said = server
        .refused(
            "RotateKeyOnDemand",
            json!({"KeyId": id}),
            "UnsupportedOperationException",
        )
        .await;
    assert_eq!(said, Some(format!("{arn} is not a multi-Region primary key.")));
    let rotated = server.ok_in(EU, "RotateKeyOnDemand", json!({"KeyId": id})).await;
    assert_eq!(rotated["KeyId"], json!(replica_arn));
    // The primary waits for its replica.
    let scheduled = server
        .ok_in(
            EU,
            "ScheduleKeyDeletion",
            json!({"KeyId": id, "PendingWindowInDays": 8}),
        )
        .await;
    assert_eq!(
        scheduled,
        json!({"KeyId": replica_arn, "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": 8})
    );
    let described = server.ok_in(EU, "DescribeKey", json!({"KeyId": id})).await;
    assert_eq!(described["KeyMetadata"]["PendingDeletionWindowInDays"], json!(8));
    assert!(described["KeyMetadata"].get("DeletionDate").is_none());
}

#[tokio::test]
async fn regions_that_are_none_are_refused_in_awss_words() {
    let server = Harness::start().await;
    let key = server.key().await;
    for (operation, member) in [
        ("ReplicateKey", "ReplicaRegion"),
        ("UpdatePrimaryRegion", "PrimaryRegion"),
    ] {
        let words = format!(
            "1 validation error detected: Value 'Mars' at '{}' failed to satisfy constraint: Member must satisfy regular expression \
             pattern: ^([a-z]+-){{2,3}}\\d+$",
            member.replacen(['R', 'P'], &member[..1].to_lowercase(), 1)
        );
        let said = server
            .refused(operation, json!({"KeyId": key, member: "Mars"}), "ValidationException")
            .await;
        assert_eq!(said, Some(words));
        let said = server
            .refused(
                operation,
                json!({"KeyId": key, member: EU}),
                "UnsupportedOperationException",
            )
            .await;
        assert!(said.unwrap().ends_with("is not a multi-Region primary key."));
    }
}
