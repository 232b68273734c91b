//! A slow and naive evaluator, written from AWS's pages over plain JSON, and random policies on which both must agree.

use std::collections::BTreeMap;

use bulla_model::policy::{Asker, Outcome, Policy, PolicyKind, Side, Sides, decide};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Keys, request};

type Context = BTreeMap<String, Vec<String>>;

fn glob(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        Some(('?', rest)) => !text.is_empty() && glob(rest, &text[1..]),
        Some((c, rest)) => text.first() == Some(c) && glob(rest, &text[1..]),
    }
}

fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    glob(&pattern, &text)
}

fn arn_like(pattern: &str, arn: &str, complete: bool) -> bool {
    if pattern == "*" {
        return complete || arn.splitn(6, ':').count() == 6;
    }
    let mut patterns: Vec<&str> = pattern.splitn(6, ':').collect();
    while complete && patterns.len() < 6 {
        patterns.push("*");
    }
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    parts.len() == 6 && patterns.len() == 6 && patterns.iter().zip(parts).all(|(pattern, part)| like(pattern, part))
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().expect("a string").to_owned())
            .collect(),
        Value::String(text) => vec![text.clone()],
        other => unreachable!("{other}"),
    }
}

/// Replaces `${aws:username}`; `None` where there is none.
fn replace(text: &str, context: &Context) -> Option<String> {
    if !text.contains("${aws:username}") {
        return Some(text.to_owned());
    }
    match context.get("aws:username").map(Vec::as_slice) {
        Some([name]) => Some(text.replace("${aws:username}", name)),
        _ => None,
    }
}

fn condition_met(operator: &str, key: &str, wanted: &Value, context: &Context, allows: bool) -> bool {
    let values = context.get(&key.to_lowercase()).cloned().unwrap_or_default();
    let (set, operator) = operator
        .split_once(':')
        .map_or(("", operator), |(set, rest)| (set, rest));
    let (operator, if_exists) = operator
        .strip_suffix("IfExists")
        .map_or((operator, false), |rest| (rest, true));
    if operator == "Null" {
        return list(wanted).contains(&values.is_empty().to_string());
    }
    let negated = operator.contains("Not");
    let plain = operator.replace("Not", "");
    let one = |value: &String| {
        let mut matched = false;
        let mut unknown = false;
        for pattern in list(wanted) {
            let Some(pattern) = replace(&pattern, context) else {
                unknown = true;
                continue;
            };
            matched |= match &*plain {
                "StringEquals" => pattern == *value,
                "StringEqualsIgnoreCase" => pattern.to_lowercase() == value.to_lowercase(),
                "StringLike" => like(&pattern, value),
                "ArnLike" | "ArnEquals" => arn_like(&pattern, value, false),
                "NumericEquals" => value
                    .parse::<i64>()
                    .is_ok_and(|value| Ok(value) == pattern.parse::<i64>()),
                "NumericLessThan" => value
                    .parse::<i64>()
                    .is_ok_and(|value| pattern.parse::<i64>().is_ok_and(|limit| value < limit)),
                other => unreachable!("{other}"),
            };
        }
        match (matched, negated) {
            (true, negated) => !negated,
            (false, true) => !(unknown && allows),
            (false, false) => false,
        }
    };
    let empty = values.iter().all(String::is_empty);
    match set {
        "ForAllValues" => empty || values.iter().all(one),
        "ForAnyValue" => !empty && values.iter().any(one),
        _ if values.is_empty() => negated || if_exists,
        _ if allows => values.iter().all(one),
        _ => values.iter().any(one),
    }
}

/// Whether a principal element names the asker: himself, and by his account.
fn names(element: &Value, asker: &Asker<'_>) -> (bool, bool) {
    let listed = match element {
        Value::String(_) => vec!["*".to_owned()],
        other => list(&other["AWS"]),
    };
    let root = format!("arn:aws:iam::{}:root", asker.account);
    let himself = listed
        .iter()
        .any(|name| name == "*" || name == asker.arn || Some(&**name) == asker.role);
    let account = listed
        .iter()
        .any(|name| name == "*" || name == asker.account || *name == root);
    (himself || (account && asker.arn == root), account)
}

