use std::ops::Deref;

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_crypto::signature::SigningKey;

use crate::canonical::MAX_INTEGER;
use crate::{Hash, NoteError, VerifierKey, note, timestamp};

/// The greatest size of a signed note: 16 KiB.
pub const MAX_NOTE_BYTES: usize = note::MAX_NOTE_BYTES;

/// The statement of a log's state that is signed: a C2SP tlog-checkpoint (<https://c2sp.org/tlog-checkpoint>).
///
/// ```text
/// <origin>\n<size>\n<base64 of the root>\nchain <base64 of the newest leaf hash>\nmetadata <revision>\ntime <time>\n
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's unique name, also the name of its keys.
    pub origin: String,
    /// Number of events.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// Leaf hash of the newest event, [`Hash::ZERO`] for an empty log.
    pub last: Hash,
    /// Newest metadata revision.
    pub metadata_revision: u64,
    /// When it was signed, in microseconds since 1970, UTC.
    pub time: i64,
}

/// A checkpoint that can't be signed or is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a note, or not signed by a trusted key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A signed text that is not a checkpoint of this form.
    #[error("not a checkpoint")]
    Body,
    /// A checkpoint of another log.
    #[error("the checkpoint is of another log")]
    Origin,
    /// Signed by a key of the log that does not sign at this size.
    #[error("the checkpoint is signed by a key that was not in force at its size")]
    KeyNotInForce,
}

/// A value whose signature was verified; only verification makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    signers: Vec<VerifierKey>,
}

impl<T> Verified<T> {
    pub(crate) fn new(value: T, signers: Vec<VerifierKey>) -> Self {
        Self { value, signers }
    }

    /// The trusted keys that signed, at least one.
    pub fn signers(&self) -> &[VerifierKey] {
        &self.signers
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl Checkpoint {
    /// Signs the checkpoint in the log's name.
    ///
    /// # Errors
    /// [`CheckpointError::Body`] for a time without a four-digit year, [`CheckpointError::Note`] for an origin that is no key name.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CheckpointError> {
        Ok(note::sign(&self.to_text()?, &self.origin, &[key])?)
    }

    /// Reads a signed checkpoint that at least one of `trusted` signed, in whose name it speaks.
    ///
    /// # Errors
    /// [`CheckpointError`]. A known key's wrong signature refuses the note even where another one verifies.
    pub fn parse_and_verify(signed: &str, trusted: &[VerifierKey]) -> Result<Verified<Checkpoint>, CheckpointError> {
        let keys: Vec<&VerifierKey> = trusted.iter().collect();
        let (text, signers) = note::open(signed, &keys)?;
        let checkpoint = Self::from_text(text).ok_or(CheckpointError::Body)?;
        let signers: Vec<VerifierKey> = signers.into_iter().map(|signer| trusted[signer].clone()).collect();
        if signers.iter().any(|signer| signer.name() != checkpoint.origin) {
            return Err(CheckpointError::Origin);
        }
        Ok(Verified::new(checkpoint, signers))
    }

    /// The text that is signed.
    pub(crate) fn to_text(&self) -> Result<String, CheckpointError> {
        let time = timestamp::format(self.time).ok_or(CheckpointError::Body)?;
        note::check_name(&self.origin)?;
        Ok(format!(
            "{}\n{}\n{}\nchain {}\nmetadata {}\ntime {time}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.as_bytes()),
            STANDARD.encode(self.last.as_bytes()),
            self.metadata_revision,
        ))
    }

    /// Reads a text that was verified; `None` unless it is exactly what [`to_text`](Self::to_text) writes.
    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.split_terminator('\n');
        let checkpoint = Checkpoint {
            origin: lines.next()?.to_owned(),
            size: lines.next()?.parse().ok()?,
            root: decode_hash(lines.next()?)?,
            last: decode_hash(lines.next()?.strip_prefix("chain ")?)?,
            metadata_revision: lines.next()?.strip_prefix("metadata ")?.parse().ok()?,
            time: timestamp::parse(lines.next()?.strip_prefix("time ")?)?,
        };
        // "Decimal numbers in notes are at most 2^53 − 1."
        let in_range = checkpoint.size.max(checkpoint.metadata_revision) <= MAX_INTEGER;
        (in_range && checkpoint.to_text().as_deref() == Ok(text)).then_some(checkpoint)
    }
}

pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    Some(Hash::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use bulla_crypto::DataKey;

    use super::*;

    fn key(seed: u8) -> (SigningKey, VerifierKey) {
        let signing = SigningKey::from_seed(&DataKey::from_bytes(&mut [seed; 32])).unwrap();
        let verifier = VerifierKey::new("log.example/a", signing.public_key()).unwrap();
        (signing, verifier)
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "log.example/a".into(),
            size: 12,
            root: Hash::of(b"root"),
            last: Hash::of(b"last"),
            metadata_revision: 3,
            time: 1_700_000_000_123_456,
        }
    }

    #[test]
    fn a_signed_checkpoint_is_read_back_under_any_of_several_trusted_keys() {
        let ((signing, ours), (_, other)) = (key(1), key(2));
        let note = checkpoint().sign(&signing).unwrap();
        let verified = Checkpoint::parse_and_verify(&note, &[other.clone(), ours.clone()]).unwrap();
        assert_eq!(*verified, checkpoint());
        assert_eq!(verified.signers(), [ours]);
        assert_eq!(
            Checkpoint::parse_and_verify(&note, &[other]),
            Err(NoteError::UnknownKey.into())
        );
        assert_eq!(
            Checkpoint::parse_and_verify(&note, &[]),
            Err(NoteError::UnknownKey.into())
        );
    }

    #[test]
    fn any_changed_byte_of_a_signed_checkpoint_refuses_it() {
        let (signing, ours) = key(1);
        let note = checkpoint().sign(&signing).unwrap();
        for index in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[index] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(
                    Checkpoint::parse_and_verify(&changed, std::slice::from_ref(&ours)).is_err(),
                    "byte {index}"
                );
            }
        }
    }

    #[test]
    fn a_signed_text_that_is_not_exactly_a_checkpoint_is_refused() {
        let (signing, ours) = key(1);
        let good = checkpoint().to_text().unwrap();
        for text in [
            good.replace("\n12\n", "\n012\n"),
            good.replace("\n12\n", "\n+12\n"),
            good.replace("chain ", "chain  "),
            good.replace("metadata 3\n", ""),
            good.replace("metadata 3\n", "metadata 03\n"),
            format!("{good}more\n"),
            good.replace("time 2023", "time 23"),
            good.lines().take(3).map(|line| format!("{line}\n")).collect(),
        ] {
            let note = note::sign(&text, "log.example/a", &[&signing]).unwrap();
            let read = Checkpoint::parse_and_verify(&note, std::slice::from_ref(&ours));
            assert_eq!(read, Err(CheckpointError::Body), "{text}");
        }
        let other_log = good.replace("log.example/a", "log.example/b");
        let note = note::sign(&other_log, "log.example/a", &[&signing]).unwrap();
        assert_eq!(
            Checkpoint::parse_and_verify(&note, &[ours]),
            Err(CheckpointError::Origin)
        );
    }
}
