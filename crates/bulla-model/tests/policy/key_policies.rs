//! The examples of AWS's pages on key policies, other accounts, identity policies and attributes, each a table of decisions.
//!
//! Sources: `key-policy-default`, `key-policy-modifying-external-accounts`, `customer-managed-policies`, `abac` of
//! <https://docs.aws.amazon.com/kms/latest/developerguide/>.

use bulla_model::policy::{Asker, Outcome, Policy, Side, Sides, decide};

use crate::harness::{ACCOUNT, ALICE, KEY, Keys, identity_policy, key_policy, keys, request, session, user};

const ADMIN: (&str, &str) = (
    "arn:aws:sts::111122223333:assumed-role/KeyAdmins/s",
    "arn:aws:iam::111122223333:role/KeyAdmins",
);
const APP: (&str, &str) = (
    "arn:aws:sts::111122223333:assumed-role/App/s",
    "arn:aws:iam::111122223333:role/App",
);
const ROOT: &str = "arn:aws:iam::111122223333:root";
const STRANGER: &str = "arn:aws:iam::444455556666:user/eve";
const OTHER_KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";

/// The policy that AWS's console gives a key with administrators and users.
fn console_policy() -> Policy {
    key_policy(
        r#"[
        {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Administrators", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/KeyAdmins"}, "Resource": "*",
         "Action": ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*", "kms:Disable*",
                    "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource", "kms:ScheduleKeyDeletion",
                    "kms:CancelKeyDeletion", "kms:RotateKeyOnDemand"]},
        {"Sid": "Users", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/App"}, "Resource": "*",
         "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]},
        {"Sid": "Services", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/App"}, "Resource": "*",
         "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
         "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}}]"#,
    )
}

fn outcome(
    policy: Option<&Policy>,
    identity: &[&Policy],
    asker: Asker<'_>,
    action: &str,
    resource: &str,
    keys: &Keys,
) -> Outcome {
    let identity: Vec<(&str, &Policy)> = identity.iter().map(|policy| ("given", *policy)).collect();
    let sides = Sides {
        resource_account: ACCOUNT,
        resource_policy: policy,
        identity: &identity,
        ..Sides::default()
    };
    decide(&request(asker, action, resource, keys), &sides).outcome
}

#[test]
fn under_the_console_s_key_policy_administrators_manage_and_users_use() {
    let policy = console_policy();
    let everything = identity_policy(r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}"#);
    let (admin, app) = (session(ADMIN.0, ADMIN.1), session(APP.0, APP.1));
    let yes = Outcome::Allowed;
    let no = Outcome::NotAllowed(Side::Identity);
    for (asker, action, for_service, expected) in [
        (admin, "kms:PutKeyPolicy", None, yes),
        (admin, "kms:CreateGrant", None, yes),
        (admin, "kms:RevokeGrant", None, yes),
        (admin, "kms:ScheduleKeyDeletion", None, yes),
        (admin, "kms:Encrypt", None, no),
        (admin, "kms:GenerateDataKey", None, no),
        (admin, "kms:ReplicateKey", None, no),
        (app, "kms:Encrypt", None, yes),
        (app, "kms:ReEncryptFrom", None, yes),
        (app, "kms:GenerateDataKeyPairWithoutPlaintext", None, yes),
        (app, "kms:DescribeKey", None, yes),
        (app, "kms:PutKeyPolicy", None, no),
        (app, "kms:Sign", None, no),
        (app, "kms:CreateGrant", None, no),
        (app, "kms:CreateGrant", Some("false"), no),
        (app, "kms:CreateGrant", Some("true"), yes),
        (user(ALICE), "kms:Encrypt", None, no),
        (user(ROOT), "kms:DeleteAlias", None, yes),
        (user(STRANGER), "kms:Encrypt", None, Outcome::NotAllowed(Side::Resource)),
    ] {
        let of_service: Vec<&str> = for_service.into_iter().collect();
        let keys = keys(&[("kms:GrantIsForAWSResource", &of_service)]);
        let decided = outcome(Some(&policy), &[], asker, action, KEY, &keys);
        assert_eq!(decided, expected, "{} {action} {for_service:?}", asker.arn);
    }
    // The first statement leaves the decision on anybody else to the account, and nothing to another one.
    let with = |asker| {
        outcome(
            Some(&policy),
            &[&everything],
            asker,
            "kms:Encrypt",
            KEY,
            &Keys::default(),
        )
    };
    assert_eq!(with(user(ALICE)), yes);
    assert_eq!(with(user(STRANGER)), Outcome::NotAllowed(Side::Resource));
}

#[test]
fn another_account_is_let_in_by_the_key_and_out_by_its_own_policies() {
    let policy = key_policy(
        r#"[{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "External", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Resource": "*",
         "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]}]"#,
    );
    let of = |resource: &str, actions: &str| {
        identity_policy(&format!(
            r#"{{"Effect": "Allow", "Action": {actions}, "Resource": "{resource}"}}"#
        ))
    };
    let use_it = r#"["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]"#;
    for (identity, action, expected) in [
        (Some(of(KEY, use_it)), "kms:Encrypt", Outcome::Allowed),
        (
            Some(of(KEY, use_it)),
            "kms:ReEncryptTo",
            Outcome::NotAllowed(Side::Identity),
        ),
        (
            Some(of(OTHER_KEY, use_it)),
            "kms:Encrypt",
            Outcome::NotAllowed(Side::Identity),
        ),
        (
            Some(of("*", "\"kms:*\"")),
            "kms:ScheduleKeyDeletion",
            Outcome::NotAllowed(Side::Resource),
        ),
        (None, "kms:Encrypt", Outcome::NotAllowed(Side::Identity)),
    ] {
        let identity: Vec<&Policy> = identity.iter().collect();
        let decided = outcome(Some(&policy), &identity, user(STRANGER), action, KEY, &Keys::default());
        assert_eq!(decided, expected, "{action}");
    }
}

