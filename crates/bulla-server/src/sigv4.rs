//! Signature Version 4 in the `Authorization` header, checked.
//!
//! What is accepted is exactly one thing: `AWS4-HMAC-SHA256` over a request whose host, `x-amz-*` headers and content type are
//! signed, whose date is within five minutes of ours, and whose body hashes to what was signed. Presigned URLs, unsigned and
//! streamed payloads and SigV4A are refused. Source: AWS, "Create a signed AWS API request".

mod authorization;
mod canonical;
mod date;
mod error;
mod signing_key;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use subtle::ConstantTimeEq;

pub(crate) use authorization::{Authorization, Scope};
pub(crate) use canonical::SignedParts;
pub(crate) use error::SignatureError;
pub(crate) use signing_key::{SigningKey, SigningKeys};

/// How far the signer's clock may be from ours, in seconds, either way.
pub(crate) const SKEW_SECONDS: i64 = 300;

const NOTHING_HASHED: [&str; 2] = ["UNSIGNED-PAYLOAD", "STREAMING-"];

/// A parsed header whose scope, date and list of signed headers are acceptable; nothing is verified yet.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    /// The parsed header.
    pub(crate) authorization: Authorization<'a>,
    date_time: &'a str,
}

impl<'a> Claim<'a> {
    /// Parses the header and checks everything that needs no secret, at `now` (seconds since 1970, UTC), for `service` (`kms`, `sts`).
    pub(crate) fn parse(parts: &SignedParts<'a>, now: i64, service: &'static str) -> Result<Self, SignatureError> {
        if parts.is_presigned() {
            return Err(SignatureError::Presigned);
        }
        let header = parts.authorization()?;
        let authorization = Authorization::parse(header, parts.headers.contains_key("x-amz-date"))?;
        let date_time = single(parts.headers, "x-amz-date").ok_or(SignatureError::Mismatch)?;
        let signed_at = date::parse(date_time).ok_or_else(|| SignatureError::BadDate(date_time.to_owned()))?;
        authorization.scope.check(date_time, service)?;
        canonical::check_signed_headers(parts, authorization.signed_headers)?;
        if signed_at < now - SKEW_SECONDS {
            return Err(SignatureError::Expired { signed_at, now });
        }
        if signed_at > now + SKEW_SECONDS {
            return Err(SignatureError::NotYetCurrent { signed_at, now });
        }
        Ok(Self {
            authorization,
            date_time,
        })
    }

    /// Compares the signature with the one that `key` gives over this request, in constant time.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`], whatever differs.
    pub(crate) fn verify(&self, parts: &SignedParts<'_>, body: &[u8], key: &SigningKey) -> Result<(), SignatureError> {
        check_declared_hash(parts.headers, body)?;
        let expected = self.expected(parts, body, key);
        if bool::from(expected.ct_eq(&self.authorization.signature)) {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    /// The signature that this request should have.
    fn expected(&self, parts: &SignedParts<'_>, body: &[u8], key: &SigningKey) -> [u8; 32] {
        let mut text = Vec::with_capacity(1024);
        canonical::write_request(&mut text, parts, self.authorization.signed_headers, &hex_of_hash(body));
        let request_hash = hex_of_hash(&text);
        text.clear();
        let scope = &self.authorization.scope;
        for part in [
            "AWS4-HMAC-SHA256\n",
            self.date_time,
            "\n",
            scope.date,
            "/",
            scope.region,
            "/",
            scope.service,
            "/aws4_request\n",
        ] {
            text.extend_from_slice(part.as_bytes());
        }
        text.extend_from_slice(&request_hash);
        key.sign(&text)
    }
}

/// A declared payload hash must be that of the body, however it was meant.
fn check_declared_hash(headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
    for declared in headers.get_all("x-amz-content-sha256") {
        if NOTHING_HASHED
            .iter()
            .any(|word| declared.as_bytes().starts_with(word.as_bytes()))
        {
            return Err(SignatureError::UnsignedPayload);
        }
        if declared.as_bytes() != hex_of_hash(body) {
            return Err(SignatureError::Mismatch);
        }
    }
    Ok(())
}

/// The one value of a header that may occur once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// SHA-256 in 64 lower-case hex digits.
fn hex_of_hash(bytes: &[u8]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest(&SHA256, bytes).as_ref()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

#[cfg(test)]
mod tests;
