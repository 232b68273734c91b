//! Policy variables, a row each.

use bulla_model::policy::{Policy, PolicyKind};

use crate::conditions::{applies, table};
use crate::harness::{ALICE, KEY, keys, request, user};

#[test]
fn variables_are_replaced_by_values_of_the_request() {
    let alice: &[(&str, &[&str])] = &[("aws:username", &["alice"]), ("kms:EncryptionContext:user", &["alice"])];
    let bob: &[(&str, &[&str])] = &[("aws:username", &["bob"]), ("kms:EncryptionContext:user", &["alice"])];
    let equals = r#"{"StringEquals":{"kms:EncryptionContext:user":"${aws:username}"}}"#;
    table(&[
        (equals, alice, true),
        (equals, bob, false),
        (
            r#"{"StringEquals":{"kms:EncryptionContext:user":"${AWS:UserName}"}}"#,
            alice,
            true,
        ),
        (
            r#"{"StringLike":{"kms:EncryptionContext:user":"${aws:username}*"}}"#,
            alice,
            true,
        ),
        (
            r#"{"StringLike":{"k:k":"${aws:PrincipalTag/team}/*"}}"#,
            &[("aws:PrincipalTag/team", &["red"]), ("k:k", &["red/1"])],
            true,
        ),
        // A wildcard in a value is no wildcard.
        (
            r#"{"StringLike":{"k:k":"${aws:PrincipalTag/team}"}}"#,
            &[("aws:PrincipalTag/team", &["*"]), ("k:k", &["red"])],
            false,
        ),
        (
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/${aws:username}"}}"#,
            &[
                ("aws:username", &["bob"]),
                ("aws:PrincipalArn", &["arn:aws:iam::111122223333:user/bob"]),
            ],
            true,
        ),
        (r#"{"StringEquals":{"k:k":"${*}${?}${$}"}}"#, &[("k:k", &["*?$"])], true),
        (r#"{"StringLike":{"k:k":"a${*}b"}}"#, &[("k:k", &["a*b"])], true),
        (r#"{"StringLike":{"k:k":"a${*}b"}}"#, &[("k:k", &["axb"])], false),
        (
            r#"{"StringEquals":{"k:k":"${aws:PrincipalTag/team, 'company-wide'}"}}"#,
            &[("k:k", &["company-wide"])],
            true,
        ),
        (
            r#"{"StringEquals":{"k:k":"${aws:PrincipalTag/team, 'company-wide'}"}}"#,
            &[("k:k", &["red"]), ("aws:PrincipalTag/team", &["red"])],
            true,
        ),
        (
            r#"{"Bool":{"aws:SecureTransport":"${k:wanted}"}}"#,
            &[("aws:SecureTransport", &["true"]), ("k:wanted", &["true"])],
            true,
        ),
    ]);
}

#[test]
fn a_variable_without_a_value_helps_nobody() {
    let present: &[(&str, &[&str])] = &[("k:k", &["x"])];
    assert_eq!(
        applies(r#"{"StringEquals":{"k:k":"${aws:username}"}}"#, present),
        (false, false)
    );
    assert_eq!(
        applies(r#"{"StringNotEquals":{"k:k":"${aws:username}"}}"#, present),
        (false, true)
    );
    assert_eq!(
        applies(r#"{"StringLike":{"k:k":["${aws:username}","x"]}}"#, present),
        (true, true)
    );
    assert_eq!(
        applies(r#"{"StringNotLike":{"k:k":["${aws:username}","x"]}}"#, present),
        (false, false)
    );
}

#[test]
fn variables_are_literal_in_the_older_version() {
    for version in [r#""Version":"2008-10-17","#, ""] {
        let document = format!(
            r#"{{{version}"Statement":{{"Effect":"Allow","Action":"kms:*","Resource":"*",
                "Condition":{{"StringEquals":{{"k:k":"${{aws:username}}"}}}}}}}}"#
        );
        let policy = Policy::parse(PolicyKind::Identity, &document).expect("a policy");
        let applies = |value: &str| {
            let keys = keys(&[("aws:username", &["alice"]), ("k:k", &[value])]);
            policy
                .evaluate(&request(user(ALICE), "kms:Decrypt", KEY, &keys))
                .allowed
                .is_some()
        };
        assert!(!applies("alice"));
        assert!(applies("${aws:username}"));
    }
}
