//! Requests made from the model: what is legal for a shape, and what breaks one of its constraints.

use serde_json::{Map, Value, json};

use crate::botocore::Shape;

/// A value of a shape that is not legal, what AWS shows of it, and what it says.
pub(crate) struct Wrong {
    pub(crate) value: Value,
    pub(crate) shown: String,
    pub(crate) words: Vec<String>,
}

/// What the model's patterns ask for.
const EXAMPLES: &[(&str, &str)] = &[
    ("AccountIdType", "123456789012"),
    (
        "BackingKeyIdType",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("CloudHsmClusterIdType", "cluster-2a23b4cdefg"),
    ("GrantConstraintSourceArnType", "arn:aws:s3::123456789012:x"),
    ("KeyIdType", "alias/app"),
    ("PolicyType", "{}"),
    ("RegionType", "eu-west-1"),
    ("ServicePrincipalType", "ec2.amazonaws.com"),
    ("XksProxyAuthenticationAccessKeyIdType", "ABCDEFGHIJKLMNOPQRST"),
    ("XksProxyUriEndpointType", "https://xks.example.com"),
    ("XksProxyUriPathType", "/app/kms/xks/v1"),
    (
        "XksProxyVpcEndpointServiceNameType",
        "com.amazonaws.vpce.us-east-1.vpce-svc-0a1",
    ),
];

/// Sets whose order in AWS's answers is not the model's, from recorded answers of AWS.
const ORDERS: &[(&str, &str)] = &[
    (
        "EncryptionAlgorithmSpec",
        "RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, SYMMETRIC_DEFAULT",
    ),
    (
        "SigningAlgorithmSpec",
        "RSASSA_PSS_SHA_256, RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, RSASSA_PKCS1_V1_5_SHA_256, RSASSA_PKCS1_V1_5_SHA_384, \
         RSASSA_PKCS1_V1_5_SHA_512, ECDSA_SHA_256, ECDSA_SHA_384, ECDSA_SHA_512, ED25519_SHA_512, ED25519_PH_SHA_512, SM2DSA, \
         ML_DSA_SHAKE_256",
    ),
    (
        "MacAlgorithmSpec",
        "HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512",
    ),
    ("KeySpec", KEY_SPECS),
    // AWS lists the specs of keys where it refuses that of a data key.
    ("DataKeySpec", KEY_SPECS),
];
const KEY_SPECS: &str = "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, \
                         ECC_NIST_EDWARDS25519, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, \
                         ML_DSA_87, ML_KEM_512, ML_KEM_768, ML_KEM_1024";

/// What AWS asks for and its model does not.
pub(crate) const ALSO_REQUIRED: &[(&str, &str)] = &[
    ("Decrypt", "CiphertextBlob"),
    ("ReEncrypt", "CiphertextBlob"),
    ("GenerateRandom", "NumberOfBytes"),
];

/// A value of the shape.
pub(crate) fn legal(shape: Shape) -> Value {
    match shape.kind() {
        "string" => {
            let example = EXAMPLES.iter().find(|(name, _)| *name == shape.name);
            let text = match (shape.values(), example) {
                (Some(values), _) => values[0].to_owned(),
                (None, Some((_, text))) => (*text).to_owned(),
                (None, None) => "a".repeat(shape.min().unwrap_or(1).max(1) as usize),
            };
            assert!(shape.admits(&text), "{} {text}", shape.name);
            json!(text)
        }
        "blob" => json!("AAAA"),
        "integer" | "long" => json!(shape.min().unwrap_or(1)),
        "boolean" => json!(false),
        "timestamp" => json!(1_800_000_000.5),
        "list" => json!([legal(shape.element())]),
        "map" => json!({"key": "value"}),
        "structure" => Value::Object(required(shape)),
        kind => panic!("{} is a {kind}", shape.name),
    }
}

/// A structure with the members that must be there.
pub(crate) fn required(shape: Shape) -> Map<String, Value> {
    let members = shape.members().into_iter().filter(|member| member.2);
    members
        .map(|(name, shape, _)| (name.to_owned(), legal(shape)))
        .collect()
}

/// What AWS asks of a set.
fn enum_words(shape: Shape, values: &[&str]) -> String {
    let order = ORDERS.iter().find(|(name, _)| *name == shape.name);
    let list = order.map_or_else(|| values.join(", "), |(_, order)| (*order).to_owned());
    format!("Member must satisfy enum value set: [{list}]")
}

/// What AWS says of the constraints that a string or blob of this length breaks.
fn length_words(shape: Shape, length: usize) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(min) = shape.min().filter(|min| (length as i64) < *min) {
        words.push(format!("Member must have length greater than or equal to {min}"));
    }
    if let Some(max) = shape.max().filter(|max| length as i64 > *max) {
        words.push(format!("Member must have length less than or equal to {max}"));
    }
    words
}

/// Whether AWS, or Bulla of its own accord, shows nothing of the value.
fn is_secret(shape: Shape) -> bool {
    shape.is_sensitive() || shape.name == "GrantTokenType"
}

