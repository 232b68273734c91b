use serde_json::{Value, json};

use crate::harness::Harness;

#[tokio::test]
async fn a_key_policy_is_read_written_and_listed_over_the_wire() {
    let server = Harness::start().await;
    let key = server.key().await;
    let default = server.ok("GetKeyPolicy", json!({"KeyId": key})).await;
    assert_eq!(default["PolicyName"], "default");
    let policy: Value = serde_json::from_str(default["Policy"].as_str().expect("a document")).expect("JSON");
    assert_eq!(policy["Id"], "key-default-1");
    let account = server.initialised.account.as_str();
    assert_eq!(
        policy["Statement"][0]["Principal"]["AWS"],
        format!("arn:aws:iam::{account}:root")
    );
    let other = default["Policy"]
        .as_str()
        .expect("a document")
        .replace("key-default-1", "mine");
    let put = json!({"KeyId": key, "PolicyName": "default", "Policy": other});
    assert_eq!(server.ok("PutKeyPolicy", put).await, Value::Null);
    let read = server
        .ok("GetKeyPolicy", json!({"KeyId": key, "PolicyName": "default"}))
        .await;
    assert_eq!(read["Policy"], json!(other));
    let listed = server.ok("ListKeyPolicies", json!({"KeyId": key})).await;
    assert_eq!(listed, json!({"PolicyNames": ["default"], "Truncated": false}));
    let made = server.ok("CreateKey", json!({"Policy": other})).await;
    let id = &made["KeyMetadata"]["KeyId"];
    assert_eq!(
        server.ok("GetKeyPolicy", json!({"KeyId": id})).await["Policy"],
        json!(other)
    );
}

#[tokio::test]
async fn key_policies_are_refused_in_aws_s_words() {
    let server = Harness::start().await;
    let key = server.key().await;
    let locked_out = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*"}}"#;
    for (input, code, said) in [
        (
            json!({"KeyId": key, "Policy": locked_out}),
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        ),
        (
            json!({"KeyId": key, "Policy": "{\"Statement\":[{\"Effect\":\"Allow\"}]}"}),
            "MalformedPolicyDocumentException",
            "Missing required field Principal (at /Statement/0)",
        ),
        (
            json!({"KeyId": key, "Policy": locked_out, "PolicyName": "AWS_RAM"}),
            "ValidationException",
            "The AWS_RAM policy can only be managed by the RAM service.",
        ),
        (
            json!({"KeyId": key, "Policy": locked_out, "PolicyName": "mine"}),
            "NotFoundException",
            "No such policy exists",
        ),
        (
            json!({"KeyId": "alias/x", "Policy": locked_out}),
            "InvalidArnException",
            "Key Aliases are not supported for this operation.",
        ),
        (
            json!({"KeyId": key}),
            "ValidationException",
            "1 validation error detected: Value null at 'policy' failed to satisfy constraint: Member must not be null",
        ),
    ] {
        let message = server.refused("PutKeyPolicy", input.clone(), code).await;
        assert_eq!(message.as_deref(), Some(said), "{input}");
    }
    let bypassing = json!({"KeyId": key, "Policy": locked_out, "BypassPolicyLockoutSafetyCheck": true});
    server.ok("PutKeyPolicy", bypassing).await;
    let account = server.initialised.account.as_str();
    let said = server
        .refused("DescribeKey", json!({"KeyId": key}), "AccessDeniedException")
        .await;
    let expected = format!(
        "User: arn:aws:iam::{account}:user/admin is not authorized to perform: kms:DescribeKey on resource: \
         arn:aws:kms:us-east-1:{account}:key/{key} because no resource-based policy allows the kms:DescribeKey action"
    );
    assert_eq!(said, Some(expected));
    server
        .ok("Encrypt", json!({"KeyId": key, "Plaintext": "c2VjcmV0"}))
        .await;
}