#[test]
fn identity_policies_name_keys_by_patterns_and_forbid_what_others_allow() {
    let account =
        key_policy(r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}"#);
    let reads = r#"{"Effect": "Allow", "Action": ["kms:ListKeys", "kms:ListAliases", "kms:DescribeKey", "kms:Get*"], "Resource": "*"}"#;
    let two_keys = format!(r#"{{"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": ["{KEY}"]}}"#);
    let any_of_account =
        r#"{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:*:111122223333:key/*"}"#;
    let another_account =
        r#"{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:*:444455556666:key/*"}"#;
    let no_end = r#"[{"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["kms:DisableKey", "kms:ScheduleKeyDeletion"], "Resource": "*"}]"#;
    let (yes, no) = (Outcome::Allowed, Outcome::NotAllowed(Side::Identity));
    for (statements, action, resource, expected) in [
        (reads, "kms:DescribeKey", KEY, yes),
        (reads, "kms:GetPublicKey", KEY, yes),
        (reads, "kms:Decrypt", KEY, no),
        (&two_keys, "kms:Decrypt", KEY, yes),
        (&two_keys, "kms:Decrypt", OTHER_KEY, no),
        (&two_keys, "kms:DescribeKey", KEY, no),
        (any_of_account, "kms:Decrypt", KEY, yes),
        (any_of_account, "kms:Decrypt", OTHER_KEY, yes),
        (another_account, "kms:Decrypt", KEY, no),
        (no_end, "kms:EnableKey", KEY, yes),
        (no_end, "kms:DisableKey", KEY, Outcome::Denied(Side::Identity)),
        (
            no_end,
            "kms:ScheduleKeyDeletion",
            OTHER_KEY,
            Outcome::Denied(Side::Identity),
        ),
    ] {
        let policy = identity_policy(statements);
        let decided = outcome(
            Some(&account),
            &[&policy],
            user(ALICE),
            action,
            resource,
            &Keys::default(),
        );
        assert_eq!(decided, expected, "{statements} {action} {resource}");
    }
    let on_nothing = |action| {
        let policy = identity_policy(reads);
        outcome(None, &[&policy], user(ALICE), action, "*", &Keys::default())
    };
    assert_eq!((on_nothing("kms:ListKeys"), on_nothing("kms:CreateKey")), (yes, no));
}

/// One project's people use that project's keys: by tags of the key, of the request, of the principal, and by aliases.
#[test]
fn attributes_decide_as_the_page_on_them_says() {
    let rule = |condition: &str| {
        identity_policy(&format!(
            r#"{{"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:*:111122223333:*", "Condition": {condition}}}"#
        ))
    };
    let of_project = r#"{"StringEquals": {"aws:ResourceTag/Project": "Alpha"}}"#;
    let own_project = r#"{"StringEquals": {"aws:ResourceTag/Project": "${aws:PrincipalTag/Project}"}}"#;
    let aliases = r#"{"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/ProjectAlpha*"}}"#;
    let only_own_tag = r#"{"StringEquals": {"aws:RequestTag/Project": "Alpha"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["Project"]}}"#;
    let key_tag = |value: &'static str| vec![("aws:ResourceTag/Project", vec![value])];
    let both = |key, own| {
        vec![
            ("aws:ResourceTag/Project", vec![key]),
            ("aws:PrincipalTag/Project", vec![own]),
        ]
    };
    let asked =
        |value, names: &[&'static str]| vec![("aws:RequestTag/Project", vec![value]), ("aws:TagKeys", names.to_vec())];
    for (condition, pairs, expected) in [
        (of_project, key_tag("Alpha"), true),
        (of_project, key_tag("alpha"), false),
        (of_project, key_tag("Beta"), false),
        (of_project, vec![], false),
        (own_project, both("Alpha", "Alpha"), true),
        (own_project, both("Alpha", "Beta"), false),
        (own_project, key_tag("Alpha"), false),
        (
            aliases,
            vec![("kms:ResourceAliases", vec!["alias/x", "alias/ProjectAlpha-test"])],
            true,
        ),
        (
            aliases,
            vec![("kms:ResourceAliases", vec!["alias/projectalpha"])],
            false,
        ),
        (aliases, vec![], false),
        (only_own_tag, asked("Alpha", &["Project"]), true),
        (only_own_tag, asked("Alpha", &["Project", "Stage"]), false),
        (only_own_tag, asked("Beta", &["Project"]), false),
    ] {
        let slices: Vec<(&str, &[&str])> = pairs.iter().map(|(key, values)| (*key, values.as_slice())).collect();
        let decided = outcome(
            None,
            &[&rule(condition)],
            user(ALICE),
            "kms:Decrypt",
            KEY,
            &keys(&slices),
        );
        assert_eq!(decided == Outcome::Allowed, expected, "{condition} {pairs:?}");
    }
}
