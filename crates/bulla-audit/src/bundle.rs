use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, CheckpointError, Hash, KeyChain, MAX_EVENT_BYTES, NoteError, ProofError, Verified, VerifierKey,
    canonical, checkpoint::decode_hash, leaf_hash, verify_inclusion,
};

const FORMAT: &str = "bulla-audit-proof/1";

/// One event, the path from it to a signed root, and the keys: what `bulla audit prove N` prints as one JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofBundle {
    /// The event's exact bytes.
    pub event: Vec<u8>,
    /// Its place in the log.
    pub sequence: u64,
    /// Inclusion path, the hash nearest to the event first; at most 64.
    pub path: Vec<Hash>,
    /// The signed checkpoint that the path leads to.
    pub checkpoint: String,
    /// The log's first key, in the form of [`VerifierKey`].
    pub key: String,
    /// Signed statements from the first key to the one that signed, the oldest first.
    pub key_statements: Vec<String>,
}

/// What a verified bundle proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEvent {
    /// The event, parsed.
    pub event: serde_json::Value,
    /// The checkpoint that covers it.
    pub checkpoint: Verified<Checkpoint>,
}

/// A bundle that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not a bundle of this format.
    #[error("not a proof bundle")]
    Format,
    /// The event's bytes are not a canonical event with this sequence.
    #[error("the bundle's event is not an audit event of this sequence")]
    Event,
    /// The bundle's key is not the one that is trusted.
    #[error("the bundle's key is not the trusted key")]
    Key,
    /// The checkpoint or a key statement is not believed.
    #[error("the bundle's checkpoint is not believed")]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the event to the checkpoint's root.
    #[error("the bundle's path does not lead to its checkpoint")]
    Path(#[from] ProofError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    format: String,
    event: String,
    sequence: u64,
    size: u64,
    inclusion_path: Vec<String>,
    checkpoint: String,
    key: String,
    key_statements: Vec<String>,
}

impl ProofBundle {
    /// Verifies everything in the bundle, resting on `trusted` alone.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn verify(&self, trusted: &VerifierKey) -> Result<ProvenEvent, BundleError> {
        if self.key != trusted.to_string() {
            return Err(BundleError::Key);
        }
        let mut keys = KeyChain::new(trusted.clone());
        for statement in &self.key_statements {
            keys.extend(statement)?;
        }
        let checkpoint = keys.verify_checkpoint(&self.checkpoint)?;
        let leaf = leaf_hash(&self.event);
        verify_inclusion(&leaf, self.sequence, checkpoint.size, &self.path, &checkpoint.root)?;
        if self.event.len() > MAX_EVENT_BYTES {
            return Err(BundleError::Event);
        }
        let event = canonical::parse(&self.event).map_err(|_| BundleError::Event)?;
        if event.get("sequence").and_then(serde_json::Value::as_u64) != Some(self.sequence) {
            return Err(BundleError::Event);
        }
        Ok(ProvenEvent { event, checkpoint })
    }

    /// Writes the JSON document, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`BundleError::Checkpoint`] where the checkpoint's size can't be read.
    pub fn to_json(&self) -> Result<String, BundleError> {
        let document = Document {
            format: FORMAT.into(),
            event: STANDARD.encode(&self.event),
            sequence: self.sequence,
            size: self.stated_size()?,
            inclusion_path: self.path.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect(),
            checkpoint: self.checkpoint.clone(),
            key: self.key.clone(),
            key_statements: self.key_statements.clone(),
        };
        let mut json = serde_json::to_string_pretty(&document).map_err(|_| BundleError::Format)?;
        json.push('\n');
        Ok(json)
    }

    /// Reads a document; nothing in it is believed until [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`BundleError::Format`].
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        let document: Document = serde_json::from_str(json).map_err(|_| BundleError::Format)?;
        if document.format != FORMAT || document.inclusion_path.len() > 64 {
            return Err(BundleError::Format);
        }
        let path = document
            .inclusion_path
            .iter()
            .map(|hash| decode_hash(hash))
            .collect::<Option<_>>();
        let bundle = ProofBundle {
            event: STANDARD.decode(&document.event).map_err(|_| BundleError::Format)?,
            sequence: document.sequence,
            path: path.ok_or(BundleError::Format)?,
            checkpoint: document.checkpoint,
            key: document.key,
            key_statements: document.key_statements,
        };
        if bundle.stated_size()? == document.size {
            Ok(bundle)
        } else {
            Err(BundleError::Format)
        }
    }

    fn stated_size(&self) -> Result<u64, BundleError> {
        let line = self.checkpoint.split('\n').nth(1);
        line.and_then(|line| line.parse().ok())
            .ok_or(BundleError::Checkpoint(NoteError::Format.into()))
    }
}
