use serde_json::{Value, json};

use crate::harness::Harness;

/// "When set to IGNORE_CIPHERTEXT, KMS performs only authorization validation without ciphertext validation."
#[tokio::test]
async fn a_dry_run_may_leave_the_ciphertext_out() {
    let server = Harness::start().await;
    let (key, other) = (server.key().await, server.key().await);
    let dry = |more: Value| {
        let mut input = json!({"DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]});
        if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
            input.extend(more.clone());
        }
        input
    };
    let would_do = Some("The request would have succeeded, but the DryRun option is set.".to_owned());
    for blob in [Value::Null, json!("bm8gY2lwaGVydGV4dA==")] {
        let input = dry(json!({"KeyId": key, "CiphertextBlob": blob}));
        assert_eq!(
            server.refused("Decrypt", input, "DryRunOperationException").await,
            would_do
        );
        let input = dry(json!({"SourceKeyId": key, "DestinationKeyId": other, "CiphertextBlob": blob}));
        assert_eq!(
            server.refused("ReEncrypt", input, "DryRunOperationException").await,
            would_do
        );
    }
    // The key must be named, and be one that would do it.
    server.refused("Decrypt", dry(json!({})), "ValidationException").await;
    server
        .refused(
            "ReEncrypt",
            dry(json!({"DestinationKeyId": other})),
            "ValidationException",
        )
        .await;
    let unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
    server
        .refused("Decrypt", dry(json!({"KeyId": unknown})), "NotFoundException")
        .await;
    server.ok("DisableKey", json!({"KeyId": other})).await;
    server
        .refused("Decrypt", dry(json!({"KeyId": other})), "DisabledException")
        .await;
    let input = dry(json!({"SourceKeyId": key, "DestinationKeyId": other}));
    server.refused("ReEncrypt", input, "DisabledException").await;
    // It is for dry runs alone, and one of AWS's words.
    let missing = "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null";
    for dry_run in [json!(false), Value::Null] {
        let input = json!({"KeyId": key, "DryRun": dry_run, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]});
        let said = server.refused("Decrypt", input, "ValidationException").await;
        assert_eq!(said.as_deref(), Some(missing));
    }
    let input = json!({"KeyId": key, "DryRun": true, "DryRunModifiers": ["IGNORE"]});
    let said = server.refused("Decrypt", input, "ValidationException").await;
    assert!(said.is_some_and(|said| said.starts_with("2 validation errors detected")));
}
