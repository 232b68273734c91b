//! Every condition key, with an operation whose request fills it: allowed where its value is right, denied where it is another.

use serde_json::{Value, json};

use crate::calls::made;
use crate::harness::Harness;

/// A condition key, the operation, what of its call is changed, the operator, the right value and a wrong one.
type Row = (&'static str, &'static str, Value, &'static str, Value, Value);

/// What no request here has: no service of AWS calls, and no enclave.
const NEVER: [&str; 5] = [
    "kms:ViaService",
    "kms:RecipientAttestation:ImageSha384",
    "kms:RecipientAttestation:PCR0",
    "kms:RecipientAttestation:PCR8",
    "aws:SourceVpce",
];

fn rows(account: &str) -> Vec<Row> {
    let is = "StringEquals";
    let app = format!("arn:aws:iam::{account}:user/app");
    let constraints = |kind: &str| json!({ "Constraints": { kind: {"tenant": "a"} } });
    let tags = json!({"Tags": [{"TagKey": "stage", "TagValue": "test"}]});
    let none = json!({});
    vec![
        (
            "kms:EncryptionContext:tenant",
            "Encrypt",
            none.clone(),
            is,
            json!("a"),
            json!("b"),
        ),
        (
            "kms:EncryptionContext:tenant",
            "GenerateDataKeyPair",
            none.clone(),
            is,
            json!("a"),
            json!("b"),
        ),
        (
            "kms:EncryptionContextKeys",
            "Decrypt",
            none.clone(),
            "ForAllValues:StringEquals",
            json!(["tenant"]),
            json!(["Tenant"]),
        ),
        (
            "kms:CallerAccount",
            "DescribeKey",
            none.clone(),
            is,
            json!(account),
            json!("444455556666"),
        ),
        (
            "kms:KeySpec",
            "Sign",
            none.clone(),
            is,
            json!("ECC_NIST_P256"),
            json!("RSA_2048"),
        ),
        (
            "kms:KeySpec",
            "CreateKey",
            none.clone(),
            is,
            json!("SYMMETRIC_DEFAULT"),
            json!("RSA_2048"),
        ),
        (
            "kms:KeyUsage",
            "GenerateMac",
            none.clone(),
            is,
            json!("GENERATE_VERIFY_MAC"),
            json!("SIGN_VERIFY"),
        ),
        (
            "kms:KeyUsage",
            "CreateKey",
            none.clone(),
            is,
            json!("ENCRYPT_DECRYPT"),
            json!("SIGN_VERIFY"),
        ),
        (
            "kms:KeyOrigin",
            "ImportKeyMaterial",
            none.clone(),
            is,
            json!("EXTERNAL"),
            json!("AWS_KMS"),
        ),
        (
            "kms:KeyOrigin",
            "CreateKey",
            none.clone(),
            is,
            json!("AWS_KMS"),
            json!("EXTERNAL"),
        ),
        (
            "kms:MultiRegion",
            "UpdatePrimaryRegion",
            none.clone(),
            "Bool",
            json!(true),
            json!(false),
        ),
        (
            "kms:MultiRegion",
            "CreateKey",
            none.clone(),
            "Bool",
            json!(false),
            json!(true),
        ),
        (
            "kms:PrimaryRegion",
            "UpdatePrimaryRegion",
            none.clone(),
            is,
            json!("eu-west-1"),
            json!("us-east-1"),
        ),
        (
            "kms:GrantOperations",
            "CreateGrant",
            none.clone(),
            "ForAllValues:StringEquals",
            json!(["Encrypt"]),
            json!(["Decrypt"]),
        ),
        (
            "kms:GranteePrincipal",
            "CreateGrant",
            none.clone(),
            is,
            json!("arn:aws:iam::000000000000:user/app"),
            json!(app),
        ),
        (
            "kms:RetiringPrincipal",
            "CreateGrant",
            json!({ "RetiringPrincipal": app }),
            is,
            json!(app),
            json!("arn:aws:iam::000000000000:user/app"),
        ),
        (
            "kms:GrantIsForAWSResource",
            "CreateGrant",
            none.clone(),
            "Bool",
            json!(false),
            json!(true),
        ),
        (
            "kms:GrantIsForAWSResource",
            "ListGrants",
            none.clone(),
            "Bool",
            json!(false),
            json!(true),
        ),
        (
            "kms:GrantIsForAWSResource",
            "RevokeGrant",
            none.clone(),
            "Bool",
            json!(false),
            json!(true),
        ),
        (
            "kms:GrantConstraintType",
            "CreateGrant",
            constraints("EncryptionContextSubset"),
            is,
            json!("EncryptionContextSubset"),
            json!("EncryptionContextEquals"),
        ),
        (
            "kms:EncryptionContext:tenant",
            "CreateGrant",
            constraints("EncryptionContextEquals"),
            is,
            json!("a"),
            json!("b"),
        ),
        (
            "kms:EncryptionAlgorithm",
            "Encrypt",
            none.clone(),
            is,
            json!("SYMMETRIC_DEFAULT"),
            json!("RSAES_OAEP_SHA_256"),
        ),
        (
            "kms:EncryptionAlgorithm",
            "ReEncrypt",
            none.clone(),
            is,
            json!("SYMMETRIC_DEFAULT"),
            json!("RSAES_OAEP_SHA_256"),
        ),
        (
            "kms:SigningAlgorithm",
            "Sign",
            none.clone(),
            is,
            json!("ECDSA_SHA_256"),
            json!("ECDSA_SHA_384"),
        ),
        (
            "kms:SigningAlgorithm",
            "Verify",
            none.clone(),
            is,
            json!("ECDSA_SHA_256"),
            json!("ECDSA_SHA_384"),
        ),
        (
            "kms:MessageType",
            "Sign",
            none.clone(),
            is,
            json!("RAW"),
            json!("DIGEST"),
        ),
        (
            "kms:MessageType",
            "Verify",
            json!({"MessageType": "RAW"}),
            is,
            json!("RAW"),
            json!("DIGEST"),
        ),
        (
            "kms:MacAlgorithm",
            "GenerateMac",
            none.clone(),
            is,
            json!("HMAC_SHA_256"),
            json!("HMAC_SHA_512"),
        ),
        (
            "kms:MacAlgorithm",
            "VerifyMac",
            none.clone(),
            is,
            json!("HMAC_SHA_256"),
            json!("HMAC_SHA_512"),
        ),
        (
            "kms:KeyAgreementAlgorithm",
            "DeriveSharedSecret",
            none.clone(),
            is,
            json!("ECDH"),
            json!("DH"),
        ),
        (
            "kms:DataKeyPairSpec",
            "GenerateDataKeyPair",
            none.clone(),
            is,
            json!("ECC_NIST_P256"),
            json!("RSA_2048"),
        ),
        (
            "kms:ReEncryptOnSameKey",
            "ReEncrypt",
            none.clone(),
            "Bool",
            json!(false),
            json!(true),
        ),
        (
            "kms:WrappingAlgorithm",
            "GetParametersForImport",
            none.clone(),
            is,
            json!("RSAES_OAEP_SHA_256"),
            json!("RSAES_OAEP_SHA_1"),
        ),
        (
            "kms:WrappingKeySpec",
            "GetParametersForImport",
            none.clone(),
            is,
            json!("RSA_2048"),
            json!("RSA_4096"),
        ),
        (
            "kms:ExpirationModel",
            "ImportKeyMaterial",
            none.clone(),
            is,
            json!("KEY_MATERIAL_DOES_NOT_EXPIRE"),
            json!("KEY_MATERIAL_EXPIRES"),
        ),
        (
            "kms:ValidTo",
            "ImportKeyMaterial",
            json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 1_767_312_000}),
            "DateLessThan",
            json!("2026-01-03T00:00:00Z"),
            json!("2026-01-01T00:00:00Z"),
        ),
        (
            "kms:ScheduleKeyDeletionPendingWindowInDays",
            "ScheduleKeyDeletion",
            none.clone(),
            "NumericEquals",
            json!(30),
            json!(7),
        ),
        (
            "kms:RotationPeriodInDays",
            "EnableKeyRotation",
            none.clone(),
            "NumericEquals",
            json!(365),
            json!(90),
        ),
        (
            "kms:BypassPolicyLockoutSafetyCheck",
            "PutKeyPolicy",
            json!({"BypassPolicyLockoutSafetyCheck": true}),
            "Bool",
            json!(true),
            json!(false),
        ),
        (
            "aws:RequestTag/stage",
            "TagResource",
            tags.clone(),
            is,
            json!("test"),
            json!("live"),
        ),
        (
            "aws:TagKeys",
            "UntagResource",
            none.clone(),
            "ForAllValues:StringEquals",
            json!(["stage"]),
            json!(["team"]),
        ),
        (
            "aws:ResourceTag/team",
            "Encrypt",
            none.clone(),
            is,
            json!("red"),
            json!("blue"),
        ),
        (
            "aws:ResourceAccount",
            "Encrypt",
            none.clone(),
            is,
            json!(account),
            json!("444455556666"),
        ),
        (
            "aws:PrincipalArn",
            "GenerateRandom",
            none.clone(),
            "ArnLike",
            json!("arn:aws:iam::*:user/app"),
            json!("arn:aws:iam::*:user/ann"),
        ),
        (
            "aws:PrincipalAccount",
            "GenerateRandom",
            none.clone(),
            is,
            json!(account),
            json!("444455556666"),
        ),
        (
            "aws:PrincipalType",
            "GenerateRandom",
            none.clone(),
            is,
            json!("User"),
            json!("Account"),
        ),
        (
            "aws:username",
            "GenerateRandom",
            none.clone(),
            is,
            json!("app"),
            json!("ann"),
        ),
        (
            "aws:RequestedRegion",
            "GenerateRandom",
            none.clone(),
            is,
            json!("us-east-1"),
            json!("eu-west-1"),
        ),
        (
            "aws:SourceIp",
            "ListKeys",
            none.clone(),
            "IpAddress",
            json!("127.0.0.1/32"),
            json!("192.0.2.0/24"),
        ),
        (
            "aws:CurrentTime",
            "ListKeys",
            none.clone(),
            "DateLessThan",
            json!("2026-01-02T00:00:00Z"),
            json!("2026-01-01T00:00:00Z"),
        ),
        (
            "aws:EpochTime",
            "ListKeys",
            none.clone(),
            "NumericLessThan",
            json!(1_767_312_000),
            json!(1_767_225_600),
        ),
        // This listener speaks plain HTTP; over TLS see the tests of TLS.
        (
            "aws:SecureTransport",
            "ListKeys",
            none,
            "Bool",
            json!(false),
            json!(true),
        ),
    ]
}

