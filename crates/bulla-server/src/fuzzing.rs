//! What the fuzz targets of this crate check; built for tests and for `cargo fuzz` only.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::sigv4::{Claim, SignedParts};

/// Signed requests: never a panic, and no claim whose parts are not in the header.
///
/// The input is the target's line, then headers, each a line `name:value`, as hyper gives them.
pub fn authorization(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else {
        return;
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (
            HeaderName::from_bytes(&line[..colon]),
            HeaderValue::from_bytes(&line[colon + 1..]),
        );
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let parts = SignedParts {
        method: &Method::POST,
        uri: &uri,
        headers: &headers,
    };
    // 2015-08-30 12:36:00, when AWS's own examples were signed.
    if let Ok(claim) = Claim::parse(&parts, 1_440_938_160, "kms") {
        let header = headers["authorization"].to_str().expect("a claim is of text");
        let scope = &claim.authorization.scope;
        for part in [
            scope.access_key_id,
            scope.date,
            scope.region,
            claim.authorization.signed_headers,
        ] {
            assert!(!part.is_empty() && header.contains(part), "{part}");
        }
        assert!(claim.authorization.signed_headers.split(';').any(|name| name == "host"));
    }
}

/// Bodies of the AWS API: never a panic, and no byte of the input in what is said of it.
pub fn aws_body(data: &[u8]) {
    crate::aws::read_any_body(data);
}

/// Forms of STS: never a panic, and no member that means two things.
pub fn sts_form(data: &[u8]) {
    crate::aws::read_any_form(data);
}

#[cfg(test)]
mod tests {
    use bulla_testkit::replay_corpus;

    #[test]
    fn the_corpus_of_signed_requests_replays() {
        replay_corpus("authorization", 700, super::authorization);
    }

    #[test]
    fn the_corpus_of_forms_replays() {
        replay_corpus("sts_form", 300, super::sts_form);
    }

    #[test]
    fn the_corpus_of_bodies_replays() {
        replay_corpus("aws_body", 700, super::aws_body);
    }
}
