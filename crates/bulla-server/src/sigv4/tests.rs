use http::{HeaderName, HeaderValue, Method, Uri};
use proptest::prelude::*;

use super::*;

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const NOW: i64 = 1_440_938_160;
const DATE: &str = "20150830T123600Z";
const BODY: &[u8] = b"{\"KeyId\":\"alias/app\"}";

/// A request in pieces, so that a test can change one.
#[derive(Clone)]
struct Sent {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    fn new(method: &str, uri: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                name.parse::<HeaderName>().expect("a header name"),
                HeaderValue::from_str(value).expect("a header value"),
            );
        }
        Self {
            method: method.parse().expect("a method"),
            uri: uri.parse().expect("a URI"),
            headers: map,
            body: body.to_vec(),
        }
    }

    fn parts(&self) -> SignedParts<'_> {
        SignedParts {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .insert(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Signs what is there, naming `signed_headers`.
    fn signed(self, signed_headers: &str) -> Self {
        let scope = Scope::parse("AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request").expect("a scope");
        let claim = Claim {
            authorization: Authorization {
                scope,
                signed_headers,
                signature: [0; 32],
            },
            date_time: DATE,
        };
        let signature = hex::encode(claim.expected(
            &self.parts(),
            &self.body,
            &SigningKey::derive(SECRET, &claim.authorization.scope),
        ));
        let header = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request, SignedHeaders={signed_headers}, Signature={signature}"
        );
        self.with("authorization", &header)
    }

    /// What a server with this secret says at this time.
    fn verify_at(&self, now: i64) -> Result<(), SignatureError> {
        let parts = self.parts();
        let claim = Claim::parse(&parts, now, "kms")?;
        claim.verify(
            &parts,
            &self.body,
            &SigningKey::derive(SECRET, &claim.authorization.scope),
        )
    }
}

const ALL: &str = "content-type;host;x-amz-date;x-amz-target";

fn unsigned() -> Sent {
    let headers = [
        ("host", "127.0.0.1:4599"),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-date", DATE),
        ("x-amz-target", "TrentService.DescribeKey"),
    ];
    Sent::new("POST", "/", &headers, BODY)
}

fn request() -> Sent {
    unsigned().signed(ALL)
}

/// Verifies a request of AWS's published test suite, whose service is named `service`.
#[track_caller]
fn suite(request: &Sent, signed_headers: &str, signature: &str) {
    let scope = Scope::parse("AKIDEXAMPLE/20150830/us-east-1/service/aws4_request").expect("a scope");
    let key = SigningKey::derive(SECRET, &scope);
    let mut expected = [0; 32];
    hex::decode_to_slice(signature, &mut expected).expect("a signature in hex");
    let authorization = Authorization {
        scope,
        signed_headers,
        signature: expected,
    };
    let claim = Claim {
        authorization,
        date_time: DATE,
    };
    assert_eq!(claim.verify(&request.parts(), &request.body, &key), Ok(()));
}

#[test]
fn the_published_test_suite_verifies() {
    let host = ("host", "example.amazonaws.com");
    let date = ("x-amz-date", DATE);
    suite(
        &Sent::new("GET", "/", &[host, date], b""),
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    );
    suite(
        &Sent::new("POST", "/", &[host, date], b""),
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    );
    suite(
        &Sent::new("GET", "/?Param2=value2&Param1=value1", &[host, date], b""),
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    );
    let duplicates = [
        host,
        ("my-header1", "value2"),
        ("my-header1", "value2"),
        ("my-header1", "value1"),
        date,
    ];
    suite(
        &Sent::new("GET", "/", &duplicates, b""),
        "host;my-header1;x-amz-date",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    );
    let spaces = [host, ("my-header1", " value1"), ("my-header2", " \"a   b   c\""), date];
    suite(
        &Sent::new("GET", "/", &spaces, b""),
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    );
    let form = [("content-type", "application/x-www-form-urlencoded"), host, date];
    suite(
        &Sent::new("POST", "/", &form, b"Param1=value1"),
        "content-type;host;x-amz-date",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    );
}

#[test]
fn a_signed_request_verifies_and_no_changed_one() {
    assert_eq!(request().verify_at(NOW), Ok(()));
    let other_host = request().with("host", "127.0.0.1:4600");
    let other_target = request().with("x-amz-target", "TrentService.Decrypt");
    let other_type = request().with("content-type", "application/json");
    let mut other_method = request();
    other_method.method = Method::PUT;
    let mut other_query = request();
    other_query.uri = "/?a=b".parse().expect("a URI");
    let mut other_body = request();
    other_body.body[3] ^= 1;
    for forged in [
        other_host,
        other_target,
        other_type,
        other_method,
        other_query,
        other_body,
    ] {
        assert_eq!(forged.verify_at(NOW), Err(SignatureError::Mismatch));
    }
}