fn merged(mut input: Value, more: &Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn every_condition_key_is_filled_from_the_request_that_has_it() {
    let server = Harness::start().await;
    let account = server.initialised.account.clone();
    let app = server.person(&account, "app").await;
    let mut found = Vec::new();
    for (key, operation, more, operator, right, wrong) in rows(account.as_str()) {
        for (value, expected) in [(wrong, false), (right, true)] {
            let call = made(&server, operation).await;
            let condition = json!({ operator: { key: value } });
            let statement = json!({"Effect": "Allow", "Action": call.actions, "Resource": "*", "Condition": condition});
            server.give(&app, &json!([statement])).await;
            let (code, message) = server.send_as(&app, operation, &merged(call.input, &more)).await.said();
            let as_expected = if expected {
                code == call.allowed
            } else {
                code == "AccessDeniedException"
            };
            if !as_expected {
                found.push(format!("{key} = {value} in {operation}: {code} {message}"));
            }
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn how_a_request_names_its_key_is_a_condition() {
    let server = Harness::start().await;
    let account = server.initialised.account.clone();
    let app = server.person(&account, "app").await;
    let call = made(&server, "DeleteAlias").await;
    let (name, key) = (&call.input["AliasName"], json!(call.keys[0]));
    let multi_region = json!(made(&server, "UpdatePrimaryRegion").await.keys[0]);
    let any = "ForAnyValue:StringEquals";
    for (condition, named, expected) in [
        (json!({"StringEquals": {"kms:RequestAlias": name}}), name, "ok"),
        (
            json!({"StringEquals": {"kms:RequestAlias": "alias/other"}}),
            name,
            "AccessDeniedException",
        ),
        (
            json!({"StringEquals": {"kms:RequestAlias": name}}),
            &key,
            "AccessDeniedException",
        ),
        (json!({ any: {"kms:ResourceAliases": name} }), &key, "ok"),
        (
            json!({ any: {"kms:ResourceAliases": "alias/other"} }),
            &key,
            "AccessDeniedException",
        ),
        (
            json!({"StringEquals": {"kms:MultiRegionKeyType": "PRIMARY"}}),
            &multi_region,
            "ok",
        ),
        (
            json!({"StringEquals": {"kms:MultiRegionKeyType": "REPLICA"}}),
            &multi_region,
            "AccessDeniedException",
        ),
        (json!({"Null": {"kms:MultiRegionKeyType": "true"}}), &key, "ok"),
    ] {
        let statement =
            json!({"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*", "Condition": condition});
        server.give(&app, &json!([statement])).await;
        let (code, message) = server
            .send_as(&app, "DescribeKey", &json!({ "KeyId": named }))
            .await
            .said();
        assert_eq!(code, expected, "{condition} {named}: {message}");
    }
}

#[tokio::test]
async fn what_no_request_here_has_is_never_there() {
    let server = Harness::start().await;
    let account = server.initialised.account.clone();
    let app = server.person(&account, "app").await;
    let call = made(&server, "Decrypt").await;
    for key in NEVER {
        for (condition, expected) in [
            (json!({"Null": {key: "true"}}), "ok"),
            (json!({"StringLike": {key: "*"}}), "AccessDeniedException"),
            (json!({"StringEqualsIfExists": {key: "x"}}), "ok"),
        ] {
            let statement =
                json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": condition});
            server.give(&app, &json!([statement])).await;
            let (code, message) = server.send_as(&app, "Decrypt", &call.input).await.said();
            assert_eq!(code, expected, "{condition}: {message}");
        }
    }
}
