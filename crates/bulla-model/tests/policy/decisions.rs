//! Who decides: explicit denials, the key policy, delegation to the account, identity policies, roles, grants, two accounts.

use bulla_model::policy::{
    Asker, Decision, Outcome, Policy, PolicyKind, Reason, Side, Sides, decide, default_key_policy,
};

use crate::harness::{ACCOUNT, ALICE, KEY, Keys, identity_policy, key_policy, request, session, user};

const STRANGER: &str = "arn:aws:iam::444455556666:user/ExampleUser";

#[derive(Default)]
pub(crate) struct Case<'a> {
    pub(crate) key_policy: Option<&'a Policy>,
    pub(crate) identity: &'a [(&'a str, &'a Policy)],
    pub(crate) session: Option<&'a Policy>,
    pub(crate) role: Option<&'static str>,
    pub(crate) grant: Option<&'static str>,
}

pub(crate) fn decision(case: &Case<'_>, asker: Asker<'_>, action: &str, resource: &str, keys: &Keys) -> Decision {
    let grant = || case.grant.map(str::to_owned);
    let sides = Sides {
        resource_account: ACCOUNT,
        resource_policy: case.key_policy,
        identity: case.identity,
        session: case.session,
        role: case.role,
        grant: Some(&grant),
    };
    decide(&request(asker, action, resource, keys), &sides)
}

pub(crate) fn outcome(case: &Case<'_>, asker: Asker<'_>) -> Outcome {
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
            session: None,
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

const APP: &str = "arn:aws:iam::111122223333:role/app";
const POD: &str = "arn:aws:sts::111122223333:assumed-role/app/pod";

#[test]
fn a_session_policy_must_allow_too_but_where_the_key_policy_names_the_session_itself() {
    let naming = |principal: &str| {
        key_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"kms:*","Resource":"*"}}"#
        ))
    };
    let (account, role, session_itself) = (naming(ACCOUNT), naming(APP), naming(POD));
    let everybody = key_policy(r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#);
    let may = identity_policy(r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}"#);
    let other = identity_policy(r#"{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}"#);
    let denies = identity_policy(r#"{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}"#);
    let (none, yes) = ([], [("may", &may)]);
    let narrowed = Outcome::NotAllowed(Side::Session);
    for (name, key_policy, identity, session_policy, grant, expected) in [
        ("both", &account, &yes[..], Some(&may), None, Outcome::Allowed),
        ("no session policy", &account, &yes, None, None, Outcome::Allowed),
        (
            "the session policy alone",
            &account,
            &none,
            Some(&may),
            None,
            Outcome::NotAllowed(Side::Identity),
        ),
        (
            "the identity policy alone",
            &account,
            &yes,
            Some(&other),
            None,
            narrowed,
        ),
        (
            "the key policy names the role",
            &role,
            &none,
            Some(&may),
            None,
            Outcome::Allowed,
        ),
        (
            "the same, and the session policy does not",
            &role,
            &none,
            Some(&other),
            None,
            narrowed,
        ),
        (
            "the key policy names everybody",
            &everybody,
            &none,
            Some(&other),
            None,
            narrowed,
        ),
        (
            "the key policy names the session",
            &session_itself,
            &none,
            Some(&other),
            None,
            Outcome::Allowed,
        ),
        ("a grant", &account, &none, Some(&may), Some("g"), Outcome::Allowed),
        (
            "a grant, and the session policy does not",
            &account,
            &none,
            Some(&other),
            Some("g"),
            narrowed,
        ),
        (
            "an explicit deny",
            &session_itself,
            &yes,
            Some(&denies),
            Some("g"),
            Outcome::Denied(Side::Session),
        ),
    ] {
        let case = Case {
            key_policy: Some(key_policy),
            identity,
            session: session_policy,
            role: None,
            grant,
        };
        assert_eq!(outcome(&case, session(POD, APP)), expected, "{name}");
    }
}

#[test]
fn what_a_session_policy_refuses_is_said_in_awss_words() {
    let (may, other) = (
        identity_policy(r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}"#),
        identity_policy(r#"{"Sid":"No","Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}"#),
    );
    let identity = [("may", &may)];
    let case = |session| Case {
        identity: &identity,
        session,
        ..Case::default()
    };
    let empty = identity_policy(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#);
    let denied = decision(
        &case(Some(&other)),
        session(POD, APP),
        "kms:Decrypt",
        "*",
        &Keys::default(),
    );
    assert_eq!(
        denied.denial(POD, "kms:Decrypt", "*").as_deref(),
        Some(
            "User: arn:aws:sts::111122223333:assumed-role/app/pod is not authorized to perform: kms:Decrypt on resource: * with an explicit deny in a session policy"
        )
    );
    let sid = Some("No".to_owned());
    assert_eq!(denied.by, [Reason::SessionPolicy { statement: 0, sid }]);
    let silent = decision(
        &case(Some(&empty)),
        session(POD, APP),
        "kms:Decrypt",
        "*",
        &Keys::default(),
    );
    assert!(
        silent
            .denial(POD, "kms:Decrypt", "*")
            .is_some_and(|text| text.ends_with("because no session policy allows the kms:Decrypt action"))
    );
}
