//! What is a policy document and what is not, with the place.

use bulla_model::policy::{MAX_DOCUMENT_BYTES, MAX_STATEMENTS, Policy, PolicyKind};
use proptest::prelude::*;

const KEY_STATEMENT: &str = r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#;

fn refusal(kind: PolicyKind, document: &str) -> String {
    Policy::parse(kind, document).expect_err(document).to_string()
}

#[test]
fn each_refusal_names_its_place() {
    for (statement, expected) in [
        (
            r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#,
            "Missing required field Principal (at /Statement/0)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Resource":"*"}"#,
            "Missing required field Action (at /Statement/0)",
        ),
        (
            r#"{"Principal":"*","Action":"kms:*","Resource":"*"}"#,
            "Missing required field Effect (at /Statement/0)",
        ),
        (
            r#"{"Effect":"allow","Principal":"*","Action":"kms:*","Resource":"*"}"#,
            "The effect is neither Allow nor Deny (at /Statement/0/Effect)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":["kms:*","decrypt"],"Resource":"*"}"#,
            "An action is * or a service, a colon and an action's name (at /Statement/0/Action/1)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"*:Decrypt","Resource":"*"}"#,
            "An action is * or a service, a colon and an action's name (at /Statement/0/Action)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":[],"Resource":"*"}"#,
            "An empty list (at /Statement/0/Action)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"mine"}"#,
            "The resource is a resource that is neither an ARN nor * (at /Statement/0/Resource)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"arn:aws:kms:${aws:r}:1:key/x"}"#,
            "The resource is a variable before the last part of an ARN (at /Statement/0/Resource)",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/*"},"Action":"kms:*","Resource":"*"}"#,
            "Policy contains a statement with one or more invalid principals. (at /Statement/0/Principal/AWS)",
        ),
        (
            r#"{"Effect":"Allow","Principal":{},"Action":"kms:*","Resource":"*"}"#,
            "Policy contains a statement with one or more invalid principals. (at /Statement/0/Principal)",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"Aws":"*"},"Action":"kms:*","Resource":"*"}"#,
            "Policy contains a statement with one or more invalid principals. (at /Statement/0/Principal/Aws)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","NotPrincipal":"*","Action":"kms:*","Resource":"*"}"#,
            "A statement has one of Principal and NotPrincipal, not both (at /Statement/0/NotPrincipal)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","NotAction":"kms:*","Resource":"*"}"#,
            "A statement has one of Action and NotAction, not both (at /Statement/0/NotAction)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","NotResource":"*"}"#,
            "A statement has one of Resource and NotResource, not both (at /Statement/0/NotResource)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resources":"*"}"#,
            "Unknown element (at /Statement/0/Resources)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEqual":{"a:b":"c"}}}"#,
            "Invalid Condition type : StringEqual. (at /Statement/0/Condition/StringEqual)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"Bool":{"a:b/c":"yes"}}}"#,
            "The value is neither true nor false (at /Statement/0/Condition/Bool/a:b~1c)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"IpAddress":{"a:b":"10.0.0.0/33"}}}"#,
            "The value is not an IP address or range (at /Statement/0/Condition/IpAddress/a:b)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"a:b":"c","A:B":"d"}}}"#,
            "The condition key is there twice (at /Statement/0/Condition/StringEquals/A:B)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"a:b":"${c"}}}"#,
            "The value is a variable without its closing brace (at /Statement/0/Condition/StringEquals/a:b)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"a:b":null}}}"#,
            "The value is neither a string nor a number nor a boolean (at /Statement/0/Condition/StringEquals/a:b)",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam"}}}"#,
            "The value is not an ARN (at /Statement/0/Condition/ArnLike/aws:PrincipalArn)",
        ),
        ("7", "A statement is a JSON object (at /Statement/0)"),
    ] {
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        assert_eq!(refusal(PolicyKind::Key, &document), expected, "{statement}");
    }
}

#[test]
fn a_document_is_an_object_with_statements() {
    for (document, expected) in [
        ("[]", "A policy is a JSON object"),
        ("{}", "Missing required field Statement"),
        (
            r#"{"Statement":[]}"#,
            "A policy has at least one statement (at /Statement)",
        ),
        (
            r#"{"Version":"2012-10-18"}"#,
            "The version is neither 2012-10-17 nor 2008-10-17 (at /Version)",
        ),
        (r#"{"version":"2012-10-17"}"#, "Unknown element (at /version)"),
    ] {
        assert_eq!(refusal(PolicyKind::Key, document), expected);
    }
    for document in [
        "",
        "{",
        "nul",
        r#"{"Statement":[]}x"#,
        "{\"Version\":\"2012-10-17\",}",
        "\u{feff}{}",
    ] {
        let text = refusal(PolicyKind::Key, document);
        assert!(
            text.starts_with("Syntax error: ") && text.contains("(at line 1, column "),
            "{text}"
        );
    }
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let twice = "{\"Version\":\"2012-10-17\",\n\"Statement\":[{\"Effect\":\"Deny\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\"}]}";
    let text = refusal(PolicyKind::Key, twice);
    assert!(
        text.starts_with("Syntax error: the member \"Effect\" is there twice (at line 2"),
        "{text}"
    );
    let twice = format!(r#"{{"Statement":{KEY_STATEMENT},"Statement":{KEY_STATEMENT}}}"#);
    assert!(refusal(PolicyKind::Key, &twice).contains("\"Statement\" is there twice"));
}

#[test]
fn each_kind_has_its_own_members() {
    let key = format!(r#"{{"Id":"x","Statement":{KEY_STATEMENT}}}"#);
    let identity = r#"{"Statement":{"Sid":"a1","Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;
    let trust = r#"{"Statement":{"Effect":"Allow","Principal":{"Federated":"https://issuer.example"},"Action":"sts:AssumeRoleWithWebIdentity"}}"#;
    for (kind, document) in [
        (PolicyKind::Key, &*key),
        (PolicyKind::Identity, identity),
        (PolicyKind::Trust, trust),
    ] {
        assert!(Policy::parse(kind, document).is_ok(), "{kind:?}");
    }
    assert!(refusal(PolicyKind::Identity, &key).contains("Unknown element (at /Id)"));
    let with_principal = format!(r#"{{"Statement":{KEY_STATEMENT}}}"#);
    assert_eq!(
        refusal(PolicyKind::Identity, &with_principal),
        "Has prohibited field Principal (at /Statement)"
    );
    assert_eq!(
        refusal(PolicyKind::Trust, &with_principal),
        "Has prohibited field Resource (at /Statement)"
    );
    let without_resource = r#"{"Statement":{"Effect":"Allow","Action":"kms:*"}}"#;
    assert_eq!(
        refusal(PolicyKind::Identity, without_resource),
        "Missing required field Resource (at /Statement)"
    );
    let spaces = r#"{"Statement":{"Sid":"a b","Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;
    assert!(refusal(PolicyKind::Identity, spaces).contains("/Statement/Sid"));
    let same = r#"{"Statement":[{"Sid":"a","Effect":"Allow","Action":"kms:*","Resource":"*"},
        {"Sid":"a","Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;
    assert!(refusal(PolicyKind::Identity, same).contains("must be unique"));
}

/// The text is of `conditions-kms`, under `kms:EncryptionContext:context-key`.
#[test]
fn for_all_values_on_an_encryption_context_is_refused_in_aws_s_words() {
    let document = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*",
        "Condition":{"ForAllValues:StringEquals":{"kms:encryptionContext:Department":"IT"}}}}"#;
    assert_eq!(
        refusal(PolicyKind::Key, document),
        "OverlyPermissiveCondition:EncryptionContext: Using the ForAllValues set operator with a single-valued condition key matches \
         requests without the specified encryption context or with an unspecified encryption context. To fix, remove ForAllValues."
    );
}

#[test]
fn documents_have_limits() {
    let long = |bytes: usize| {
        let rest = r#"{"Id":"","Statement":}"#.len() + KEY_STATEMENT.len();
        format!(r#"{{"Id":"{}","Statement":{KEY_STATEMENT}}}"#, "x".repeat(bytes - rest))
    };
    assert!(Policy::parse(PolicyKind::Key, &long(MAX_DOCUMENT_BYTES)).is_ok());
    assert!(refusal(PolicyKind::Key, &long(MAX_DOCUMENT_BYTES + 1)).contains("32768"));
    let many = |count: usize| format!(r#"{{"Statement":[{}]}}"#, vec![KEY_STATEMENT; count].join(","));
    assert!(Policy::parse(PolicyKind::Key, &many(MAX_STATEMENTS)).is_ok());
    assert_eq!(
        refusal(PolicyKind::Key, &many(MAX_STATEMENTS + 1)),
        "A policy has at most 256 statements (at /Statement)"
    );
    let starred = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*",
            "Condition":{{"StringLike":{{"a:b":[{}]}}}}}}}}"#,
        vec!["\"*a*b*\""; 1025].join(",")
    );
    assert!(refusal(PolicyKind::Key, &starred).contains("too many"));
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    assert!(refusal(PolicyKind::Key, &deep).contains("too deeply nested"));
    let slow = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*",
            "Condition":{{"StringLike":{{"a:b":"*{}?*"}}}}}}}}"#,
        "a".repeat(2000)
    );
    assert!(
        refusal(PolicyKind::Key, &slow)
            .contains("too long patterns with wildcards (at /Statement/Condition/StringLike/a:b)")
    );
}

#[test]
fn the_default_policy_is_a_policy_and_as_aws_prints_it() {
    let account = "111122223333".parse().expect("an account");
    let document = bulla_model::policy::default_key_policy(&account);
    assert!(document.contains("\"Sid\" : \"Enable IAM User Permissions\""));
    assert!(document.contains("\"AWS\" : \"arn:aws:iam::111122223333:root\""));
    assert!(Policy::parse(PolicyKind::Key, &document).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_refused_without_panic(text in ".{0,200}") {
        for kind in [PolicyKind::Key, PolicyKind::Identity, PolicyKind::Trust] {
            let _ = Policy::parse(kind, &text);
        }
    }

    #[test]
    fn a_policy_with_one_byte_changed_is_a_policy_or_refused_without_panic(at in 0_usize..400, byte in 0_u8..128) {
        let document = format!(
            r#"{{"Version":"2012-10-17","Id":"i","Statement":[{KEY_STATEMENT},{{"Sid":"s","Effect":"Deny","NotPrincipal":{{"AWS":
            ["111122223333","arn:aws:iam::111122223333:role/r"]}},"NotAction":"kms:?*","NotResource":"arn:aws:kms:*:*:key/${{aws:x, 'd'}}",
            "Condition":{{"ForAnyValue:StringLikeIfExists":{{"kms:EncryptionContextKeys":["a*?b*"]}},"DateLessThan":{{"aws:CurrentTime":
            "2020-01-01T00:00:00Z"}}}}}}]}}"#
        );
        let mut bytes = document.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = Policy::parse(PolicyKind::Key, &text);
        }
    }
}
