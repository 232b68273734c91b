use serde_json::{Value, json};

use crate::harness::Harness;

fn grantee(server: &Harness) -> String {
    format!("arn:aws:iam::{}:user/app", server.initialised.account)
}

#[tokio::test]
async fn a_grant_is_made_listed_and_ended_over_the_wire() {
    let server = Harness::start().await;
    let (key, app) = (server.key().await, grantee(&server));
    let made = server
        .ok(
            "CreateGrant",
            json!({"KeyId": key, "GranteePrincipal": app, "RetiringPrincipal": app, "Name": "for-app", "Operations": ["Encrypt", "Decrypt"],
                "Constraints": {"EncryptionContextSubset": {"tenant": "a"}}}),
        )
        .await;
    let (id, token) = (&made["GrantId"], &made["GrantToken"]);
    assert_eq!(id.as_str().map(str::len), Some(64));
    let account = server.initialised.account.as_str();
    let entry = json!({
        "KeyId": format!("arn:aws:kms:us-east-1:{account}:key/{key}"), "GrantId": id, "Name": "for-app",
        "CreationDate": 1_767_225_600.0, "GranteePrincipal": app, "RetiringPrincipal": app,
        "IssuingAccount": format!("arn:aws:iam::{account}:root"), "Operations": ["Decrypt", "Encrypt"],
        "Constraints": {"EncryptionContextSubset": {"tenant": "a"}},
    });
    let expected = json!({"Grants": [entry], "Truncated": false});
    assert_eq!(server.ok("ListGrants", json!({"KeyId": key})).await, expected);
    assert_eq!(
        server.ok("ListGrants", json!({"KeyId": key, "GrantId": id})).await,
        expected
    );
    assert_eq!(
        server
            .ok("ListRetirableGrants", json!({"RetiringPrincipal": app}))
            .await,
        expected
    );
    // A token names the grant; and is taken where tokens are.
    server
        .ok(
            "Encrypt",
            json!({"KeyId": key, "Plaintext": "c2VjcmV0", "GrantTokens": [token]}),
        )
        .await;
    let said = server
        .refused(
            "RetireGrant",
            json!({"GrantToken": token, "DryRun": true}),
            "DryRunOperationException",
        )
        .await;
    assert!(said.is_some());
    assert_eq!(
        server.ok("RetireGrant", json!({"GrantToken": token})).await,
        Value::Null
    );
    let made = server
        .ok(
            "CreateGrant",
            json!({"KeyId": key, "GranteePrincipal": app, "Operations": ["Encrypt"]}),
        )
        .await;
    let revoke = json!({"KeyId": key, "GrantId": made["GrantId"]});
    assert_eq!(server.ok("RevokeGrant", revoke.clone()).await, Value::Null);
    server.refused("RevokeGrant", revoke, "NotFoundException").await;
    let none = server.ok("ListGrants", json!({"KeyId": key})).await;
    assert_eq!(none, json!({"Grants": [], "Truncated": false}));
}

#[tokio::test]
async fn grants_are_refused_in_aws_s_words() {
    let server = Harness::start().await;
    let (key, app) = (server.key().await, grantee(&server));
    for (operation, input, code, said) in [
        (
            "CreateGrant",
            json!({"KeyId": key, "GranteePrincipal": app, "Operations": ["Fly"]}),
            "ValidationException",
            "1 validation error detected: Value '[Fly]' at 'operations' failed to satisfy constraint",
        ),
        (
            "CreateGrant",
            json!({"KeyId": key, "GranteePrincipal": app}),
            "ValidationException",
            "1 validation error detected: Value null at 'operations' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateGrant",
            json!({"KeyId": key, "Operations": ["Encrypt"]}),
            "ValidationException",
            "You must specify either GranteePrincipal or GranteeServicePrincipal, but not both.",
        ),
        (
            "CreateGrant",
            json!({"KeyId": key, "GranteePrincipal": app, "Operations": ["CreateGrant"]}),
            "ValidationException",
            "Grants must not contain only the CreateGrant operation.",
        ),
        (
            "CreateGrant",
            json!({"KeyId": key, "GranteeServicePrincipal": "sns.us-east-1.amazonaws.com", "Operations": ["Encrypt"]}),
            "UnsupportedOperationException",
            "Grants to services of AWS",
        ),
        (
            "CreateGrant",
            json!({"KeyId": key, "GranteePrincipal": "bob", "Operations": ["Encrypt"]}),
            "InvalidArnException",
            "ARN does not refer to a valid principal: bob",
        ),
        (
            "RevokeGrant",
            json!({"KeyId": key, "GrantId": "x"}),
            "InvalidGrantIdException",
            "Invalid grant ID x",
        ),
        (
            "RetireGrant",
            json!({}),
            "ValidationException",
            "You must specify either a grant token",
        ),
    ] {
        let message = server.refused(operation, input.clone(), code).await.unwrap_or_default();
        assert!(message.starts_with(said), "{operation} {input}: {message}");
    }
    // The reason stays inside.
    for (operation, input) in [
        ("RetireGrant", json!({"GrantToken": "AQpA"})),
        (
            "Encrypt",
            json!({"KeyId": key, "Plaintext": "c2VjcmV0", "GrantTokens": ["AQpA"]}),
        ),
    ] {
        assert_eq!(
            server.refused(operation, input, "InvalidGrantTokenException").await,
            None
        );
    }
}
