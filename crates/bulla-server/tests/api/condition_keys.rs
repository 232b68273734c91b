//! Every condition key, with an operation whose request fills it: allowed where its value is right, denied where it is another.

use serde_json::{Value, json};

use crate::calls::made;
use crate::harness::Harness;

/// A condition key, with the right value and a wrong one.
struct Row {
    key: &'static str,
    operation: &'static str,
    /// What of the operation's call is changed.
    with: Value,
    operator: &'static str,
    right: Value,
    wrong: Value,
}

macro_rules! rows {
    (@with) => { json!({}) };
    (@with $with:tt) => { json!($with) };
    ($($key:literal in $operation:literal $(with $with:tt)?: $operator:literal $right:tt not $wrong:tt;)*) => {
        vec![$(Row {
            key: $key,
            operation: $operation,
            with: rows!(@with $($with)?),
            operator: $operator,
            right: json!($right),
            wrong: json!($wrong),
        }),*]
    };
}

/// What no request here has: no service of AWS calls, and no enclave.
const NEVER: [&str; 5] = [
    "kms:ViaService",
    "kms:RecipientAttestation:ImageSha384",
    "kms:RecipientAttestation:PCR0",
    "kms:RecipientAttestation:PCR8",
    "aws:SourceVpce",
];

fn rows(account: &str) -> Vec<Row> {
    let app = format!("arn:aws:iam::{account}:user/app");
    rows! {
        "kms:EncryptionContext:tenant" in "Encrypt": "StringEquals" "a" not "b";
        "kms:EncryptionContext:tenant" in "GenerateDataKeyPair": "StringEquals" "a" not "b";
        "kms:EncryptionContextKeys" in "Decrypt": "ForAllValues:StringEquals" ["tenant"] not ["Tenant"];
        "kms:CallerAccount" in "DescribeKey": "StringEquals" account not "444455556666";
        "kms:KeySpec" in "Sign": "StringEquals" "ECC_NIST_P256" not "RSA_2048";
        "kms:KeySpec" in "CreateKey": "StringEquals" "SYMMETRIC_DEFAULT" not "RSA_2048";
        "kms:KeyUsage" in "GenerateMac": "StringEquals" "GENERATE_VERIFY_MAC" not "SIGN_VERIFY";
        "kms:KeyUsage" in "CreateKey": "StringEquals" "ENCRYPT_DECRYPT" not "SIGN_VERIFY";
        "kms:KeyOrigin" in "ImportKeyMaterial": "StringEquals" "EXTERNAL" not "AWS_KMS";
        "kms:KeyOrigin" in "CreateKey": "StringEquals" "AWS_KMS" not "EXTERNAL";
        "kms:MultiRegion" in "UpdatePrimaryRegion": "Bool" true not false;
        "kms:MultiRegion" in "CreateKey": "Bool" false not true;
        "kms:PrimaryRegion" in "UpdatePrimaryRegion": "StringEquals" "eu-west-1" not "us-east-1";
        "kms:GrantOperations" in "CreateGrant": "ForAllValues:StringEquals" ["Encrypt"] not ["Decrypt"];
        "kms:GranteePrincipal" in "CreateGrant": "StringEquals" "arn:aws:iam::000000000000:user/app" not app;
        "kms:RetiringPrincipal" in "CreateGrant" with {"RetiringPrincipal": app}: "StringEquals" app
            not "arn:aws:iam::000000000000:user/app";
        "kms:GrantIsForAWSResource" in "CreateGrant": "Bool" false not true;
        "kms:GrantIsForAWSResource" in "ListGrants": "Bool" false not true;
        "kms:GrantIsForAWSResource" in "RevokeGrant": "Bool" false not true;
        "kms:GrantConstraintType" in "CreateGrant" with {"Constraints": {"EncryptionContextSubset": {"tenant": "a"}}}: "StringEquals" "EncryptionContextSubset"
            not "EncryptionContextEquals";
        "kms:EncryptionContext:tenant" in "CreateGrant" with {"Constraints": {"EncryptionContextEquals": {"tenant": "a"}}}: "StringEquals" "a"
            not "b";
        "kms:EncryptionAlgorithm" in "Encrypt": "StringEquals" "SYMMETRIC_DEFAULT" not "RSAES_OAEP_SHA_256";
        "kms:EncryptionAlgorithm" in "ReEncrypt": "StringEquals" "SYMMETRIC_DEFAULT" not "RSAES_OAEP_SHA_256";
        "kms:SigningAlgorithm" in "Sign": "StringEquals" "ECDSA_SHA_256" not "ECDSA_SHA_384";
        "kms:SigningAlgorithm" in "Verify": "StringEquals" "ECDSA_SHA_256" not "ECDSA_SHA_384";
        "kms:MessageType" in "Sign": "StringEquals" "RAW" not "DIGEST";
        "kms:MessageType" in "Verify" with {"MessageType": "RAW"}: "StringEquals" "RAW" not "DIGEST";
        "kms:MacAlgorithm" in "GenerateMac": "StringEquals" "HMAC_SHA_256" not "HMAC_SHA_512";
        "kms:MacAlgorithm" in "VerifyMac": "StringEquals" "HMAC_SHA_256" not "HMAC_SHA_512";
        "kms:KeyAgreementAlgorithm" in "DeriveSharedSecret": "StringEquals" "ECDH" not "DH";
        "kms:DataKeyPairSpec" in "GenerateDataKeyPair": "StringEquals" "ECC_NIST_P256" not "RSA_2048";
        "kms:ReEncryptOnSameKey" in "ReEncrypt": "Bool" false not true;
        "kms:WrappingAlgorithm" in "GetParametersForImport": "StringEquals" "RSAES_OAEP_SHA_256" not "RSAES_OAEP_SHA_1";
        "kms:WrappingKeySpec" in "GetParametersForImport": "StringEquals" "RSA_2048" not "RSA_4096";
        "kms:ExpirationModel" in "ImportKeyMaterial": "StringEquals" "KEY_MATERIAL_DOES_NOT_EXPIRE"
            not "KEY_MATERIAL_EXPIRES";
        "kms:ValidTo" in "ImportKeyMaterial" with {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 1_767_312_000}: "DateLessThan" "2026-01-03T00:00:00Z"
            not "2026-01-01T00:00:00Z";
        "kms:ScheduleKeyDeletionPendingWindowInDays" in "ScheduleKeyDeletion": "NumericEquals" 30 not 7;
        "kms:RotationPeriodInDays" in "EnableKeyRotation": "NumericEquals" 365 not 90;
        "kms:BypassPolicyLockoutSafetyCheck" in "PutKeyPolicy" with {"BypassPolicyLockoutSafetyCheck": true}: "Bool" true
            not false;
        "aws:RequestTag/stage" in "TagResource" with {"Tags": [{"TagKey": "stage", "TagValue": "test"}]}: "StringEquals" "test"
            not "live";
        "aws:TagKeys" in "UntagResource": "ForAllValues:StringEquals" ["stage"] not ["team"];
        "aws:ResourceTag/team" in "Encrypt": "StringEquals" "red" not "blue";
        "aws:ResourceAccount" in "Encrypt": "StringEquals" account not "444455556666";
        "aws:PrincipalTag/floor" in "GenerateRandom": "StringEquals" "3" not "4";
        "aws:PrincipalArn" in "GenerateRandom": "ArnLike" "arn:aws:iam::*:user/app" not "arn:aws:iam::*:user/ann";
        "aws:PrincipalAccount" in "GenerateRandom": "StringEquals" account not "444455556666";
        "aws:PrincipalType" in "GenerateRandom": "StringEquals" "User" not "Account";
        "aws:username" in "GenerateRandom": "StringEquals" "app" not "ann";
        "aws:RequestedRegion" in "GenerateRandom": "StringEquals" "us-east-1" not "eu-west-1";
        "aws:SourceIp" in "ListKeys": "IpAddress" "127.0.0.1/32" not "192.0.2.0/24";
        "aws:CurrentTime" in "ListKeys": "DateLessThan" "2026-01-02T00:00:00Z" not "2026-01-01T00:00:00Z";
        "aws:EpochTime" in "ListKeys": "NumericLessThan" 1_767_312_000 not 1_767_225_600;
        // This listener speaks plain HTTP; over TLS see the tests of TLS.
        "aws:SecureTransport" in "ListKeys": "Bool" false not true;
    }
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
    let tags = [("Floor".to_owned(), "3".to_owned())];
    let operator = server.operator_of(&account);
    let tagged = server.service.tag_principal(&operator, app.arn.clone(), tags.into());
    tagged.await.unwrap();
    let mut found = Vec::new();
    for row in rows(account.as_str()) {
        let (key, operation) = (row.key, row.operation);
        for (value, expected) in [(row.wrong, false), (row.right, true)] {
            let call = made(&server, operation).await;
            let condition = json!({ row.operator: { key: value } });
            let statement = json!({"Effect": "Allow", "Action": call.actions, "Resource": "*", "Condition": condition});
            server.give(&app, &json!([statement])).await;
            let (code, message) = server
                .send_as(&app, operation, &merged(call.input, &row.with))
                .await
                .said();
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
