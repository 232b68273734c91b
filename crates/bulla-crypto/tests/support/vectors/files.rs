//! The files of `spec/vectors/`, as their specifications describe them.

use serde::{Deserialize, Serialize};

/// Pairs of a context, in any order.
pub(crate) type Pairs = Vec<(String, String)>;

/// `spec/vectors/context.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContextVectors {
    pub(crate) valid: Vec<ValidContext>,
    pub(crate) invalid: Vec<Invalid>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValidContext {
    pub(crate) pairs: Pairs,
    pub(crate) canonical: String,
}

/// Octets that a parser refuses.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Invalid {
    pub(crate) reason: String,
    pub(crate) bytes: String,
}

/// `spec/vectors/record.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordVectors {
    pub(crate) valid: Vec<ValidRecord>,
    pub(crate) invalid: Vec<Invalid>,
    pub(crate) refused: Vec<RefusedRecord>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValidRecord {
    pub(crate) data_key: String,
    pub(crate) key: String,
    pub(crate) wrapped_key: String,
    pub(crate) context: Pairs,
    pub(crate) binding: String,
    pub(crate) nonce: String,
    pub(crate) plaintext: String,
    pub(crate) encryption_key: String,
    pub(crate) commitment: String,
    pub(crate) aad: String,
    pub(crate) record: String,
    pub(crate) text: String,
    pub(crate) json: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusedRecord {
    pub(crate) reason: String,
    pub(crate) data_key: String,
    pub(crate) context: Pairs,
    pub(crate) binding: String,
    pub(crate) record: String,
}

/// `spec/vectors/ciphertext-blob.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlobVectors {
    pub(crate) valid: Vec<ValidBlob>,
    pub(crate) invalid: Vec<Invalid>,
    pub(crate) refused: Vec<RefusedBlob>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValidBlob {
    pub(crate) material: String,
    pub(crate) key_id: String,
    pub(crate) context: Pairs,
    pub(crate) salt: String,
    pub(crate) nonce: String,
    pub(crate) plaintext: String,
    pub(crate) material_id: String,
    pub(crate) prk: String,
    pub(crate) message_key: String,
    pub(crate) aad: String,
    pub(crate) blob: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusedBlob {
    pub(crate) reason: String,
    pub(crate) material: String,
    pub(crate) key_id: String,
    pub(crate) context: Pairs,
    pub(crate) blob: String,
}
