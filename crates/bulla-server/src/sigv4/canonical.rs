use http::{HeaderMap, Method, Uri};

use super::SignatureError;

/// The parts of a request that a signature covers, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedParts<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// Path and query; in HTTP/2 also the authority, which stands for the host.
    pub(crate) uri: &'a Uri,
    /// All headers.
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> SignedParts<'a> {
    /// Says whether the query carries a signature.
    pub(super) fn is_presigned(&self) -> bool {
        self.uri.query().is_some_and(|query| {
            query.split('&').any(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                ["x-amz-algorithm", "x-amz-signature", "x-amz-credential"]
                    .iter()
                    .any(|word| name.eq_ignore_ascii_case(word))
            })
        })
    }

    /// The one `Authorization` header.
    pub(super) fn authorization(&self) -> Result<&'a str, SignatureError> {
        let mut values = self.headers.get_all(http::header::AUTHORIZATION).iter();
        let value = values.next().ok_or(SignatureError::MissingToken)?;
        if values.next().is_some() {
            return Err(SignatureError::Mismatch);
        }
        value.to_str().map_err(|_| SignatureError::Mismatch)
    }
}

/// Checks that the list is lower case, sorted and without duplicates, and names all that AWS wants signed.
pub(super) fn check_signed_headers(parts: &SignedParts<'_>, signed_headers: &str) -> Result<(), SignatureError> {
    let mut previous = "";
    for name in signed_headers.split(';') {
        if name <= previous || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(SignatureError::Mismatch);
        }
        previous = name;
    }
    let is_signed = |name: &str| signed_headers.split(';').any(|signed| signed == name);
    if !is_signed("host") {
        return Err(SignatureError::NotSigned("Host' or ':authority".to_owned()));
    }
    for name in parts.headers.keys().map(http::HeaderName::as_str) {
        if (name.starts_with("x-amz-") || name == "content-type") && !is_signed(name) {
            return Err(SignatureError::NotSigned(name.to_owned()));
        }
    }
    Ok(())
}

/// Writes the canonical request.
pub(super) fn write_request(out: &mut Vec<u8>, parts: &SignedParts<'_>, signed_headers: &str, payload_hash: &[u8; 64]) {
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.extend_from_slice(b"\n");
    write_path(out, parts.uri.path());
    out.extend_from_slice(b"\n");
    if let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) {
        write_query(out, query);
    }
    out.extend_from_slice(b"\n");
    for name in signed_headers.split(';') {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        let mut first = true;
        for value in parts.headers.get_all(name) {
            if !first {
                out.push(b',');
            }
            first = false;
            write_folded(out, value.as_bytes());
        }
        if first && name == "host" {
            let authority = parts.uri.authority().map_or("", http::uri::Authority::as_str);
            out.extend_from_slice(authority.as_bytes());
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash);
}

/// Writes the path as it was sent, encoded once more, as AWS has it for all services but S3. No part of it is normalised: none of the
/// routes has one that would be.
fn write_path(out: &mut Vec<u8>, path: &str) {
    for &byte in path.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// Writes a header's value without spaces around it and with one space where several are.
fn write_folded(out: &mut Vec<u8>, value: &[u8]) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|pair| pair == b"  ") {
        out.extend_from_slice(value);
        return;
    }
    let mut space = false;
    for &byte in value {
        if !(space && byte == b' ') {
            out.push(byte);
        }
        space = byte == b' ';
    }
}

/// Writes the query sorted by name and value, each percent-encoded once with upper-case digits.
fn write_query(out: &mut Vec<u8>, query: &str) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&decode(name.as_bytes())), encode(&decode(value.as_bytes())))
        })
        .collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte);
        } else {
            text.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    text
}