fn statement_applies(
    statement: &Value,
    asker: &Asker<'_>,
    action: &str,
    resource: &str,
    context: &Context,
) -> Option<bool> {
    let allows = statement["Effect"] == "Allow";
    let (himself, account) = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(element), _) => names(element, asker),
        (_, Some(element)) => {
            let (himself, account) = names(element, asker);
            let excepted = if allows { himself || account } else { himself && account };
            (!excepted, false)
        }
        _ => (true, true),
    };
    if !himself && !account {
        return None;
    }
    let action_named = |element: &Value| {
        list(element)
            .iter()
            .any(|pattern| like(&pattern.to_lowercase(), &action.to_lowercase()))
    };
    let action_fits = match statement.get("Action") {
        Some(element) => action_named(element),
        None => !action_named(&statement["NotAction"]),
    };
    let resource_named = |element: &Value| {
        let mut unknown = false;
        let named = list(element).iter().any(|pattern| match replace(pattern, context) {
            Some(pattern) => arn_like(&pattern, resource, true),
            None => {
                unknown = true;
                false
            }
        });
        (named, unknown)
    };
    let resource_fits = match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(element), _) => resource_named(element).0,
        (_, Some(element)) => match resource_named(element) {
            (true, _) => false,
            (false, true) => !allows,
            (false, false) => true,
        },
        _ => false,
    };
    let mut met = true;
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, wanted) in keys.as_object().expect("keys") {
            met &= condition_met(operator, key, wanted, context, allows);
        }
    }
    (action_fits && resource_fits && met).then_some(himself)
}

fn statements(policy: &Value) -> Vec<Value> {
    policy["Statement"].as_array().expect("statements").clone()
}

/// Allowed, denied by, or lacking.
fn reference(
    key: &Value,
    identity: &[Value],
    asker: &Asker<'_>,
    same_account: bool,
    action: &str,
    resource: &str,
    context: &Context,
) -> Outcome {
    let applying = |policy: &Value| -> Vec<(Value, bool)> {
        let applying = statements(policy).into_iter().filter_map(|statement| {
            let himself = statement_applies(&statement, asker, action, resource, context)?;
            Some((statement["Effect"].clone(), himself))
        });
        applying.collect()
    };
    let of_key = applying(key);
    let of_identity: Vec<(Value, bool)> = identity.iter().flat_map(&applying).collect();
    let denies = |found: &[(Value, bool)]| found.iter().any(|(effect, _)| effect == "Deny");
    let himself = of_key.iter().any(|(effect, himself)| effect == "Allow" && *himself);
    let by_key = of_key.iter().any(|(effect, _)| effect == "Allow");
    let by_identity = of_identity.iter().any(|(effect, _)| effect == "Allow");
    if denies(&of_key) {
        Outcome::Denied(Side::Resource)
    } else if denies(&of_identity) {
        Outcome::Denied(Side::Identity)
    } else if (himself && same_account) || (by_key && by_identity) {
        Outcome::Allowed
    } else if by_key {
        Outcome::NotAllowed(Side::Identity)
    } else {
        Outcome::NotAllowed(Side::Resource)
    }
}

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];

fn pick(values: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(values).prop_map(str::to_owned)
}

fn some_of(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![
        pick(values).prop_map(Value::from),
        prop::collection::vec(pick(values), 1..4).prop_map(Value::from),
    ]
}

fn principals() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(json!("*")),
        4 => some_of(&[
            "*", "111122223333", "444455556666", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/a",
            "arn:aws:iam::111122223333:user/b", "arn:aws:iam::444455556666:user/a", "arn:aws:iam::111122223333:role/r",
        ])
        .prop_map(|named| json!({ "AWS": named })),
    ]
}