#[test]
fn every_changed_digit_of_the_signature_is_refused() {
    let header = request().headers["authorization"].to_str().expect("ASCII").to_owned();
    let start = header.len() - 64;
    for at in start..header.len() {
        let mut bytes = header.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let forged = request().with("authorization", std::str::from_utf8(&bytes).expect("ASCII"));
        assert_eq!(forged.verify_at(NOW), Err(SignatureError::Mismatch));
    }
    for shorter in [&header[..header.len() - 1], &header[..header.len() - 2]] {
        assert_eq!(
            request().with("authorization", shorter).verify_at(NOW),
            Err(SignatureError::Mismatch)
        );
    }
    let upper = header[start..].to_ascii_uppercase();
    let forged = request().with("authorization", &format!("{}{upper}", &header[..start]));
    assert_eq!(forged.verify_at(NOW), Err(SignatureError::Mismatch));
}

#[test]
fn another_secret_does_not_verify() {
    let request = request();
    let parts = request.parts();
    let claim = Claim::parse(&parts, NOW, "kms").expect("a claim");
    for secret in [&b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ"[..], b"", b"AWS4"] {
        let key = SigningKey::derive(secret, &claim.authorization.scope);
        assert_eq!(claim.verify(&parts, &request.body, &key), Err(SignatureError::Mismatch));
    }
}

