use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    text: Option<Text>,
    number: Option<Number>,
    flag: Option<Flag>,
    blob: Option<Blob>,
    map: Option<Pairs>,
    list: Option<List<Text>>,
    inner: Option<Object<Inner>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Inner {
    text: Option<Text>,
}

#[track_caller]
fn refused(body: &[u8], message: Option<&str>) {
    let failure = parse::<Input>(body).expect_err("refused");
    assert_eq!(
        (failure.code, failure.message.as_deref()),
        ("SerializationException", message)
    );
}

#[test]
fn members_of_every_kind_are_read() {
    let body = br#" {"Text":"a\u00e9","Number":-7,"Flag":true,"Blob":"aGk=","Map":{"k":"v","n":null},"List":["x",null],
        "Inner":{"Text":"deep","More":[1,{"a":[]}]},"Unknown":{"a":[1,2,{"b":null}]},"Unknown":1} "#;
    let input = parse::<Input>(body).expect("an input");
    assert_eq!(input.text.expect("a text").0, "a\u{e9}");
    assert_eq!(input.number.expect("a number").0, -7);
    assert!(input.flag.expect("a flag").0);
    assert_eq!(&**input.blob.expect("a blob").0, b"hi");
    let pairs = input.map.expect("a map").0;
    assert_eq!((pairs.len(), pairs[0].0.as_str(), pairs[1].1.is_none()), (2, "k", true));
    assert_eq!(input.list.expect("a list").0.len(), 2);
    assert_eq!(input.inner.expect("an object").0.text.expect("a text").0, "deep");
}

#[test]
fn null_is_absent() {
    let body = br#"{"Text":null,"Number":null,"Flag":null,"Blob":null,"Map":null,"List":null,"Inner":null}"#;
    let input = parse::<Input>(body).expect("an input");
    assert!(input.text.is_none() && input.blob.is_none() && input.inner.is_none());
}

#[test]
fn fractions_are_cut_and_huge_numbers_stay_huge() {
    let number = |body: &str| {
        parse::<Input>(body.as_bytes())
            .expect("an input")
            .number
            .expect("a number")
            .0
    };
    assert_eq!(number(r#"{"Number":32.9}"#), 32);
    assert_eq!(number(r#"{"Number":1e300}"#), i64::MAX);
    assert_eq!(number(r#"{"Number":18446744073709551615}"#), i64::MAX);
}

#[test]
fn each_wrong_type_has_awss_words() {
    const CLASS: &str = "com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    for (member, kind, takes) in [
        ("Text", "an String", "string"),
        ("Number", "an Integer", "number"),
        ("Flag", "an Boolean", "boolean"),
        ("Blob", "a Blob", "string"),
    ] {
        for (sent, json, class) in [
            ("string", "\"x\"", "java.lang.String"),
            ("number", "7", CLASS),
            ("number", "-7", CLASS),
            ("number", "7.5", CLASS),
            ("boolean", "true", "java.lang.Boolean"),
        ] {
            if sent != takes {
                let message = format!("class {class} can not be converted to {kind}");
                refused(format!("{{\"{member}\":{json}}}").as_bytes(), Some(&message));
            }
        }
        refused(
            format!("{{\"{member}\":[]}}").as_bytes(),
            Some("Start of list found where not expected"),
        );
        refused(
            format!("{{\"{member}\":{{}}}}").as_bytes(),
            Some("Start of structure or map found where not expected."),
        );
    }
    for json in ["\"x\"", "7", "true"] {
        refused(format!("{{\"Map\":{json}}}").as_bytes(), Some("Expected map or null"));
        refused(format!("{{\"List\":{json}}}").as_bytes(), Some("Expected list or null"));
        refused(format!("{{\"Inner\":{json}}}").as_bytes(), Some("Expected null"));
    }
    refused(br#"{"Map":[]}"#, Some("Start of list found where not expected"));
    refused(br#"{"Inner":["x"]}"#, Some("Start of list found where not expected"));
    refused(
        br#"{"List":{}}"#,
        Some("Start of structure or map found where not expected."),
    );
    refused(
        br#"{"List":[7]}"#,
        Some(&format!("class {CLASS} can not be converted to an String")),
    );
    refused(br#"["x"]"#, Some("Start of list found where not expected"));
}

#[test]
fn what_is_no_object_of_json_is_refused_without_words() {
    let nested = format!("{{\"Unknown\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"Inner\":".repeat(10_000), "}".repeat(10_000));
    for body in [
        &b""[..],
        b"{",
        b"{}x",
        b"nul",
        b"{\"Text\":\"a\xff\"}",
        b"\xff",
        b"{\"Unknown\":\"\xff\"}",
        nested.as_bytes(),
        objects.as_bytes(),
        b"{\"Text\":\"a\nb\"}",
        br#"{"Text":"\ud800"}"#,
    ] {
        refused(body, None);
    }
}

#[test]
fn brackets_in_strings_nest_nothing() {
    let brackets = "[{".repeat(1000);
    let body = format!(r#"{{"Text":"{brackets}\\\"{brackets}","List":["{brackets}"]}}"#);
    assert_eq!(
        parse::<Input>(body.as_bytes())
            .expect("an input")
            .text
            .expect("a text")
            .0
            .len(),
        4002
    );
    let wide = format!(r#"{{"Unknown":[{}1]}}"#, "[],".repeat(1000));
    assert!(parse::<Input>(wide.as_bytes()).is_ok());
}

#[test]
fn a_member_twice_is_refused() {
    refused(br#"{"Text":"a","Text":"a"}"#, None);
    refused(br#"{"Text":null,"Text":"a"}"#, None);
    refused(br#"{"Map":{"k":"v","k":"w"}}"#, None);
    refused(br#"{"Inner":{"Text":"a","Text":"b"}}"#, None);
}

#[test]
fn base64_is_standard_and_padded_and_its_text_does_not_come_back() {
    for text in [
        "c2VjcmV0IQ",
        "c2VjcmV0IQ=",
        "c2Vj cmV0IQ==",
        "c2VjcmV0I_-=",
        "c2VjcmV0IR==",
        "====",
        "=",
    ] {
        refused(
            format!("{{\"Blob\":\"{text}\"}}").as_bytes(),
            Some("The value can not be converted to a Blob: Invalid Base64"),
        );
    }
    assert_eq!(
        format!("{:?}", Blob(Zeroizing::new(b"secret".to_vec()))),
        "Blob([6 bytes, redacted])"
    );
}

proptest! {
    #[test]
    fn no_message_quotes_a_string_of_the_input(text in "[a-z]{12,20}", member in "(Number|Flag|Map|List|Inner|Blob)") {
        let failure = parse::<Input>(format!("{{\"{member}\":\"{text}#\"}}").as_bytes()).expect_err("refused");
        prop_assert!(!failure.message.unwrap_or_default().contains(&text));
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse::<Input>(&body);
    }
}