fn actions() -> impl Strategy<Value = Value> {
    some_of(&[
        "kms:*",
        "kms:Encrypt",
        "KMS:decrypt",
        "kms:?ncrypt",
        "kms:*crypt",
        "*",
        "bulla:*",
        "kms:D*y*t",
        "kms:de?ry*",
    ])
}

fn resources() -> impl Strategy<Value = Value> {
    some_of(&[
        "*",
        "arn:aws:kms:r:111122223333:key/a",
        "arn:aws:kms:*:111122223333:key/*",
        "arn:aws:kms:*:*:key/?",
        "arn:aws:kms:*:key/a",
        "arn:aws:kms",
        "arn:aws:kms:r:111122223333:key/${aws:username}",
        "arn:aws:kms:r:*2*3*:k*y/*a",
        "arn:aws:kms:r:111122223333:key/b*",
    ])
}

fn conditions() -> impl Strategy<Value = Value> {
    let set = prop::sample::select(vec!["", "ForAllValues:", "ForAnyValue:"]);
    let texts = pick(&[
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ]);
    let text_values = some_of(&[
        "a",
        "A",
        "b",
        "a*",
        "?",
        "*b*a",
        "",
        "${aws:username}",
        "x${aws:username}*",
        "aa?",
    ]);
    let arns = pick(&["ArnEquals", "ArnNotLike", "ArnLike", "ArnNotEquals"]);
    let arn_values = some_of(&[
        "*",
        "arn:aws:iam::*:user/a",
        "arn:aws:iam::111122223333:user/${aws:username}",
        "arn:*:*:*:*:*",
        "arn:aws:*:user/a:*:*",
    ]);
    let numbers = pick(&["NumericEquals", "NumericNotEquals", "NumericLessThan"]);
    let number_values = some_of(&["1", "2", "3"]);
    let suffix = prop::sample::select(vec!["", "IfExists"]);
    let key = pick(&["k:one", "K:Two", "k:many", "k:absent"]);
    let one = prop_oneof![
        4 => (set.clone(), texts, suffix.clone(), key.clone(), text_values).prop_map(|(set, base, suffix, key, values)| (format!("{set}{base}{suffix}"), key, values)),
        2 => (set.clone(), arns, suffix.clone(), text_key(), arn_values).prop_map(|(set, base, suffix, key, values)| (format!("{set}{base}{suffix}"), key, values)),
        2 => (set, numbers, suffix, key.clone(), number_values).prop_map(|(set, base, suffix, key, values)| (format!("{set}{base}{suffix}"), key, values)),
        1 => (key, some_of(&["true", "false"])).prop_map(|(key, values)| ("Null".to_owned(), key, values)),
    ];
    prop::collection::vec(one, 0..3).prop_map(|all| {
        let mut conditions = json!({});
        for (operator, key, values) in all {
            conditions[operator][key] = values;
        }
        conditions
    })
}

fn text_key() -> impl Strategy<Value = String> {
    pick(&["aws:principalarn", "k:one", "k:absent"])
}

fn statement(principal: bool) -> impl Strategy<Value = Value> {
    let effect = prop_oneof![3 => Just("Allow"), 1 => Just("Deny")];
    let nots = prop::array::uniform3(prop::bool::weighted(0.2));
    (effect, principals(), actions(), resources(), conditions(), nots).prop_map(
        move |(effect, principals, actions, resources, conditions, [not_principal, not_action, not_resource])| {
            let mut statement = json!({ "Effect": effect, "Condition": conditions });
            let name = |not: bool, name: &str| if not { format!("Not{name}") } else { name.to_owned() };
            statement[name(not_action, "Action")] = actions;
            statement[name(not_resource, "Resource")] = resources;
            if principal {
                statement[name(not_principal, "Principal")] = principals;
            }
            statement
        },
    )
}

fn policy(principal: bool) -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(principal), 1..5)
        .prop_map(|statements| json!({ "Version": "2012-10-17", "Statement": statements }))
}