/// Values that break constraints of the shape.
pub(crate) fn wrongs(shape: Shape) -> Vec<Wrong> {
    match (shape.kind(), shape.values()) {
        ("string", Some(values)) => [
            "",
            "nonsense",
            &values[0].to_ascii_lowercase(),
            &format!("{} ", values[0]),
        ]
        .iter()
        .filter(|text| !values.contains(text))
        .map(|text| Wrong {
            value: json!(text),
            shown: format!(" '{text}'"),
            words: vec![enum_words(shape, &values)],
        })
        .collect(),
        ("string", None) => wrong_texts(shape),
        ("blob", _) => [0, shape.max().unwrap_or(0) as usize + 1]
            .iter()
            .map(|size| Wrong {
                value: json!(base64_of_zeros(*size)),
                shown: String::new(),
                words: length_words(shape, *size),
            })
            .collect(),
        ("integer" | "long", _) => {
            let (min, max) = (shape.min().unwrap(), shape.max().unwrap());
            let words = |value: i64| match value < min {
                true => format!("Member must have value greater than or equal to {min}"),
                false => format!("Member must have value less than or equal to {max}"),
            };
            [min - 1, max + 1, -5, i64::from(i32::MAX)]
                .iter()
                .map(|value| Wrong {
                    value: json!(value),
                    shown: format!(" '{value}'"),
                    words: vec![words(*value)],
                })
                .collect()
        }
        ("list", _) => wrong_lists(shape),
        ("map", _) => {
            let long = json!({"k": "v".repeat(8192)});
            let null = json!({"k": null});
            [
                (long, "Member must have length less than or equal to 8192"),
                (null, "Map value must satisfy constraint: [Member must not be null]"),
            ]
            .map(|(value, words)| Wrong {
                value,
                shown: String::new(),
                words: vec![words.to_owned()],
            })
            .into()
        }
        _ => Vec::new(),
    }
}

fn wrong_texts(shape: Shape) -> Vec<Wrong> {
    let mut texts = vec![String::new(), "\u{100}\u{20ac}".to_owned(), "a b\u{100}".to_owned()];
    if let Some(max) = shape.max() {
        texts.push("a".repeat(max as usize + 1));
        texts.push("\u{1f511}".repeat(max as usize / 2 + 1));
    }
    if let Some(min) = shape.min().filter(|min| *min > 1) {
        texts.push("a".repeat(min as usize - 1));
    }
    let wrongs = texts.into_iter().map(|text| {
        let mut words = length_words(shape, text.encode_utf16().count());
        if let Some(pattern) = shape.pattern().filter(|_| !shape.admits(&text)) {
            words.push(format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        let shown = if is_secret(shape) {
            String::new()
        } else {
            format!(" '{text}'")
        };
        Wrong {
            value: json!(text),
            shown,
            words,
        }
    });
    wrongs.filter(|wrong| !wrong.words.is_empty()).collect()
}

fn wrong_lists(shape: Shape) -> Vec<Wrong> {
    let element = shape.element();
    if element.kind() != "string" {
        return Vec::new();
    }
    let show = |texts: &[&str]| match is_secret(element) {
        true => String::new(),
        false => format!(" '[{}]'", texts.join(", ")),
    };
    let good = legal(element);
    let good = good.as_str().unwrap();
    let mut found = Vec::new();
    for count in [shape.min().unwrap_or(0) - 1, shape.max().map_or(-1, |max| max + 1)] {
        if let Ok(count) = usize::try_from(count) {
            let texts = vec![good; count];
            found.push(Wrong {
                shown: show(&texts),
                value: json!(texts),
                words: length_words(shape, count),
            });
        }
    }
    let words = match (element.values(), element.min(), element.max(), element.pattern()) {
        (Some(values), ..) => enum_words(element, &values),
        (None, Some(min), Some(max), pattern) => {
            let pattern = pattern.map(|pattern| format!(", Member must satisfy regular expression pattern: {pattern}"));
            format!(
                "Member must have length less than or equal to {max}, Member must have length greater than or equal to {min}{}",
                pattern.unwrap_or_default()
            )
        }
        _ => return found,
    };
    for wrong in wrongs(element) {
        let text = wrong.value.as_str().unwrap();
        found.push(Wrong {
            shown: show(&[text]),
            value: json!([text]),
            words: vec![format!("Member must satisfy constraint: [{words}]")],
        });
    }
    found
}

/// Values at the limits of the shape.
pub(crate) fn boundaries(shape: Shape) -> Vec<Value> {
    match (shape.kind(), shape.values()) {
        ("string", Some(values)) => values.iter().map(|value| json!(value)).collect(),
        ("string", None) => {
            let (min, max) = (shape.min().unwrap_or(0), shape.max().unwrap_or(100));
            let long = |piece: &str, length: i64| piece.repeat(length as usize / piece.encode_utf16().count());
            let texts = [long("a", min), long("a", max), long("\u{1f511}", max), long("1", max)];
            let legal_length = |text: &String| length_words(shape, text.encode_utf16().count()).is_empty();
            let legal = |text: &String| legal_length(text) && shape.admits(text);
            texts.into_iter().filter(legal).map(|text| json!(text)).collect()
        }
        ("blob", _) => [1, shape.max().unwrap() as usize]
            .map(|size| json!(base64_of_zeros(size)))
            .into(),
        ("integer" | "long", _) => vec![json!(shape.min().unwrap()), json!(shape.max().unwrap())],
        ("boolean", _) => vec![json!(true), json!(false)],
        ("timestamp", _) => vec![json!(1_800_000_000), json!(1_800_000_000.123)],
        _ => vec![legal(shape)],
    }
}

/// Values of another JSON type, and what is no base64.
pub(crate) fn mistyped(shape: Shape) -> Vec<Value> {
    let all = [json!("x y"), json!(7), json!(true), json!([[]]), json!({"a": 7})];
    let fits = |value: &Value| match shape.kind() {
        "string" => value.is_string(),
        "integer" | "long" | "timestamp" => value.is_number(),
        "boolean" => value.is_boolean(),
        "structure" => value.is_object(),
        _ => false,
    };
    all.into_iter().filter(|value| !fits(value)).collect()
}

pub(crate) fn base64_of_zeros(size_bytes: usize) -> String {
    let mut text = "A".repeat((size_bytes * 8).div_ceil(6));
    text.push_str(&"=".repeat((4 - text.len() % 4) % 4));
    text
}
