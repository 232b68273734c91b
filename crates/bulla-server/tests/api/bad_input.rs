use serde_json::{Map, Value, json};

use crate::harness::Harness;

/// A member of an operation: its name, its kind, and whether it is required.
type Member = (&'static str, Kind, bool);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// A string of 1 (or none) to so many characters.
    Text(usize),
    /// One of a set.
    Choice(&'static str),
    Number(i64, i64),
    Flag,
    Blob(usize),
    Pairs,
    Texts,
    Object,
}

use Kind::{Blob, Choice, Flag, Number, Object, Pairs, Text, Texts};

const ALGORITHMS: &str = "[SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]";
const KEY: Member = ("KeyId", Text(2048), true);
const TOKENS: Member = ("GrantTokens", Texts, false);
const DRY_RUN: Member = ("DryRun", Flag, false);
const LIMIT: Member = ("Limit", Number(1, 1000), false);
const MARKER: Member = ("Marker", Text(1024), false);

/// Every member that a client can send to an operation that is built.
const OPERATIONS: &[(&str, &[Member])] = &[
    ("CancelKeyDeletion", &[KEY]),
    (
        "CreateAlias",
        &[("AliasName", Text(256), true), ("TargetKeyId", Text(2048), true)],
    ),
    (
        "CreateKey",
        &[
            ("Policy", Text(131_072), false),
            ("Description", Text(8192), false),
            (
                "KeyUsage",
                Choice("[SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]"),
                false,
            ),
            (
                "CustomerMasterKeySpec",
                Choice(
                    "[RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, \
                     HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2]",
                ),
                false,
            ),
            (
                "KeySpec",
                Choice(
                    "[RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, \
                     HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, ML_DSA_87, ECC_NIST_EDWARDS25519, \
                     ML_KEM_512, ML_KEM_768, ML_KEM_1024]",
                ),
                false,
            ),
            (
                "Origin",
                Choice("[AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE]"),
                false,
            ),
            ("CustomKeyStoreId", Text(64), false),
            ("BypassPolicyLockoutSafetyCheck", Flag, false),
            ("Tags", Texts, false),
            ("MultiRegion", Flag, false),
            ("XksKeyId", Text(128), false),
        ],
    ),
    (
        "Decrypt",
        &[
            ("CiphertextBlob", Blob(6144), true),
            ("EncryptionContext", Pairs, false),
            TOKENS,
            ("KeyId", Text(2048), false),
            ("EncryptionAlgorithm", Choice(ALGORITHMS), false),
            ("Recipient", Object, false),
            DRY_RUN,
            ("DryRunModifiers", Texts, false),
        ],
    ),
    ("DeleteAlias", &[("AliasName", Text(256), true)]),
    ("DescribeKey", &[KEY, TOKENS]),
    ("DisableKey", &[KEY]),
    ("DisableKeyRotation", &[KEY]),
    ("EnableKey", &[KEY]),
    (
        "EnableKeyRotation",
        &[KEY, ("RotationPeriodInDays", Number(90, 2560), false)],
    ),
    (
        "Encrypt",
        &[
            KEY,
            ("Plaintext", Blob(4096), true),
            ("EncryptionContext", Pairs, false),
            TOKENS,
            ("EncryptionAlgorithm", Choice(ALGORITHMS), false),
            DRY_RUN,
        ],
    ),
    (
        "GenerateDataKey",
        &[
            KEY,
            ("EncryptionContext", Pairs, false),
            ("NumberOfBytes", Number(1, 1024), false),
            ("KeySpec", Choice("[AES_256, AES_128]"), false),
            TOKENS,
            ("Recipient", Object, false),
            DRY_RUN,
        ],
    ),
    (
        "GenerateDataKeyWithoutPlaintext",
        &[
            KEY,
            ("EncryptionContext", Pairs, false),
            ("NumberOfBytes", Number(1, 1024), false),
            ("KeySpec", Choice("[AES_256, AES_128]"), false),
            TOKENS,
            DRY_RUN,
        ],
    ),
    (
        "GenerateRandom",
        &[
            ("NumberOfBytes", Number(1, 1024), true),
            ("CustomKeyStoreId", Text(64), false),
            ("Recipient", Object, false),
        ],
    ),
    ("GetKeyRotationStatus", &[KEY]),
    ("ListAliases", &[("KeyId", Text(2048), false), LIMIT, MARKER]),
    (
        "ListKeyRotations",
        &[
            KEY,
            (
                "IncludeKeyMaterial",
                Choice("[ALL_KEY_MATERIAL, ROTATIONS_ONLY]"),
                false,
            ),
            LIMIT,
            MARKER,
        ],
    ),
    ("ListKeys", &[LIMIT, MARKER, ("ResourceOwners", Texts, false)]),
    (
        "ReEncrypt",
        &[
            ("CiphertextBlob", Blob(6144), true),
            ("SourceEncryptionContext", Pairs, false),
            ("SourceKeyId", Text(2048), false),
            ("DestinationKeyId", Text(2048), true),
            ("DestinationEncryptionContext", Pairs, false),
            ("SourceEncryptionAlgorithm", Choice(ALGORITHMS), false),
            ("DestinationEncryptionAlgorithm", Choice(ALGORITHMS), false),
            TOKENS,
            DRY_RUN,
            ("DryRunModifiers", Texts, false),
        ],
    ),
    ("RotateKeyOnDemand", &[KEY]),
    (
        "ScheduleKeyDeletion",
        &[KEY, ("PendingWindowInDays", Number(1, 365), false)],
    ),
    (
        "UpdateAlias",
        &[("AliasName", Text(256), true), ("TargetKeyId", Text(2048), true)],
    ),
    ("UpdateKeyDescription", &[KEY, ("Description", Text(8192), true)]),
];

/// What is legal for a member, so that only the one under test is wrong.
fn legal(kind: Kind) -> Value {
    match kind {
        Text(_) => json!("alias/app"),
        Choice(set) => json!(set.trim_matches(['[', ']']).split(", ").next().unwrap()),
        Number(min, _) => json!(min),
        Flag => json!(false),
        Blob(_) => json!("AAAA"),
        Pairs | Object => json!({}),
        Texts => json!([]),
    }
}

fn required(members: &[Member]) -> Map<String, Value> {
    members
        .iter()
        .filter(|member| member.2)
        .map(|(name, kind, _)| ((*name).to_owned(), legal(*kind)))
        .collect()
}

fn with(members: &[Member], name: &str, value: Value) -> Value {
    let mut input = required(members);
    input.insert(name.to_owned(), value);
    Value::Object(input)
}

fn lower_camel(name: &str) -> String {
    name[..1].to_ascii_lowercase() + &name[1..]
}

#[test]
fn every_operation_that_is_built_is_listed_here() {
    let built: Vec<&str> = bulla_server::ROUTES
        .iter()
        .filter(|route| route.built)
        .map(|route| route.name)
        .collect();
    let listed: Vec<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(built, listed);
}

#[tokio::test]
async fn every_member_of_a_wrong_type_is_a_serialization_error() {
    let server = Harness::start().await;
    for (operation, members) in OPERATIONS {
        for (name, kind, _) in *members {
            for wrong in [json!("x y"), json!(7), json!(true), json!([[]]), json!({"a": 7})] {
                let fits = match kind {
                    Text(_) | Choice(_) | Blob(_) => wrong.is_string(),
                    Number(..) => wrong.is_number(),
                    Flag => wrong.is_boolean(),
                    Pairs | Texts => false,
                    Object => wrong.is_object(),
                };
                if !fits || matches!(kind, Blob(_)) {
                    let said = server
                        .refused(operation, with(members, name, wrong.clone()), "SerializationException")
                        .await;
                    assert!(
                        said.is_some_and(|text| !text.contains("x y")),
                        "{operation} {name} {wrong}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn every_required_member_is_missed_and_null_is_missing() {
    let server = Harness::start().await;
    for (operation, members) in OPERATIONS {
        for (name, _, _) in members.iter().filter(|member| member.2) {
            let message = format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                lower_camel(name)
            );
            let mut without = required(members);
            without.remove(*name);
            let said = server
                .refused(operation, Value::Object(without), "ValidationException")
                .await;
            assert_eq!(said.as_deref(), Some(message.as_str()), "{operation}");
            let said = server
                .refused(operation, with(members, name, Value::Null), "ValidationException")
                .await;
            assert_eq!(said.as_deref(), Some(message.as_str()), "{operation}");
        }
    }
}

#[tokio::test]
async fn every_member_out_of_its_limits_is_named() {
    let server = Harness::start().await;
    for (operation, members) in OPERATIONS {
        for (name, kind, _) in *members {
            let at = lower_camel(name);
            let cases: Vec<(Value, String)> = match kind {
                Text(max) => {
                    let long = "a".repeat(max + 1);
                    let text = format!(
                        "Value '{long}' at '{at}' failed to satisfy constraint: Member must have length less than or equal to {max}"
                    );
                    vec![(json!(long), text)]
                }
                Choice(set) => {
                    let text = format!(
                        "Value 'NONE' at '{at}' failed to satisfy constraint: Member must satisfy enum value set: {set}"
                    );
                    vec![(json!("NONE"), text)]
                }
                Number(min, max) => {
                    let text = |value, rule: String| {
                        format!("Value '{value}' at '{at}' failed to satisfy constraint: Member must have value {rule}")
                    };
                    vec![
                        (json!(min - 1), text(min - 1, format!("greater than or equal to {min}"))),
                        (json!(max + 1), text(max + 1, format!("less than or equal to {max}"))),
                        (json!(-5), text(-5, format!("greater than or equal to {min}"))),
                    ]
                }
                Blob(max) => {
                    let long = base64_of_zeros(max + 1);
                    let text = format!("Value at '{at}' failed to satisfy constraint: Member must have length ");
                    vec![
                        (json!(long), format!("{text}less than or equal to {max}")),
                        (json!(""), format!("{text}greater than or equal to 1")),
                    ]
                }
                Pairs => {
                    let text = format!("Value at '{at}' failed to satisfy constraint: ");
                    vec![
                        (
                            json!({"k": "v".repeat(8192)}),
                            format!("{text}Member must have length less than or equal to 8192"),
                        ),
                        (
                            json!({"k": null}),
                            format!("{text}Map value must satisfy constraint: [Member must not be null]"),
                        ),
                    ]
                }
                Texts if *name == "GrantTokens" => {
                    let text = format!(
                        "Value at '{at}' failed to satisfy constraint: Member must have length less than or equal to 10"
                    );
                    vec![(json!(vec!["t"; 11]), text)]
                }
                Flag | Texts | Object => Vec::new(),
            };
            for (value, text) in cases {
                let said = server
                    .refused(operation, with(members, name, value), "ValidationException")
                    .await;
                assert_eq!(
                    said,
                    Some(format!("1 validation error detected: {text}")),
                    "{operation}"
                );
            }
        }
    }
}

fn base64_of_zeros(size_bytes: usize) -> String {
    let mut text = "A".repeat((size_bytes * 8).div_ceil(6));
    text.push_str(&"=".repeat((4 - text.len() % 4) % 4));
    text
}

#[tokio::test]
async fn every_member_twice_is_a_serialization_error_and_unknown_ones_are_ignored() {
    let server = Harness::start().await;
    for (operation, members) in OPERATIONS {
        for (name, kind, _) in *members {
            let body = format!("{{\"{name}\":{value},\"{name}\":{value}}}", value = legal(*kind));
            let said = server
                .send(operation, body.as_bytes())
                .await
                .is_error(400, "SerializationException");
            assert_eq!(said, None);
        }
    }
    server
        .ok(
            "ListKeys",
            json!({"Unknown": {"deep": [1, {"x": null}]}, "limit": "not ours"}),
        )
        .await;
}

#[tokio::test]
async fn what_is_no_json_object_is_a_serialization_error() {
    let server = Harness::start().await;
    let deep_list = format!("{{\"KeyId\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_object = format!("{}1{}", "{\"KeyId\":".repeat(10_000), "}".repeat(10_000));
    let deep_unknown = format!("{{\"Unknown\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        &b""[..],
        b"{",
        b"null",
        b"7",
        b"[]",
        b"\"text\"",
        b"{\"KeyId\":\"\xff\xfe\"}",
        b"{\"KeyId\":\"a\0b\"}",
        b"{\"KeyId\":\"\\ud800\"}",
        deep_list.as_bytes(),
        deep_object.as_bytes(),
        deep_unknown.as_bytes(),
    ] {
        server
            .send("DescribeKey", body)
            .await
            .is_error(400, "SerializationException");
    }
}

#[tokio::test]
async fn tags_are_checked_one_by_one() {
    let server = Harness::start().await;
    let said = server
        .refused(
            "CreateKey",
            json!({"Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": ""}]}),
            "ValidationException",
        )
        .await;
    assert_eq!(
        said.as_deref(),
        Some(
            "2 validation errors detected: Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length \
             greater than or equal to 1; Value null at 'tags.2.member.tagValue' failed to satisfy constraint: Member must not be null"
        )
    );
    server
        .refused(
            "CreateKey",
            json!({"Tags": [{"TagKey": "aws:x", "TagValue": ""}]}),
            "TagException",
        )
        .await;
}