fn context() -> impl Strategy<Value = Context> {
    let text = || {
        pick(&[
            "a",
            "A",
            "b",
            "",
            "ab",
            "xa",
            "aab",
            "1",
            "2",
            "arn:aws:iam::111122223333:user/a",
        ])
    };
    // No star: the naive evaluator would take it for a wildcard, which a variable's value is not.
    let user = prop::option::of(pick(&["a", "b"]));
    let arn = pick(&[
        "arn:aws:iam::111122223333:user/a",
        "arn:aws:iam::444455556666:user/b",
        "odd",
    ]);
    (
        user,
        arn,
        prop::option::of(text()),
        prop::option::of(text()),
        prop::collection::vec(text(), 0..4),
    )
        .prop_map(|(user, arn, one, two, many)| {
            let mut context = Context::new();
            context.insert("aws:principalarn".to_owned(), vec![arn]);
            context.extend(user.map(|user| ("aws:username".to_owned(), vec![user])));
            context.extend(one.map(|one| ("k:one".to_owned(), vec![one])));
            context.extend(two.map(|two| ("k:two".to_owned(), vec![two])));
            if !many.is_empty() {
                context.insert("k:many".to_owned(), many);
            }
            context
        })
}

fn asker() -> impl Strategy<Value = (usize, &'static str, Option<&'static str>)> {
    prop::sample::select(vec![
        (0, "arn:aws:iam::111122223333:user/a", None),
        (0, "arn:aws:iam::111122223333:user/b", None),
        (0, "arn:aws:iam::111122223333:root", None),
        (
            0,
            "arn:aws:sts::111122223333:assumed-role/r/s",
            Some("arn:aws:iam::111122223333:role/r"),
        ),
        (1, "arn:aws:iam::444455556666:user/a", None),
    ])
}

/// 10^5 with `./scripts/test --full`.
fn cases() -> u32 {
    if std::env::var_os("BULLA_TEST_FULL").is_some() {
        100_000
    } else {
        4_000
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn the_evaluator_and_the_naive_one_agree(
        key in policy(true),
        identity in prop::collection::vec(policy(false), 0..3),
        (account, arn, role) in asker(),
        action in pick(&["kms:Encrypt", "kms:Decrypt", "bulla:ReadAudit"]),
        resource in pick(&["arn:aws:kms:r:111122223333:key/a", "arn:aws:kms:r:111122223333:key/b", "arn:aws:kms:s:111122223333:key/ba"]),
        context in context(),
    ) {
        let asker = Asker { account: ACCOUNTS[account], arn, role, federated: None };
        let parse = |kind, policy: &Value| Policy::parse(kind, &policy.to_string()).expect("a policy");
        let key_policy = parse(PolicyKind::Key, &key);
        let policies: Vec<Policy> = identity.iter().map(|policy| parse(PolicyKind::Identity, policy)).collect();
        let named: Vec<(&str, &Policy)> = policies.iter().map(|policy| ("p", policy)).collect();
        let keys = Keys(context.clone());
        let request = request(asker, &action, &resource, &keys);
        let sides = Sides {
            resource_account: ACCOUNTS[0],
            resource_policy: Some(&key_policy),
            identity: &named,
            ..Sides::default()
        };
        let decision = decide(&request, &sides);
        let expected = reference(&key, &identity, &asker, account == 0, &action, &resource, &context);
        prop_assert_eq!(decision.outcome, expected, "key policy {} identity {:?} context {:?}", key, identity, context);
    }

    #[test]
    fn patterns_match_as_the_naive_matcher_does(pattern in "[ab?*]{0,10}", text in "[abä]{0,12}") {
        let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"k:k": pattern}}}});
        let policy = Policy::parse(PolicyKind::Identity, &document.to_string()).expect("a policy");
        let keys = Keys([("k:k".to_owned(), vec![text.clone()])].into());
        let asker = Asker { account: ACCOUNTS[0], arn: "arn:aws:iam::111122223333:user/a", role: None, federated: None };
        let allowed = policy.evaluate(&request(asker, "kms:Encrypt", "*", &keys)).allowed.is_some();
        prop_assert_eq!(allowed, like(&pattern, &text));
    }
}
