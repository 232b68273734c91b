//! Who decides: explicit denials, the key policy, delegation to the account, identity policies, roles, grants, two accounts; and the
//! examples of AWS's pages on key policies and the encryption context.

use bulla_model::policy::{
    Asker, Decision, Outcome, Policy, PolicyKind, Reason, Side, Sides, decide, default_key_policy,
};

use crate::harness::{ACCOUNT, ALICE, KEY, Keys, identity_policy, key_policy, keys, request, session, user};

const STRANGER: &str = "arn:aws:iam::444455556666:user/ExampleUser";

#[derive(Default)]
struct Case<'a> {
    key_policy: Option<&'a Policy>,
    identity: &'a [(&'a str, &'a Policy)],
    role: Option<&'static str>,
    grant: Option<&'static str>,
}

fn decision(case: &Case<'_>, asker: Asker<'_>, action: &str, resource: &str, keys: &Keys) -> Decision {
    let grant = || case.grant.map(str::to_owned);
    let sides = Sides {
        resource_account: ACCOUNT,
        resource_policy: case.key_policy,
        identity: case.identity,
        role: case.role,
        grant: Some(&grant),
    };
    decide(&request(asker, action, resource, keys), &sides)
}

fn outcome(case: &Case<'_>, asker: Asker<'_>) -> Outcome {
    decision(case, asker, "kms:Decrypt", KEY, &Keys::default()).outcome
}

