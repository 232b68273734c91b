//! The examples of AWS's pages on conditions and the encryption context.

use bulla_model::policy::{Policy, PolicyKind, default_key_policy};

use crate::decisions::{Case, decision};
use crate::harness::{ACCOUNT, ALICE, KEY, identity_policy, key_policy, keys, request, session, user};

/// Two operations, only where the context says `client_id` = `client_123`.
#[test]
fn a_policy_on_one_client_s_context_opens_that_client_s_data_only() {
    let account = ACCOUNT.parse().expect("an account");
    let key = Policy::parse(PolicyKind::Key, &default_key_policy(&account)).expect("a policy");
    let client = identity_policy(
        r#"{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*",
            "Condition":{"StringEquals":{"kms:EncryptionContext:client_id":"client_123"}}}"#,
    );
    let identity = [("client", &client)];
    let case = Case {
        key_policy: Some(&key),
        identity: &identity,
        ..Case::default()
    };
    let right: &[(&str, &[&str])] = &[("kms:EncryptionContext:client_id", &["client_123"])];
    let wrong: &[(&str, &[&str])] = &[("kms:EncryptionContext:client_id", &["client_124"])];
    let other: &[(&str, &[&str])] = &[("kms:EncryptionContext:client", &["client_123"])];
    // Two pairs whose keys differ by case only: both are the one condition key.
    let both: &[(&str, &[&str])] = &[("kms:EncryptionContext:client_id", &["client_123", "client_124"])];
    for (action, context, expected) in [
        ("kms:Decrypt", right, true),
        ("kms:GenerateDataKey", right, true),
        ("kms:Encrypt", right, false),
        ("kms:GenerateDataKeyWithoutPlaintext", right, false),
        ("kms:Decrypt", wrong, false),
        ("kms:Decrypt", other, false),
        ("kms:Decrypt", both, false),
        ("kms:Decrypt", &[], false),
    ] {
        let allowed = decision(&case, user(ALICE), action, KEY, &keys(context)).is_allowed();
        assert_eq!(allowed, expected, "{action} {context:?}");
    }
}

