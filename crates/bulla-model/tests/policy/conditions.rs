//! Every operator and every rule of conditions, a row each.

use crate::harness::{ALICE, KEY, identity_policy, keys, request, user};

/// Whether `Allow` and `Deny` statements with the condition apply.
pub(crate) fn applies(condition: &str, pairs: &[(&str, &[&str])]) -> (bool, bool) {
    let keys = keys(pairs);
    let one = |effect: &str| {
        let statement = format!(r#"{{"Effect":"{effect}","Action":"kms:*","Resource":"*","Condition":{condition}}}"#);
        let verdict = identity_policy(&statement).evaluate(&request(user(ALICE), "kms:Decrypt", KEY, &keys));
        verdict.allowed.is_some() || verdict.denied.is_some()
    };
    (one("Allow"), one("Deny"))
}

/// A condition, the keys of the request, whether it is met.
pub(crate) type Row<'a> = (&'a str, &'a [(&'a str, &'a [&'a str])], bool);

#[track_caller]
pub(crate) fn table(rows: &[Row<'_>]) {
    for (condition, pairs, expected) in rows {
        assert_eq!(
            applies(condition, pairs),
            (*expected, *expected),
            "{condition} with {pairs:?}"
        );
    }
}

#[test]
fn each_string_operator_compares_as_documented() {
    table(&[
        (
            r#"{"StringEquals":{"aws:username":"alice"}}"#,
            &[("aws:username", &["alice"])],
            true,
        ),
        (
            r#"{"StringEquals":{"aws:username":"alice"}}"#,
            &[("aws:username", &["Alice"])],
            false,
        ),
        (
            r#"{"StringEquals":{"aws:username":"a*"}}"#,
            &[("aws:username", &["alice"])],
            false,
        ),
        (
            r#"{"StringEquals":{"aws:username":"a*"}}"#,
            &[("aws:username", &["a*"])],
            true,
        ),
        (
            r#"{"StringEquals":{"aws:username":["bob","alice"]}}"#,
            &[("aws:username", &["alice"])],
            true,
        ),
        (
            r#"{"StringNotEquals":{"aws:username":"alice"}}"#,
            &[("aws:username", &["alice"])],
            false,
        ),
        (
            r#"{"StringNotEquals":{"aws:username":"alice"}}"#,
            &[("aws:username", &["bob"])],
            true,
        ),
        (
            r#"{"StringNotEquals":{"aws:username":["bob","alice"]}}"#,
            &[("aws:username", &["alice"])],
            false,
        ),
        (
            r#"{"StringNotEquals":{"aws:username":["bob","alice"]}}"#,
            &[("aws:username", &["eve"])],
            true,
        ),
        (
            r#"{"StringEqualsIgnoreCase":{"aws:username":"ALICE"}}"#,
            &[("aws:username", &["alice"])],
            true,
        ),
        (
            r#"{"StringEqualsIgnoreCase":{"aws:username":"ÄRA"}}"#,
            &[("aws:username", &["ära"])],
            true,
        ),
        (
            r#"{"StringNotEqualsIgnoreCase":{"aws:username":"ALICE"}}"#,
            &[("aws:username", &["alice"])],
            false,
        ),
        (
            r#"{"StringLike":{"aws:username":"al?c*"}}"#,
            &[("aws:username", &["alice"])],
            true,
        ),
        (
            r#"{"StringLike":{"aws:username":"AL*"}}"#,
            &[("aws:username", &["alice"])],
            false,
        ),
        (
            r#"{"StringNotLike":{"aws:username":"al*"}}"#,
            &[("aws:username", &["alice"])],
            false,
        ),
        (
            r#"{"StringNotLike":{"aws:username":"al*"}}"#,
            &[("aws:username", &["bob"])],
            true,
        ),
    ]);
}

#[test]
fn each_numeric_operator_compares_numbers() {
    let days = "kms:ScheduleKeyDeletionPendingWindowInDays";
    for (operator, holds) in [
        ("NumericEquals", [false, true, false]),
        ("NumericNotEquals", [true, false, true]),
        ("NumericLessThan", [true, false, false]),
        ("NumericLessThanEquals", [true, true, false]),
        ("NumericGreaterThan", [false, false, true]),
        ("NumericGreaterThanEquals", [false, true, true]),
    ] {
        for (value, expected) in ["7", "10.0", "21"].into_iter().zip(holds) {
            for limit in ["10", "\"10\""] {
                let condition = format!(r#"{{"{operator}":{{"{days}":{limit}}}}}"#);
                assert_eq!(
                    applies(&condition, &[(days, &[value])]),
                    (expected, expected),
                    "{condition} {value}"
                );
            }
        }
    }
    // What is no number is not equal to any, and neither less nor greater.
    table(&[
        (r#"{"NumericLessThan":{"kms:X":"10"}}"#, &[("kms:X", &["seven"])], false),
        (r#"{"NumericNotEquals":{"kms:X":"10"}}"#, &[("kms:X", &["seven"])], true),
    ]);
}

#[test]
fn each_date_operator_compares_moments() {
    let moments = ["2020-03-31T23:59:59Z", "2020-04-01T00:00:00Z", "2020-04-01T00:00:01Z"];
    for (operator, holds) in [
        ("DateEquals", [false, true, false]),
        ("DateNotEquals", [true, false, true]),
        ("DateLessThan", [true, false, false]),
        ("DateLessThanEquals", [true, true, false]),
        ("DateGreaterThan", [false, false, true]),
        ("DateGreaterThanEquals", [false, true, true]),
    ] {
        for (moment, expected) in moments.into_iter().zip(holds) {
            for limit in ["2020-04-01T00:00:00Z", "2020-04-01", "1585699200"] {
                let condition = format!(r#"{{"{operator}":{{"aws:CurrentTime":"{limit}"}}}}"#);
                let met = applies(&condition, &[("aws:CurrentTime", &[moment])]);
                assert_eq!(met, (expected, expected), "{condition} {moment}");
            }
        }
    }
}

#[test]
fn bool_binary_ip_and_arn_operators_compare_as_documented() {
    table(&[
        (
            r#"{"Bool":{"aws:SecureTransport":"false"}}"#,
            &[("aws:SecureTransport", &["false"])],
            true,
        ),
        (
            r#"{"Bool":{"aws:SecureTransport":false}}"#,
            &[("aws:SecureTransport", &["true"])],
            false,
        ),
        (
            r#"{"Bool":{"aws:SecureTransport":["true","false"]}}"#,
            &[("aws:SecureTransport", &["true"])],
            true,
        ),
        (
            r#"{"BinaryEquals":{"key:k":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}"#,
            &[("key:k", &["QmluYXJ5VmFsdWVJbkJhc2U2NA=="])],
            true,
        ),
        (
            r#"{"BinaryEquals":{"key:k":"QmluYXJ5"}}"#,
            &[("key:k", &["QmluYXJ6"])],
            false,
        ),
        (
            r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            &[("aws:SourceIp", &["203.0.113.9"])],
            true,
        ),
        (
            r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            &[("aws:SourceIp", &["203.0.114.9"])],
            false,
        ),
        (
            r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:DB8:1234:5678::/64"]}}"#,
            &[("aws:SourceIp", &["2001:db8:1234:5678::1"])],
            true,
        ),
        (
            r#"{"NotIpAddress":{"aws:SourceIp":["203.0.113.0/24","10.0.0.0/8"]}}"#,
            &[("aws:SourceIp", &["10.1.2.3"])],
            false,
        ),
        (
            r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            &[("aws:SourceIp", &["10.1.2.3"])],
            true,
        ),
        // The process's own calls have no address.
        (
            r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            &[("aws:SourceIp", &["in-process"])],
            true,
        ),
        (
            r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/*"}}"#,
            &[("aws:PrincipalArn", &["arn:aws:iam::111122223333:user/alice"])],
            true,
        ),
        (
            r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}"#,
            &[("aws:PrincipalArn", &["arn:aws:iam::111122223333:user/alice"])],
            false,
        ),
        (
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}"#,
            &[("aws:PrincipalArn", &["alice"])],
            false,
        ),
        (
            r#"{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}"#,
            &[("aws:PrincipalArn", &["alice"])],
            true,
        ),
    ]);
}

/// The example of the page on operators: `StringLike` matches across colons, `ArnLike` does not.
#[test]
fn a_wildcard_of_an_arn_operator_stays_in_its_component() {
    let value: &[&str] = &["arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"];
    let pattern = "arn:aws:someservice:*:111122223333:finance/*";
    for (operator, expected) in [
        ("StringLike", true),
        ("ArnLike", false),
        ("ArnEquals", false),
        ("ArnNotLike", true),
    ] {
        let condition = format!(r#"{{"{operator}":{{"aws:SourceArn":"{pattern}"}}}}"#);
        assert_eq!(
            applies(&condition, &[("aws:SourceArn", value)]),
            (expected, expected),
            "{operator}"
        );
    }
}

#[test]
fn a_missing_key_fails_what_is_wanted_and_meets_what_is_not() {
    for (operator, value, met) in [
        ("StringEquals", "x", false),
        ("StringNotEquals", "x", true),
        ("StringEqualsIgnoreCase", "x", false),
        ("StringNotEqualsIgnoreCase", "x", true),
        ("StringLike", "*", false),
        ("StringNotLike", "*", true),
        ("NumericEquals", "1", false),
        ("NumericNotEquals", "1", true),
        ("NumericLessThan", "1", false),
        ("DateNotEquals", "2020-01-01", true),
        ("DateGreaterThan", "2020-01-01", false),
        ("Bool", "false", false),
        ("BinaryEquals", "QQ==", false),
        ("IpAddress", "0.0.0.0/0", false),
        ("NotIpAddress", "0.0.0.0/0", true),
        ("ArnEquals", "*", false),
        ("ArnNotEquals", "*", true),
        ("ArnLike", "*", false),
        ("ArnNotLike", "*", true),
    ] {
        let condition = format!(r#"{{"{operator}":{{"some:Key":"{value}"}}}}"#);
        assert_eq!(applies(&condition, &[]), (met, met), "{operator}");
        let condition = format!(r#"{{"{operator}IfExists":{{"some:Key":"{value}"}}}}"#);
        assert_eq!(applies(&condition, &[]), (true, true), "{operator}IfExists");
        let condition = format!(r#"{{"ForAllValues:{operator}":{{"some:Key":"{value}"}}}}"#);
        assert_eq!(applies(&condition, &[]), (true, true), "ForAllValues:{operator}");
        for suffix in ["", "IfExists"] {
            let condition = format!(r#"{{"ForAnyValue:{operator}{suffix}":{{"some:Key":"{value}"}}}}"#);
            assert_eq!(
                applies(&condition, &[]),
                (false, false),
                "ForAnyValue:{operator}{suffix}"
            );
        }
    }
}

#[test]
fn if_exists_changes_nothing_where_the_key_is_there() {
    table(&[
        (
            r#"{"StringEqualsIfExists":{"kms:ViaService":"s3"}}"#,
            &[("kms:ViaService", &["ec2"])],
            false,
        ),
        (
            r#"{"StringEqualsIfExists":{"kms:ViaService":"s3"}}"#,
            &[("kms:ViaService", &["s3"])],
            true,
        ),
        (
            r#"{"StringNotEqualsIfExists":{"kms:ViaService":"s3"}}"#,
            &[("kms:ViaService", &["s3"])],
            false,
        ),
        (r#"{"StringNotEqualsIfExists":{"kms:ViaService":"s3"}}"#, &[], true),
    ]);
}

#[test]
fn null_tells_whether_a_key_is_there() {
    table(&[
        (r#"{"Null":{"kms:EncryptionContextKeys":false}}"#, &[], false),
        (
            r#"{"Null":{"kms:EncryptionContextKeys":false}}"#,
            &[("kms:EncryptionContextKeys", &["a"])],
            true,
        ),
        (r#"{"Null":{"aws:TokenIssueTime":"true"}}"#, &[], true),
        (
            r#"{"Null":{"aws:TokenIssueTime":"true"}}"#,
            &[("aws:TokenIssueTime", &["1"])],
            false,
        ),
    ]);
}

/// The tables of `reference_policies_multi-value-conditions`.
#[test]
fn set_operators_compare_every_value_with_every_value() {
    let requested: &[(&str, &[&str])] = &[("dynamodb:requestedAttributes", &["PostDateTime", "UserName"])];
    let within: &[(&str, &[&str])] = &[("dynamodb:requestedAttributes", &["PostDateTime", "Message"])];
    let all = r#"{"ForAllValues:StringLike":{"dynamodb:requestedAttributes":["PostDateTime","Message","Tags"]}}"#;
    let any = r#"{"ForAnyValue:StringLike":{"dynamodb:requestedAttributes":["ID","PostDateTime"]}}"#;
    table(&[
        (all, requested, false),
        (all, within, true),
        (all, &[], true),
        (all, &[("dynamodb:requestedAttributes", &[""])], true),
        (
            any,
            &[("dynamodb:requestedAttributes", &["UserName", "Message", "PostDateTime"])],
            true,
        ),
        (any, &[("dynamodb:requestedAttributes", &["UserName"])], false),
        (any, &[], false),
        (any, &[("dynamodb:requestedAttributes", &[""])], false),
        (
            r#"{"ForAllValues:StringNotEquals":{"k:k":["a","b"]}}"#,
            &[("k:k", &["c", "d"])],
            true,
        ),
        (
            r#"{"ForAllValues:StringNotEquals":{"k:k":["a","b"]}}"#,
            &[("k:k", &["c", "a"])],
            false,
        ),
        (
            r#"{"ForAnyValue:StringNotEquals":{"k:k":["a","b"]}}"#,
            &[("k:k", &["a", "b"])],
            false,
        ),
        (
            r#"{"ForAnyValue:StringNotEquals":{"k:k":["a","b"]}}"#,
            &[("k:k", &["a", "c"])],
            true,
        ),
    ]);
}

#[test]
fn several_values_without_a_set_operator_are_read_against_the_asker() {
    let two: &[(&str, &[&str])] = &[("k:k", &["a", "b"])];
    assert_eq!(applies(r#"{"StringEquals":{"k:k":"a"}}"#, two), (false, true));
    assert_eq!(applies(r#"{"StringEquals":{"k:k":["a","b"]}}"#, two), (true, true));
    assert_eq!(applies(r#"{"StringNotEquals":{"k:k":"a"}}"#, two), (false, true));
    assert_eq!(applies(r#"{"StringNotEquals":{"k:k":"c"}}"#, two), (true, true));
}

#[test]
fn keys_and_operators_are_all_needed_and_values_are_alternatives() {
    let both = r#"{"StringEquals":{"kms:EncryptionContext:Department":"IT","kms:EncryptionContext:Project":["Alpha","Beta"]}}"#;
    let two_operators = r#"{"StringEquals":{"a:a":"1"},"NumericLessThan":{"b:b":"5"}}"#;
    table(&[
        (
            both,
            &[
                ("kms:EncryptionContext:Department", &["IT"]),
                ("kms:EncryptionContext:Project", &["Beta"]),
            ],
            true,
        ),
        (both, &[("kms:EncryptionContext:Department", &["IT"])], false),
        (both, &[("kms:EncryptionContext:Project", &["Beta"])], false),
        (two_operators, &[("a:a", &["1"]), ("b:b", &["4"])], true),
        (two_operators, &[("a:a", &["1"]), ("b:b", &["5"])], false),
        (two_operators, &[("a:a", &["2"]), ("b:b", &["4"])], false),
    ]);
}

#[test]
fn names_of_keys_ignore_case_and_values_do_not() {
    table(&[
        (
            r#"{"StringEquals":{"AWS:UserName":"alice"}}"#,
            &[("aws:username", &["alice"])],
            true,
        ),
        (
            r#"{"StringEquals":{"kms:EncryptionContext:APPNAME":"ExampleApp"}}"#,
            &[("kms:EncryptionContext:AppName", &["ExampleApp"])],
            true,
        ),
        (
            r#"{"StringEquals":{"kms:EncryptionContext:AppName":"exampleapp"}}"#,
            &[("kms:EncryptionContext:AppName", &["ExampleApp"])],
            false,
        ),
    ]);
}
