//! Actions, resources and principals: wildcards, case, negation.

use bulla_model::policy::{Asker, Effect, Policy, PolicyKind};

use crate::harness::{ALICE, KEY, Keys, identity_policy, key_policy, request, session, user};

fn identity_allows(action: &str, resource: &str, asked: &str, of: &str) -> bool {
    let statement = format!(r#"{{"Effect":"Allow","Action":{action},"Resource":{resource}}}"#);
    let keys = Keys::default();
    identity_policy(&statement)
        .evaluate(&request(user(ALICE), asked, of, &keys))
        .allowed
        .is_some()
}

#[test]
fn actions_ignore_case_and_take_wildcards() {
    for (pattern, asked, expected) in [
        ("kms:Decrypt", "kms:Decrypt", true),
        ("KMS:decrypt", "kms:Decrypt", true),
        ("kms:GenerateDataKey", "kms:GenerateDataKeyPair", false),
        ("kms:GenerateDataKey*", "kms:GenerateDataKeyPair", true),
        ("kms:GenerateDataKey*", "kms:GenerateDataKey", true),
        ("kms:*Key", "kms:GenerateDataKey", true),
        ("kms:*Data*", "kms:GenerateDataKeyPair", true),
        ("kms:?ncrypt", "kms:Encrypt", true),
        ("kms:?ncrypt", "kms:ncrypt", false),
        ("kms:*", "kms:CreateKey", true),
        ("kms:*", "bulla:ReadAudit", false),
        ("bulla:*", "bulla:ReadAudit", true),
        ("*", "bulla:ReadAudit", true),
        ("kms:ReEncrypt*", "kms:ReEncryptFrom", true),
    ] {
        assert_eq!(
            identity_allows(&format!("{pattern:?}"), "\"*\"", asked, KEY),
            expected,
            "{pattern} {asked}"
        );
    }
    assert!(identity_allows(
        r#"["kms:Encrypt","kms:Decrypt"]"#,
        "\"*\"",
        "kms:Decrypt",
        KEY
    ));
}

#[test]
fn resources_match_component_by_component() {
    for (pattern, resource, expected) in [
        ("*", KEY, true),
        (KEY, KEY, true),
        ("arn:aws:kms:us-west-2:111122223333:key/*", KEY, true),
        ("arn:aws:kms:*:111122223333:key/*", KEY, true),
        ("arn:aws:kms:*:*:key/1234abcd-????-*", KEY, true),
        ("arn:aws:kms:us-east-1:111122223333:key/*", KEY, false),
        ("arn:aws:kms:us-west-2:111122223333:alias/*", KEY, false),
        ("arn:aws:kms:us-west-2:111122223333:KEY/*", KEY, false),
        // A wildcard does not span components.
        ("arn:aws:*:key/*", KEY, false),
        // An ARN that ends early is completed.
        ("arn:aws:kms", KEY, true),
        ("arn:aws:kms:us-west-2", KEY, true),
        ("arn:aws:s3", KEY, false),
        // The last component has colons of its own.
        (
            "arn:aws:bulla::111122223333:a:*",
            "arn:aws:bulla::111122223333:a:b:c",
            true,
        ),
        // An action on no resource is on `*` only.
        ("*", "*", true),
        ("arn:aws:kms:*:*:*", "*", false),
    ] {
        let allowed = identity_allows("\"kms:*\"", &format!("{pattern:?}"), "kms:Decrypt", resource);
        assert_eq!(allowed, expected, "{pattern} {resource}");
    }
}

#[test]
fn variables_of_resources_take_the_asker_s_values() {
    let policy = identity_policy(
        r#"{"Effect":"Allow","Action":"bulla:*","Resource":"arn:aws:bulla::111122223333:token/${aws:username}/*"}"#,
    );
    let keys = crate::harness::keys(&[("aws:username", &["alice"])]);
    let allowed = |resource: &str, keys: &Keys| {
        let request = request(user(ALICE), "bulla:GetToken", resource, keys);
        policy.evaluate(&request).allowed.is_some()
    };
    assert!(allowed("arn:aws:bulla::111122223333:token/alice/x", &keys));
    assert!(!allowed("arn:aws:bulla::111122223333:token/bob/x", &keys));
    assert!(!allowed("arn:aws:bulla::111122223333:token/alice/x", &Keys::default()));
}

#[test]
fn negated_elements_are_all_but_what_they_name() {
    let policy =
        identity_policy(r#"{"Effect":"Allow","NotAction":["kms:Decrypt","kms:Re*"],"NotResource":"arn:aws:s3:*:*:*"}"#);
    let keys = Keys::default();
    let allowed = |action: &str, resource: &str| {
        policy
            .evaluate(&request(user(ALICE), action, resource, &keys))
            .allowed
            .is_some()
    };
    assert!(allowed("kms:Encrypt", KEY));
    assert!(allowed("kms:ListKeys", "*"));
    assert!(!allowed("kms:Decrypt", KEY));
    assert!(!allowed("KMS:reEncryptTo", KEY));
    assert!(!allowed("kms:Encrypt", "arn:aws:s3:::bucket"));
}

#[test]
fn a_negated_resource_with_an_unknown_variable_helps_nobody() {
    for (effect, applies) in [("Allow", false), ("Deny", true)] {
        let policy = identity_policy(&format!(
            r#"{{"Effect":"{effect}","Action":"*","NotResource":"arn:aws:bulla::1:token/${{aws:username}}"}}"#
        ));
        let keys = Keys::default();
        let verdict = policy.evaluate(&request(user(ALICE), "kms:Decrypt", KEY, &keys));
        assert_eq!(
            verdict.allowed.is_some() || verdict.denied.is_some(),
            applies,
            "{effect}"
        );
    }
}

/// How a key policy's statement names an asker: 0 not, 1 by his account, 2 himself.
fn standing(element: &str, principals: &str, asker: Asker<'_>) -> u8 {
    let policy = key_policy(&format!(
        r#"{{"Effect":"Allow","{element}":{principals},"Action":"kms:*","Resource":"*"}}"#
    ));
    let keys = Keys::default();
    let verdict = policy.evaluate(&request(asker, "kms:Decrypt", KEY, &keys));
    match (verdict.allowed, verdict.delegated) {
        (Some(_), _) => 2,
        (None, Some(_)) => 1,
        (None, None) => 0,
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/ExampleRole";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/ExampleRole/s1";
const ROOT: &str = "arn:aws:iam::111122223333:root";
const STRANGER: &str = "arn:aws:iam::444455556666:user/alice";

#[test]
fn principals_name_askers_themselves_or_by_their_account() {
    for (principals, asker, expected) in [
        ("\"*\"", user(ALICE), 2),
        (r#"{"AWS":"*"}"#, user(STRANGER), 2),
        (r#"{"AWS":"111122223333"}"#, user(ALICE), 1),
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, user(ALICE), 1),
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, user(ROOT), 2),
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, user(STRANGER), 0),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#, user(ALICE), 2),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/Alice"}"#, user(ALICE), 0),
        (
            r#"{"AWS":["arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:user/alice"]}"#,
            user(ALICE),
            2,
        ),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/bob"}"#, user(ALICE), 0),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:role/ExampleRole"}"#,
            session(SESSION, ROLE),
            2,
        ),
        (
            r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/ExampleRole/s1"}"#,
            session(SESSION, ROLE),
            2,
        ),
        (
            r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/ExampleRole/s2"}"#,
            session(SESSION, ROLE),
            0,
        ),
        (r#"{"Service":"logs.us-east-1.amazonaws.com"}"#, user(ALICE), 0),
        (r#"{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}"#, user(ALICE), 0),
    ] {
        assert_eq!(
            standing("Principal", principals, asker),
            expected,
            "{principals} {}",
            asker.arn
        );
    }
}

#[test]
fn not_principal_allows_nobody_whose_account_is_named() {
    for (principals, asker, expected) in [
        (r#"{"AWS":"arn:aws:iam::111122223333:user/bob"}"#, user(ALICE), 2),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#, user(ALICE), 0),
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, user(ALICE), 0),
        ("\"*\"", user(STRANGER), 0),
    ] {
        assert_eq!(
            standing("NotPrincipal", principals, asker),
            expected,
            "{principals} {}",
            asker.arn
        );
    }
}

/// `reference_policies_elements_notprincipal`: Bob and his account must both be named to be excepted from the denial.
#[test]
fn not_principal_denies_all_but_who_is_named_with_his_account() {
    let bob = "arn:aws:iam::444455556666:user/Bob";
    let policy = |principals: &str| {
        key_policy(&format!(
            r#"{{"Effect":"Deny","NotPrincipal":{{"AWS":{principals}}},"Action":"kms:*","Resource":"*"}}"#
        ))
    };
    let keys = Keys::default();
    let denied = |principals: &str, asker: Asker<'_>| {
        policy(principals)
            .evaluate(&request(asker, "kms:Decrypt", KEY, &keys))
            .denied
            .is_some()
    };
    let both = r#"["arn:aws:iam::444455556666:user/Bob","arn:aws:iam::444455556666:root"]"#;
    assert!(!denied(both, user(bob)));
    assert!(!denied(both, user("arn:aws:iam::444455556666:root")));
    assert!(denied(both, user(STRANGER)));
    assert!(denied(both, user(ALICE)));
    assert!(denied(r#""arn:aws:iam::444455556666:user/Bob""#, user(bob)));
}

#[test]
fn a_denial_of_an_account_denies_everybody_in_it() {
    let policy = key_policy(r#"{"Effect":"Deny","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#);
    let keys = Keys::default();
    let denied = |asker| {
        policy
            .evaluate(&request(asker, "kms:Decrypt", KEY, &keys))
            .denied
            .is_some()
    };
    assert!(denied(user(ALICE)));
    assert!(denied(session(SESSION, ROLE)));
    assert!(!denied(user(STRANGER)));
}

#[test]
fn a_key_policy_s_statement_without_a_resource_is_about_nothing() {
    let policy = key_policy(r#"{"Effect":"Allow","Principal":"*","Action":"kms:*"}"#);
    let keys = Keys::default();
    assert_eq!(
        policy
            .evaluate(&request(user(ALICE), "kms:Decrypt", KEY, &keys))
            .allowed,
        None
    );
}

#[test]
fn every_statement_that_applies_is_listed_for_an_explanation() {
    let policy = identity_policy(
        r#"[{"Sid":"one","Effect":"Allow","Action":"kms:*","Resource":"*"},
            {"Effect":"Allow","Action":"s3:*","Resource":"*"},
            {"Sid":"three","Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}]"#,
    );
    let keys = Keys::default();
    let request = request(user(ALICE), "kms:Decrypt", KEY, &keys);
    assert_eq!(policy.applying(&request), [(0, Effect::Allow), (2, Effect::Deny)]);
    assert_eq!(
        (policy.sid(0), policy.sid(1), policy.sid(2)),
        (Some("one"), None, Some("three"))
    );
    assert_eq!(policy.evaluate(&request).denied, Some(2));
}

/// Patterns made to be slow: each evaluation is a pass over the text.
#[test]
fn hostile_patterns_cost_a_pass_over_the_text() {
    let literal = format!("{}b", "*a".repeat(4000));
    let holed = format!("*{}?*b", "a".repeat(400));
    let condition = format!(r#"{{"StringLike":{{"k:k":["{literal}","{holed}"]}}}}"#);
    let policy = identity_policy(&format!(
        r#"{{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{condition}}}"#
    ));
    let value = "a".repeat(8192);
    let keys = crate::harness::keys(&[("k:k", &[&value])]);
    // Exponential or cubic matching would not end.
    for _ in 0..20 {
        assert_eq!(
            policy
                .evaluate(&request(user(ALICE), "kms:Decrypt", KEY, &keys))
                .allowed,
            None
        );
    }
}

/// The same in every place that takes wildcards, with what makes backtracking matchers exponential: no value ends the matching early.
#[test]
fn hostile_patterns_cost_no_more_in_any_place() {
    let long = "a".repeat(2000);
    let arn = format!("arn:aws:kms:{long}:111122223333:key/{long}");
    let (stars, holes) = (format!("{}b", "*a".repeat(1000)), format!("{}b", "?*".repeat(1000)));
    let alike = format!("{}*b", "*a?".repeat(100));
    let mut evaluated = 0;
    for pattern in [&stars, &holes, &alike] {
        let conditions = format!(
            r#"{{"StringLike":{{"k:k":"{pattern}"}},"StringNotLike":{{"k:k":"{pattern}"}},"ArnLike":{{"k:arn":"arn:*:*:*:*:{pattern}"}}}}"#
        );
        for statement in [
            format!(r#"{{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:{pattern}:*:{pattern}"}}"#),
            format!(r#"{{"Effect":"Allow","Action":"kms:*","NotResource":"arn:aws:kms:*:*:{pattern}"}}"#),
            format!(r#"{{"Effect":"Allow","Action":"kms:{pattern}","Resource":"*"}}"#),
            format!(r#"{{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{conditions}}}"#),
            format!(r#"{{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:${{aws:username}}{pattern}"}}"#),
        ] {
            let document = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
            // What would cost too much is refused, with its place.
            let Ok(policy) = Policy::parse(PolicyKind::Identity, &document) else {
                continue;
            };
            let keys = crate::harness::keys(&[("k:k", &[&long]), ("k:arn", &[&arn]), ("aws:username", &[&long])]);
            let action = format!("kms:{long}");
            let _ = policy.evaluate(&request(user(ALICE), &action, &arn, &keys));
            evaluated += 1;
        }
    }
    assert!(evaluated >= 10, "{evaluated}");
}