/// Examples of `conditions-kms`: a key policy's statement, an asker, a request, whether it applies.
#[test]
fn the_examples_of_aws_s_page_on_conditions_decide_as_it_says() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/RoleForExampleApp";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/RoleForExampleApp/s";
    let app = session(SESSION, ROLE);
    let statement = |effect: &str, principal: &str, action: &str, condition: &str| {
        key_policy(&format!(
            r#"{{"Effect":"{effect}","Principal":{{"AWS":"{principal}"}},"Action":{action},"Resource":"*","Condition":{condition}}}"#
        ))
    };
    let exactly_one = r#"{"StringEquals":{"kms:EncryptionContext:AppName":"ExampleApp"},"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["AppName"]}}"#;
    let case_sensitive = r#"{"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"AppName"},"StringEquals":{"kms:EncryptionContext:AppName":"ExampleApp"}}"#;
    let restricted = r#"{"StringEquals":{"kms:EncryptionContext:Stage":["Restricted","Production"]}}"#;
    let any_context = r#"{"Null":{"kms:EncryptionContextKeys":false}}"#;
    let has_app = r#"{"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"AppName"}}"#;
    let algorithm = r#"{"StringNotEquals":{"kms:EncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}"#;
    let via = r#"{"StringEquals":{"kms:ViaService":["ec2.us-west-2.amazonaws.com","rds.us-west-2.amazonaws.com"]}}"#;
    let account =
        r#"{"StringEquals":{"kms:CallerAccount":"111122223333","kms:ViaService":"ec2.us-west-2.amazonaws.com"}}"#;
    let alias = r#"{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/ExampleAlias"}}"#;
    let request_alias = r#"{"StringLike":{"kms:RequestAlias":"alias/finance-key*"}}"#;
    let grants = r#"{"ForAllValues:StringEquals":{"kms:GrantOperations":["Encrypt","Decrypt"]}}"#;
    let aws_resource = r#"{"Bool":{"kms:GrantIsForAWSResource":true}}"#;
    let same_key = r#"{"Bool":{"kms:ReEncryptOnSameKey":true}}"#;
    let window = r#"{"NumericLessThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":"21"}}"#;
    let pair = |app: &'static str| ("kms:EncryptionContext:AppName", app);
    let context = |pairs: &[(&'static str, &'static str)], names: &[&'static str]| {
        let mut all: Vec<(&str, Vec<&str>)> = pairs.iter().map(|(key, value)| (*key, vec![*value])).collect();
        if !names.is_empty() {
            all.push(("kms:EncryptionContextKeys", names.to_vec()));
        }
        let all: Vec<(&str, &[&str])> = all.iter().map(|(key, values)| (*key, &**values)).collect();
        keys(&all)
    };
    let one = |key: &'static str, value: &'static str| keys(&[(key, &[value])]);
    let data_key = "\"kms:GenerateDataKey\"";
    for (name, effect, action, condition, asked, keys, applies) in [
        (
            "one pair",
            "Allow",
            data_key,
            exactly_one,
            "kms:GenerateDataKey",
            context(&[pair("ExampleApp")], &["AppName"]),
            true,
        ),
        (
            "one pair and another",
            "Allow",
            data_key,
            exactly_one,
            "kms:GenerateDataKey",
            context(&[pair("ExampleApp")], &["AppName", "FilePath"]),
            false,
        ),
        (
            "no pair",
            "Allow",
            data_key,
            exactly_one,
            "kms:GenerateDataKey",
            context(&[], &[]),
            false,
        ),
        (
            "the key in another case",
            "Allow",
            data_key,
            case_sensitive,
            "kms:GenerateDataKey",
            context(&[pair("ExampleApp")], &["appname"]),
            false,
        ),
        (
            "the key as it is",
            "Allow",
            data_key,
            case_sensitive,
            "kms:GenerateDataKey",
            context(&[pair("ExampleApp")], &["AppName"]),
            true,
        ),
        (
            "a forbidden stage",
            "Deny",
            data_key,
            restricted,
            "kms:GenerateDataKey",
            one("kms:EncryptionContext:Stage", "Restricted"),
            true,
        ),
        (
            "another stage",
            "Deny",
            data_key,
            restricted,
            "kms:GenerateDataKey",
            one("kms:EncryptionContext:Stage", "Test"),
            false,
        ),
        (
            "no stage",
            "Deny",
            data_key,
            restricted,
            "kms:GenerateDataKey",
            context(&[], &[]),
            false,
        ),
        (
            "any context",
            "Allow",
            data_key,
            any_context,
            "kms:GenerateDataKey",
            context(&[], &["x"]),
            true,
        ),
        (
            "no context",
            "Allow",
            data_key,
            any_context,
            "kms:GenerateDataKey",
            context(&[], &[]),
            false,
        ),
        (
            "a key among others",
            "Allow",
            data_key,
            has_app,
            "kms:GenerateDataKey",
            context(&[], &["AppName", "Project"]),
            true,
        ),
        (
            "others only",
            "Allow",
            data_key,
            has_app,
            "kms:GenerateDataKey",
            context(&[], &["Project"]),
            false,
        ),
        (
            "the algorithm",
            "Deny",
            r#"["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*"]"#,
            algorithm,
            "kms:ReEncryptTo",
            one("kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_1"),
            true,
        ),
        (
            "the right algorithm",
            "Deny",
            r#"["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*"]"#,
            algorithm,
            "kms:Encrypt",
            one("kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_256"),
            false,
        ),
        (
            "directly",
            "Allow",
            "\"kms:*\"",
            via,
            "kms:Decrypt",
            context(&[], &[]),
            false,
        ),
        (
            "via a service",
            "Allow",
            "\"kms:*\"",
            via,
            "kms:Decrypt",
            one("kms:ViaService", "rds.us-west-2.amazonaws.com"),
            true,
        ),
        (
            "half of a condition",
            "Allow",
            "\"kms:*\"",
            account,
            "kms:Decrypt",
            one("kms:CallerAccount", "111122223333"),
            false,
        ),
        (
            "an alias of the key",
            "Allow",
            "\"kms:*\"",
            alias,
            "kms:Decrypt",
            keys(&[("kms:ResourceAliases", &["alias/a", "alias/ExampleAlias"])]),
            true,
        ),
        (
            "no alias",
            "Allow",
            "\"kms:*\"",
            alias,
            "kms:Decrypt",
            context(&[], &[]),
            false,
        ),
        (
            "by the alias",
            "Allow",
            "\"kms:*\"",
            request_alias,
            "kms:Decrypt",
            one("kms:RequestAlias", "alias/finance-key-7"),
            true,
        ),
        (
            "by the id",
            "Allow",
            "\"kms:*\"",
            request_alias,
            "kms:Decrypt",
            context(&[], &[]),
            false,
        ),
        (
            "grants of these",
            "Allow",
            "\"kms:CreateGrant\"",
            grants,
            "kms:CreateGrant",
            one("kms:GrantOperations", "Decrypt"),
            true,
        ),
        (
            "grants of more",
            "Allow",
            "\"kms:CreateGrant\"",
            grants,
            "kms:CreateGrant",
            keys(&[("kms:GrantOperations", &["Decrypt", "CreateGrant"])]),
            false,
        ),
        (
            "a grant of a user",
            "Allow",
            "\"kms:CreateGrant\"",
            aws_resource,
            "kms:CreateGrant",
            one("kms:GrantIsForAWSResource", "false"),
            false,
        ),
        (
            "the same key",
            "Allow",
            "\"kms:ReEncrypt*\"",
            same_key,
            "kms:ReEncryptFrom",
            one("kms:ReEncryptOnSameKey", "true"),
            true,
        ),
        (
            "another key",
            "Allow",
            "\"kms:ReEncrypt*\"",
            same_key,
            "kms:ReEncryptFrom",
            one("kms:ReEncryptOnSameKey", "false"),
            false,
        ),
        (
            "a short window",
            "Deny",
            "\"kms:ScheduleKeyDeletion\"",
            window,
            "kms:ScheduleKeyDeletion",
            one("kms:ScheduleKeyDeletionPendingWindowInDays", "7"),
            true,
        ),
        (
            "a long window",
            "Deny",
            "\"kms:ScheduleKeyDeletion\"",
            window,
            "kms:ScheduleKeyDeletion",
            one("kms:ScheduleKeyDeletionPendingWindowInDays", "30"),
            false,
        ),
    ] {
        let verdict = statement(effect, ROLE, action, condition).evaluate(&request(app, asked, KEY, &keys));
        assert_eq!(verdict.allowed.is_some() || verdict.denied.is_some(), applies, "{name}");
    }
}
