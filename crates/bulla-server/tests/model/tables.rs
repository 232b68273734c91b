//! The façade's own tables beside the model.

use bulla_server::{CHOICES, ROUTES, RULES};
use proptest::prelude::*;

use crate::botocore::{MODEL, Shape, operations, output};

#[test]
fn the_table_of_operations_is_the_models_and_all_56_are_built() {
    assert_eq!(MODEL["version"], "1.44.5", "the pinned botocore");
    let names: Vec<&str> = ROUTES.iter().map(|route| route.name).collect();
    assert_eq!(names, operations());
    assert_eq!(names.len(), 56);
    let missing: Vec<&str> = ROUTES
        .iter()
        .filter(|route| !route.built)
        .map(|route| route.name)
        .collect();
    assert_eq!(missing, [""; 0], "not built");
}

#[test]
fn the_operations_without_output_are_the_models() {
    for operation in operations() {
        let empty = output(operation).is_none();
        let of_aws = matches!(
            operation,
            "CreateAlias"
                | "DeleteAlias"
                | "DisableKey"
                | "DisableKeyRotation"
                | "EnableKey"
                | "EnableKeyRotation"
                | "PutKeyPolicy"
                | "RetireGrant"
                | "RevokeGrant"
                | "TagResource"
                | "UntagResource"
                | "UpdateAlias"
                | "UpdateKeyDescription"
                | "UpdatePrimaryRegion"
        );
        assert_eq!(empty, of_aws, "{operation}");
    }
}

#[test]
fn every_rule_has_the_models_limits_and_every_set_its_values() {
    for rule in RULES {
        let shape = Shape::of(rule.shape);
        let limits = (shape.min().unwrap(), shape.max().unwrap());
        assert_eq!((rule.min as i64, rule.max as i64), limits, "{}", rule.shape);
        assert_eq!(rule.pattern, shape.pattern(), "{}", rule.shape);
        // A grant token is a credential of sorts: Bulla shows none, though AWS's model does not ask for it.
        assert_eq!(
            rule.sensitive,
            shape.is_sensitive() || rule.shape == "GrantTokenType",
            "{}",
            rule.shape
        );
    }
    for set in CHOICES {
        let (mut ours, mut theirs) = (set.values.to_vec(), Shape::of(set.shape).values().unwrap());
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{}", set.shape);
    }
}

/// Strings that come near the patterns of the model.
fn near(rule: usize) -> impl Strategy<Value = (usize, String)> {
    let pieces = prop::sample::select(vec![
        "arn:",
        "aws",
        "aws-cn",
        ":",
        "kms:",
        "us-east-1",
        "us-",
        "gov-",
        "-1",
        "123456789012",
        "cluster-",
        "abc234xyz99",
        "https://",
        "/",
        "/kms/xks/v",
        "1",
        "12",
        "com.",
        "eu.",
        "amazonaws.vpce.",
        ".vpce-svc-",
        "a",
        "Z",
        "_",
        ".",
        " ",
        "\n",
        "\r",
        "\t",
        "é",
        "\u{100}",
        "=",
        "+",
        ",",
        "@",
        "-",
        "ABCDEFGHIJ234567",
        "0",
        "9",
        "\u{0}",
        "\u{b}",
        "Ω",
    ]);
    (
        Just(rule),
        prop::collection::vec(pieces, 0..7).prop_map(|parts| parts.concat()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_rule_admits_what_the_models_pattern_admits((rule, text) in (0..RULES.len()).prop_flat_map(near)) {
        let rule = &RULES[rule];
        prop_assert_eq!(rule.admits(&text), Shape::of(rule.shape).admits(&text), "{} {:?}", rule.shape, text);
    }
}