#[test]
fn the_ways_to_be_allowed_or_not_are_a_table() {
    let root = key_policy(r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#);
    let himself = key_policy(
        r#"{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:user/alice","arn:aws:iam::444455556666:user/ExampleUser"]},
            "Action":"kms:*","Resource":"*"}"#,
    );
    let other_account =
        key_policy(r#"{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:*","Resource":"*"}"#);
    let denies = key_policy(
        r#"[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},
            {"Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}]"#,
    );
    let silent = key_policy(r#"{"Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*"}"#);
    let may = identity_policy(r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}"#);
    let may_not = identity_policy(r#"{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}"#);
    let (alice, stranger, account) = (user(ALICE), user(STRANGER), user("arn:aws:iam::111122223333:root"));
    let (none, yes, no) = ([], [("may", &may)], [("may", &may), ("may-not", &may_not)]);
    use Outcome::{Allowed, Denied, NotAllowed};
    let key = |policy| Some(policy);
    for (name, asker, key_policy, identity, role, grant, expected) in [
        (
            "delegated and allowed",
            alice,
            key(&root),
            &yes[..],
            None,
            None,
            Allowed,
        ),
        (
            "delegated only",
            alice,
            key(&root),
            &none[..],
            None,
            None,
            NotAllowed(Side::Identity),
        ),
        (
            "delegated to a role of Bulla",
            alice,
            key(&root),
            &none,
            Some("admin"),
            None,
            Allowed,
        ),
        (
            "delegated, and a grant",
            alice,
            key(&root),
            &none,
            None,
            Some("g"),
            Allowed,
        ),
        ("the account itself", account, key(&root), &none, None, None, Allowed),
        ("the key policy alone", alice, key(&himself), &none, None, None, Allowed),
        (
            "an identity policy alone",
            alice,
            key(&silent),
            &yes,
            None,
            None,
            NotAllowed(Side::Resource),
        ),
        (
            "a role alone",
            alice,
            key(&silent),
            &none,
            Some("admin"),
            None,
            NotAllowed(Side::Resource),
        ),
        ("a grant alone", alice, key(&silent), &none, None, Some("g"), Allowed),
        (
            "the key policy denies",
            alice,
            key(&denies),
            &yes,
            Some("admin"),
            Some("g"),
            Denied(Side::Resource),
        ),
        (
            "an identity policy denies",
            alice,
            key(&himself),
            &no,
            Some("admin"),
            Some("g"),
            Denied(Side::Identity),
        ),
        (
            "nothing",
            alice,
            key(&silent),
            &none,
            None,
            None,
            NotAllowed(Side::Resource),
        ),
        (
            "another account: both",
            stranger,
            key(&himself),
            &yes,
            None,
            None,
            Allowed,
        ),
        (
            "another account: both, by its account",
            stranger,
            key(&other_account),
            &yes,
            None,
            None,
            Allowed,
        ),
        (
            "another account: its administrator",
            stranger,
            key(&other_account),
            &none,
            Some("admin"),
            None,
            Allowed,
        ),
        (
            "another account: key policy only",
            stranger,
            key(&himself),
            &none,
            None,
            None,
            NotAllowed(Side::Identity),
        ),
        (
            "another account: identity only",
            stranger,
            key(&root),
            &yes,
            None,
            None,
            NotAllowed(Side::Resource),
        ),
        (
            "another account: administrator only",
            stranger,
            key(&root),
            &none,
            Some("admin"),
            None,
            NotAllowed(Side::Resource),
        ),
        (
            "another account: a grant",
            stranger,
            key(&root),
            &none,
            None,
            Some("g"),
            Allowed,
        ),
        (
            "another account: denied at home",
            stranger,
            key(&himself),
            &no,
            None,
            Some("g"),
            Denied(Side::Identity),
        ),
        ("no resource: identity", alice, None, &yes, None, None, Allowed),
        ("no resource: role", alice, None, &none, Some("admin"), None, Allowed),
        (
            "no resource: nothing; grants are of keys",
            alice,
            None,
            &none,
            None,
            Some("g"),
            NotAllowed(Side::Identity),
        ),
        (
            "no resource: denied",
            alice,
            None,
            &no,
            Some("admin"),
            None,
            Denied(Side::Identity),
        ),
    ] {
        let identity: Vec<(&str, &Policy)> = identity.iter().map(|(name, policy)| (*name, *policy)).collect();
        let case = Case {
            key_policy,
            identity: &identity,
            role,
            grant,
        };
        assert_eq!(outcome(&case, asker), expected, "{name}");
    }
}

#[test]
fn a_decision_names_what_decided() {
    let key = key_policy(
        r#"[{"Sid":"Account","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
            {"Sid":"NoDelete","Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*"}]"#,
    );
    let may = identity_policy(
        r#"[{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"},{"Sid":"use","Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]"#,
    );
    let identity = [("usage", &may)];
    let case = Case {
        key_policy: Some(&key),
        identity: &identity,
        grant: Some("f00d"),
        ..Case::default()
    };
    let by = |action: &str| decision(&case, user(ALICE), action, KEY, &Keys::default()).by;
    let account = Reason::ResourcePolicy {
        statement: 0,
        sid: Some("Account".into()),
    };
    let usage = Reason::IdentityPolicy {
        policy: "usage".into(),
        statement: 1,
        sid: Some("use".into()),
    };
    assert_eq!(by("kms:Decrypt"), [account, usage]);
    let denied = Reason::ResourcePolicy {
        statement: 1,
        sid: Some("NoDelete".into()),
    };
    assert_eq!(by("kms:ScheduleKeyDeletion"), [denied]);
    assert_eq!(by("kms:DescribeKey"), [Reason::Grant("f00d".into())]);
}

/// The texts of `troubleshoot_access-denied`.
#[test]
fn denials_are_in_aws_s_words() {
    for (outcome, ending) in [
        (
            Outcome::NotAllowed(Side::Identity),
            "because no identity-based policy allows the kms:Decrypt action",
        ),
        (
            Outcome::NotAllowed(Side::Resource),
            "because no resource-based policy allows the kms:Decrypt action",
        ),
        (
            Outcome::Denied(Side::Identity),
            "with an explicit deny in an identity-based policy",
        ),
        (
            Outcome::Denied(Side::Resource),
            "with an explicit deny in a resource-based policy",
        ),
    ] {
        let decision = Decision {
            outcome,
            by: Vec::new(),
        };
        let expected = format!("User: {ALICE} is not authorized to perform: kms:Decrypt on resource: {KEY} {ending}");
        assert_eq!(decision.denial(ALICE, "kms:Decrypt", KEY), Some(expected));
    }
    let allowed = Decision {
        outcome: Outcome::Allowed,
        by: Vec::new(),
    };
    assert_eq!(allowed.denial(ALICE, "kms:Decrypt", KEY), None);
}

#[test]
fn under_the_default_key_policy_identity_policies_decide() {
    let account = ACCOUNT.parse().expect("an account");
    let key = Policy::parse(PolicyKind::Key, &default_key_policy(&account)).expect("a policy");
    let may = identity_policy(r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}"#);
    let identity = [("may", &may)];
    let with = Case {
        key_policy: Some(&key),
        identity: &identity,
        ..Case::default()
    };
    let without = Case {
        key_policy: Some(&key),
        ..Case::default()
    };
    assert_eq!(outcome(&with, user(ALICE)), Outcome::Allowed);
    assert_eq!(outcome(&without, user(ALICE)), Outcome::NotAllowed(Side::Identity));
    assert_eq!(outcome(&with, user(STRANGER)), Outcome::NotAllowed(Side::Resource));
}

/// The policy of issue 4: two operations, only where the context says `client_id` = `client_123`.
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
