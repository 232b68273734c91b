//! The forms of a signature that `sign` writes and `verify` reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_kms::{KmsError, KmsErrorKind, Signed, SigningAlgorithm};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::failure::Explained;

/// The longest message, 1 GiB: it lies in memory while it is hashed.
pub(crate) const MAX_MESSAGE_BYTES: usize = 1 << 30;

/// The longest file of a signature, 1 MiB; the longest signature, of ML-DSA-87, has 4,627 bytes.
pub(crate) const MAX_FILE_BYTES: usize = 1 << 20;

/// The form of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum SignatureFormat {
    /// The signature's bytes: DER for ECDSA
    #[default]
    Binary,
    /// One line of base64
    Base64,
    /// A JSON object with key and algorithm
    Json,
}

/// A signature that was read.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    /// What its JSON says; the key has the last word.
    pub(crate) algorithm: Option<SigningAlgorithm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    key_id: String,
    signing_algorithm: String,
    signature: String,
}

impl SignatureFormat {
    /// Writes a signature in this form.
    pub(crate) fn write(self, signed: &Signed) -> Result<Vec<u8>, anyhow::Error> {
        let encoded = || STANDARD.encode(&signed.signature);
        Ok(match self {
            Self::Binary => signed.signature.clone(),
            Self::Base64 => format!("{}\n", encoded()).into_bytes(),
            Self::Json => {
                let document = Document {
                    key_id: signed.key_id.clone(),
                    signing_algorithm: signed.algorithm.to_string(),
                    signature: encoded(),
                };
                format!("{}\n", serde_json::to_string_pretty(&document)?).into_bytes()
            }
        })
    }
}

/// Reads a signature in any form: JSON and base64 where all of it is that, else the bytes as they are.
///
/// # Errors
/// JSON that names an algorithm which there is not.
pub(crate) fn read(bytes: &[u8]) -> Result<Read, anyhow::Error> {
    if let Ok(document) = serde_json::from_slice::<Document>(bytes) {
        let algorithm = document.signing_algorithm.parse();
        let algorithm = algorithm.map_err(|error| Explained::new(format!("the signature's file: {error}")))?;
        let bytes = STANDARD.decode(document.signature.as_bytes());
        return Ok(Read {
            bytes: bytes.map_err(|_| Explained::new("the signature's file holds no base64"))?,
            algorithm: Some(algorithm),
        });
    }
    // A signature whose bytes all happen to be letters of base64 does not come up: they are 64 random bytes or more.
    let decoded = STANDARD
        .decode(bytes.trim_ascii())
        .ok()
        .filter(|decoded| !decoded.is_empty());
    Ok(Read {
        bytes: decoded.unwrap_or_else(|| bytes.to_vec()),
        algorithm: None,
    })
}

/// Says what a refusal of the provider means.
pub(crate) fn explain(error: KmsError, what: &str) -> anyhow::Error {
    let explained = Explained::new(what);
    let explained = match error.kind {
        KmsErrorKind::Unavailable | KmsErrorKind::Throttled => {
            explained.hint("the key service did not answer; try again")
        }
        KmsErrorKind::NotFound => explained.hint("is --key right, and --endpoint, and the region"),
        KmsErrorKind::AccessDenied => {
            explained.hint("kms:Sign and kms:GetPublicKey are needed, and for verification the latter")
        }
        KmsErrorKind::KeyDisabled => explained.hint("enable the key first"),
        _ => explained,
    };
    anyhow::Error::new(error).context(explained)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_as_it_was_written() {
        let signed = Signed {
            signature: (0..=255).collect(),
            key_id: "local:00".to_owned(),
            algorithm: SigningAlgorithm::EcdsaSha256,
        };
        for (format, algorithm) in [
            (SignatureFormat::Binary, None),
            (SignatureFormat::Base64, None),
            (SignatureFormat::Json, Some(SigningAlgorithm::EcdsaSha256)),
        ] {
            let read = read(&format.write(&signed).unwrap()).unwrap();
            let bytes = signed.signature.clone();
            assert_eq!(read, Read { bytes, algorithm }, "{format:?}");
        }
    }

    #[test]
    fn what_is_no_signature_is_bytes_that_will_not_verify() {
        for bytes in [&b""[..], b"{", b"{\"KeyId\": 1}", b"\n", b"????"] {
            assert_eq!(read(bytes).unwrap().bytes, bytes);
        }
    }
}