#[test]
fn five_minutes_either_way_are_the_limit() {
    for now in [NOW - 300, NOW + 300] {
        assert_eq!(request().verify_at(now), Ok(()));
    }
    assert_eq!(
        request().verify_at(NOW + 301).unwrap_err().to_string(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
    assert_eq!(
        request().verify_at(NOW - 301).unwrap_err().to_string(),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn all_that_must_be_signed_is() {
    for (left_out, named) in [
        ("content-type;x-amz-date;x-amz-target", "Host' or ':authority"),
        ("content-type;host;x-amz-date", "x-amz-target"),
        ("content-type;host;x-amz-target", "x-amz-date"),
        ("host;x-amz-date;x-amz-target", "content-type"),
    ] {
        assert_eq!(
            unsigned().signed(left_out).verify_at(NOW),
            Err(SignatureError::NotSigned(named.to_owned()))
        );
    }
    let added = request().with("x-amz-extra", "1");
    assert_eq!(
        added.verify_at(NOW),
        Err(SignatureError::NotSigned("x-amz-extra".to_owned()))
    );
    assert_eq!(request().with("x-amzn-trace-id", "Root=1").verify_at(NOW), Ok(()));
}

#[test]
fn the_list_of_signed_headers_is_canonical() {
    for list in [
        "host;content-type;x-amz-date;x-amz-target",
        "content-type;host;host;x-amz-date;x-amz-target",
        "Content-Type;host;x-amz-date;x-amz-target",
        ";content-type;host;x-amz-date;x-amz-target",
        "content-type;host;x-amz-date;x-amz-target;",
    ] {
        assert_eq!(
            unsigned().signed(list).verify_at(NOW),
            Err(SignatureError::Mismatch),
            "{list}"
        );
    }
}

#[test]
fn a_signed_header_that_is_absent_counts_as_empty() {
    let signed = unsigned().signed("content-type;host;x-absent;x-amz-date;x-amz-target");
    assert_eq!(signed.verify_at(NOW), Ok(()));
    assert_eq!(
        signed.with("x-absent", "here").verify_at(NOW),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn http_2_has_its_host_in_the_authority() {
    let http1 = unsigned().signed(ALL);
    let mut http2 = http1.without("host");
    http2.uri = "http://127.0.0.1:4599/".parse().expect("a URI");
    assert_eq!(http2.verify_at(NOW), Ok(()));
}

#[test]
fn what_is_signed_twice_or_dated_twice_is_refused() {
    let mut twice = request();
    let header = twice.headers["authorization"].clone();
    twice.headers.append("authorization", header);
    assert_eq!(twice.verify_at(NOW), Err(SignatureError::Mismatch));
    let mut dated = request();
    dated.headers.append("x-amz-date", HeaderValue::from_static(DATE));
    assert_eq!(dated.verify_at(NOW), Err(SignatureError::Mismatch));
}

#[test]
fn the_declared_hash_is_that_of_the_body() {
    const LIST: &str = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target";
    let declare = |hash: &str| {
        unsigned()
            .with("x-amz-content-sha256", hash)
            .signed(LIST)
            .verify_at(NOW)
    };
    assert_eq!(declare(&hex::encode(digest(&SHA256, BODY))), Ok(()));
    assert_eq!(
        declare(&hex::encode(digest(&SHA256, b""))),
        Err(SignatureError::Mismatch)
    );
    for word in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    ] {
        assert_eq!(declare(word), Err(SignatureError::UnsignedPayload));
    }
}

#[test]
fn signatures_in_the_query_are_refused() {
    for query in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "a=b&X-Amz-Signature=00",
        "x-amz-credential",
    ] {
        let mut presigned = request();
        presigned.uri = format!("/?{query}").parse().expect("a URI");
        assert_eq!(presigned.verify_at(NOW), Err(SignatureError::Presigned));
    }
}

#[test]
fn each_defect_of_the_header_has_its_text() {
    let said = |header: &str| {
        let error = unsigned().with("authorization", header).verify_at(NOW).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, text) = said("Bearer abc");
    assert_eq!(code, "IncompleteSignatureException");
    assert!(text.starts_with(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization="
    ));
    assert!(!text.contains("abc"));
    assert_eq!(
        said("AWS4-ECDSA-P256-SHA256 Credential=a").1,
        "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."
    );
    assert!(
        said("AWS4-HMAC-SHA256 nothing")
            .1
            .starts_with("'nothing' not a valid key=value pair (missing equal-sign)")
    );
    let scoped = |scope: &str| {
        said(&format!(
            "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={ALL}, Signature={}",
            "0".repeat(64)
        ))
    };
    assert_eq!(
        scoped("AKID/20150830/us-east-1/kms").1,
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20150830/us-east-1/kms'"
    );
    assert_eq!(
        scoped("AKID/20150830/us-east-1/s3/aws4_request").1,
        "Credential should be scoped to correct service: 'kms'. "
    );
    assert_eq!(
        scoped("AKID/20150830/us-east-1/kms/aws5_request").1,
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."
    );
    assert_eq!(
        scoped("AKID/20150829/us-east-1/kms/aws4_request"),
        (
            "InvalidSignatureException",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', \
             from '20150830T123600Z'."
                .to_owned()
        )
    );
    assert_eq!(unsigned().verify_at(NOW), Err(SignatureError::MissingToken));
    let undated = request().without("x-amz-date").verify_at(NOW).unwrap_err();
    assert!(
        undated
            .to_string()
            .starts_with("Authorization header requires existence of either a 'X-Amz-Date'")
    );
    let misdated = request()
        .with("x-amz-date", "Sun, 30 Aug 2015")
        .verify_at(NOW)
        .unwrap_err();
    assert!(
        misdated
            .to_string()
            .starts_with("Date must be in ISO-8601 'basic format'.")
    );
}

#[test]
fn the_dev_mode_reads_whatever_scope_there_is() {
    let read = |header| Scope::of_unverified(header).map(|scope| (scope.access_key_id, scope.region));
    assert_eq!(
        read("AWS4-HMAC-SHA256 Credential=111122223333/x/eu-west-1/y/z, Signature=junk"),
        Some(("111122223333", "eu-west-1"))
    );
    for header in [
        "",
        "Bearer x",
        "Credential=a/b/C D/e/f",
        "Credential=a/b/c",
        "Credential=",
    ] {
        assert_eq!(read(header), None, "{header}");
    }
}

#[test]
fn a_signing_key_is_found_only_for_its_own_scope_and_revision() {
    let keys = SigningKeys::new(16);
    let scope = |text: &'static str| Scope::parse(text).expect("a scope");
    let mine = scope("AKID/20150830/us-east-1/kms/aws4_request");
    keys.keep(&mine, 3, std::sync::Arc::new(SigningKey::derive(SECRET, &mine)));
    assert!(keys.find(&mine, 3).is_some());
    assert!(keys.find(&mine, 4).is_none());
    for other in [
        "AKIE/20150830/us-east-1/kms/aws4_request",
        "AKID/20150831/us-east-1/kms/aws4_request",
        "AKID/20150830/us-east-2/kms/aws4_request",
    ] {
        assert!(keys.find(&scope(other), 3).is_none());
    }
    assert_eq!(keys.len(), 1);
    assert_eq!(
        format!("{:?}", SigningKey::derive(SECRET, &mine)),
        "SigningKey([redacted])"
    );
}

proptest! {
    #[test]
    fn any_header_is_refused_without_panic(header in "[ -~]{0,200}", prefix in prop::bool::ANY) {
        let header = if prefix { format!("AWS4-HMAC-SHA256 {header}") } else { header };
        prop_assert!(unsigned().with("authorization", &header).verify_at(NOW).is_err());
        let _ = Scope::of_unverified(&header);
    }

    #[test]
    fn any_query_is_canonicalised_without_panic(query in "[!-\"$-~]{0,64}") {
        let mut request = unsigned();
        if let Ok(uri) = format!("/?{query}").parse() {
            request.uri = uri;
            let parts = request.parts();
            if !parts.is_presigned() {
                prop_assert_eq!(request.clone().signed(ALL).verify_at(NOW), Ok(()));
            }
        }
    }
}
