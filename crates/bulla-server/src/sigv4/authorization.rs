use aws_lc_rs::digest::{SHA256, digest};
use bulla_model::Region;

use super::SignatureError;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// `AWS4-HMAC-SHA256 Credential=<id>/<date>/<region>/kms/aws4_request, SignedHeaders=<a;b>, Signature=<64 hex digits>`, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    /// Who signed, and for what.
    pub(crate) scope: Scope<'a>,
    /// Names of the signed headers, as sent, separated by `;`.
    pub(crate) signed_headers: &'a str,
    /// The signature.
    pub(crate) signature: [u8; 32],
}

/// The credential of a signature: who, and the scope that his key is derived for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    /// The access key's id.
    pub(crate) access_key_id: &'a str,
    /// `YYYYMMDD`.
    pub(crate) date: &'a str,
    /// `eu-west-1`.
    pub(crate) region: &'a str,
    /// `kms`, `sts`; `bulla` under `/v1`.
    pub(crate) service: &'a str,
    terminator: &'a str,
}

impl<'a> Authorization<'a> {
    /// Parses the header. `has_date` says whether the request has an `X-Amz-Date`, whose absence AWS reports in the same breath.
    pub(crate) fn parse(header: &'a str, has_date: bool) -> Result<Self, SignatureError> {
        if header.len() > MAX_HEADER_BYTES {
            return Err(SignatureError::Mismatch);
        }
        let (algorithm, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if algorithm != ALGORITHM && algorithm.starts_with("AWS4-") {
            return Err(SignatureError::UnsupportedAlgorithm(algorithm.to_owned()));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        if algorithm == ALGORITHM {
            for part in rest.split([',', ' ']).filter(|part| !part.is_empty()) {
                let (name, value) = part.split_once('=').ok_or_else(|| SignatureError::NotKeyValue {
                    part: part.to_owned(),
                    header_hash: hash(header),
                })?;
                let slot = match name {
                    "Credential" => &mut credential,
                    "SignedHeaders" => &mut signed_headers,
                    "Signature" => &mut signature,
                    _ => return Err(SignatureError::Mismatch),
                };
                if slot.replace(value).is_some() {
                    return Err(SignatureError::Mismatch);
                }
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature), true) = (
            credential.filter(|value| !value.is_empty()),
            signed_headers.filter(|value| !value.is_empty()),
            signature.filter(|value| !value.is_empty()),
            has_date,
        ) else {
            return Err(SignatureError::MissingParameters {
                credential: credential.is_none_or(str::is_empty),
                signature: signature.is_none_or(str::is_empty),
                signed_headers: signed_headers.is_none_or(str::is_empty),
                date: !has_date,
                header_hash: hash(header),
            });
        };
        let scope = Scope::parse(credential)?;
        Ok(Self {
            scope,
            signed_headers,
            signature: decode_signature(signature).ok_or(SignatureError::Mismatch)?,
        })
    }
}

impl<'a> Scope<'a> {
    /// Parses `<id>/<date>/<region>/<service>/<terminator>`.
    pub(crate) fn parse(credential: &'a str) -> Result<Self, SignatureError> {
        let mut parts = credential.split('/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        match (next(), next(), next(), next(), next(), parts.next()) {
            (Some(access_key_id), Some(date), Some(region), Some(service), Some(terminator), None) => Ok(Self {
                access_key_id,
                date,
                region,
                service,
                terminator,
            }),
            _ => Err(SignatureError::BadCredential(credential.to_owned())),
        }
    }

    /// Compares the scope with the request's date and with this service.
    pub(super) fn check(&self, date_time: &str, service: &'static str) -> Result<(), SignatureError> {
        if self.terminator != TERMINATOR {
            return Err(SignatureError::WrongTerminator(self.terminator.to_owned()));
        }
        if self.service != service {
            return Err(SignatureError::WrongService(service));
        }
        if date_time.get(..8) != Some(self.date) {
            return Err(SignatureError::WrongDate {
                scope: self.date.to_owned(),
                header: date_time.to_owned(),
            });
        }
        Ok(())
    }

    /// The scope of a header that need not be verified; for the dev mode.
    pub(crate) fn of_unverified(header: &'a str) -> Option<Self> {
        let (_, rest) = header.split_once("Credential=")?;
        Self::parse(rest.split([',', ' ']).next()?)
            .ok()
            .filter(|scope| is_region(scope.region))
    }
}

/// Whether the model takes the text as a region: any short word of lower-case letters, digits and hyphens.
fn is_region(text: &str) -> bool {
    text.parse::<Region>().is_ok()
}

fn decode_signature(text: &str) -> Option<[u8; 32]> {
    let mut signature = [0; 32];
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    hex::decode_to_slice(text, &mut signature).ok()?;
    Some(signature)
}

/// AWS shows the header that it could not read by its hash, so that a log of errors holds no signatures.
fn hash(header: &str) -> String {
    base64_simd::STANDARD.encode_to_string(digest(&SHA256, header.as_bytes()))
}
