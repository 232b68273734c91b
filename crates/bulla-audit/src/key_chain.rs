use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_crypto::signature::SigningKey;

use crate::canonical::MAX_INTEGER;
use crate::{Checkpoint, CheckpointError, NoteError, Verified, VerifierKey, note, timestamp};

const KIND: &str = "bulla/audit-key/1";

/// The old key's word that a new key takes over.
///
/// ```text
/// <origin>\nbulla/audit-key/1\nnumber <number>\nkey <base64 of the public key>\nfrom <size>\ntime <time>\n
/// ```
/// A C2SP signed note, signed by the old key and by the new one. Its second line is no number, so it is never a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatement {
    /// The log's origin.
    pub origin: String,
    /// The new key's number; the first key is 1.
    pub number: u64,
    /// The new key.
    pub public_key: [u8; 32],
    /// The smallest size of a checkpoint that the new key signs; greater sizes are its too, smaller ones are not.
    pub first_size: u64,
    /// When it was signed, in microseconds since 1970, UTC.
    pub time: i64,
}

impl KeyStatement {
    /// Signs the statement with the key that ends and, to show that it is at hand, with the one that begins.
    ///
    /// # Errors
    /// [`CheckpointError::Body`] where `new` is not the key it names.
    pub fn sign(&self, old: &SigningKey, new: &SigningKey) -> Result<String, CheckpointError> {
        if new.public_key() != self.public_key || old.public_key() == self.public_key {
            return Err(CheckpointError::Body);
        }
        Ok(note::sign(&self.to_text()?, &self.origin, &[old, new])?)
    }

    fn to_text(&self) -> Result<String, CheckpointError> {
        let time = timestamp::format(self.time).ok_or(CheckpointError::Body)?;
        let key = STANDARD.encode(self.public_key);
        Ok(format!(
            "{}\n{KIND}\nnumber {}\nkey {key}\nfrom {}\ntime {time}\n",
            self.origin, self.number, self.first_size
        ))
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.split_terminator('\n');
        let origin = lines.next()?.to_owned();
        if lines.next()? != KIND {
            return None;
        }
        let statement = KeyStatement {
            origin,
            number: lines.next()?.strip_prefix("number ")?.parse().ok()?,
            public_key: STANDARD
                .decode(lines.next()?.strip_prefix("key ")?)
                .ok()?
                .try_into()
                .ok()?,
            first_size: lines.next()?.strip_prefix("from ")?.parse().ok()?,
            time: timestamp::parse(lines.next()?.strip_prefix("time ")?)?,
        };
        // "Decimal numbers in notes are at most 2^53 − 1."
        let in_range = statement.number.max(statement.first_size) <= MAX_INTEGER;
        (in_range && statement.to_text().as_deref() == Ok(text)).then_some(statement)
    }
}

/// The keys of one log in their order, each vouched for by the one before it, and the size from which each signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChain {
    /// Never empty: the trusted key, then its successors.
    links: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    key: VerifierKey,
    number: u64,
    first_size: u64,
    /// The signed statement; none for the key that is trusted to begin with.
    statement: Option<String>,
}

impl KeyChain {
    /// Begins with the key that is trusted; it is the log's first.
    pub fn new(trusted: VerifierKey) -> Self {
        Self {
            links: vec![Link {
                key: trusted,
                number: 1,
                first_size: 0,
                statement: None,
            }],
        }
    }

    /// Adds a successor, as the signed statement says that it is.
    ///
    /// # Errors
    /// [`CheckpointError`], where the statement is not signed by the newest key and by the new one, is of another log, or does not follow.
    pub fn extend(&mut self, signed: &str) -> Result<(), CheckpointError> {
        let newest = self.newest();
        // "For a key statement the old key and the new one, and no other." The new key's signature is checked with the key that the statement names, so the statement is read twice.
        let (text, _) = note::open(signed, &[&newest.key])?;
        let statement = KeyStatement::from_text(text).ok_or(CheckpointError::Body)?;
        if statement.origin != newest.key.name() {
            return Err(CheckpointError::Origin);
        }
        let key = VerifierKey::new(&statement.origin, statement.public_key)?;
        let follows = statement.number == newest.number + 1 && statement.first_size > newest.first_size;
        if !follows || self.links.iter().any(|link| link.key.id() == key.id()) {
            return Err(CheckpointError::Body);
        }
        note::open(signed, &[&key])?;
        let link = Link {
            key,
            number: statement.number,
            first_size: statement.first_size,
            statement: Some(signed.to_owned()),
        };
        self.links.push(link);
        Ok(())
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.trusted().name()
    }

    /// The key that everything else here rests on.
    pub fn trusted(&self) -> &VerifierKey {
        &self.links[0].key
    }

    /// The signed statements, the oldest first.
    pub fn statements(&self) -> impl Iterator<Item = &str> {
        self.links.iter().filter_map(|link| link.statement.as_deref())
    }

    /// All keys, the oldest first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.links.iter().map(|link| &link.key)
    }

    /// The key that signs checkpoints of this size.
    pub fn key_at(&self, size: u64) -> &VerifierKey {
        let link = self.links.iter().rev().find(|link| link.first_size <= size);
        &link.unwrap_or(&self.links[0]).key
    }

    /// Reads a checkpoint that the key in force at its size has signed.
    ///
    /// # Errors
    /// [`CheckpointError`]; [`KeyNotInForce`](CheckpointError::KeyNotInForce) for an older or newer key of this chain.
    pub fn verify_checkpoint(&self, signed: &str) -> Result<Verified<Checkpoint>, CheckpointError> {
        let keys: Vec<VerifierKey> = self.keys().cloned().collect();
        let checkpoint = Checkpoint::parse_and_verify(signed, &keys)?;
        if !checkpoint.signers().contains(self.key_at(checkpoint.size)) {
            return Err(CheckpointError::KeyNotInForce);
        }
        Ok(checkpoint)
    }

    fn newest(&self) -> &Link {
        &self.links[self.links.len() - 1]
    }
}

impl From<VerifierKey> for KeyChain {
    fn from(trusted: VerifierKey) -> Self {
        Self::new(trusted)
    }
}

/// Says that a statement is refused for its signature, for callers that tell tampering from disorder.
impl CheckpointError {
    /// Whether the signature is missing, unknown or wrong, rather than what was signed.
    pub fn is_signature(&self) -> bool {
        matches!(
            self,
            Self::KeyNotInForce | Self::Note(NoteError::UnknownKey | NoteError::Signature)
        )
    }
}

#[cfg(test)]
mod tests {
    use bulla_crypto::DataKey;

    use super::*;
    use crate::{Hash, LogState};

    const ORIGIN: &str = "log.example/a";

    fn signing(seed: u8) -> SigningKey {
        SigningKey::from_seed(&DataKey::from_bytes(&mut [seed; 32])).unwrap()
    }

    fn chain() -> KeyChain {
        KeyChain::new(VerifierKey::new(ORIGIN, signing(1).public_key()).unwrap())
    }

    fn statement(number: u64, new: u8, first_size: u64) -> KeyStatement {
        KeyStatement {
            origin: ORIGIN.into(),
            number,
            public_key: signing(new).public_key(),
            first_size,
            time: 5,
        }
    }

    fn checkpoint(size: u64, key: u8) -> String {
        let mut state = LogState::new();
        for _ in 0..size {
            state.append_hash(Hash::ZERO);
        }
        state.checkpoint(ORIGIN, 9).sign(&signing(key)).unwrap()
    }

    #[test]
    fn each_key_signs_from_its_own_size_on_and_no_other() {
        let mut chain = chain();
        chain
            .extend(&statement(2, 2, 4).sign(&signing(1), &signing(2)).unwrap())
            .unwrap();
        chain
            .extend(&statement(3, 3, 8).sign(&signing(2), &signing(3)).unwrap())
            .unwrap();
        for size in 0..12 {
            let in_force = if size < 4 {
                1
            } else if size < 8 {
                2
            } else {
                3
            };
            for key in 1..=3 {
                let read = chain.verify_checkpoint(&checkpoint(size, key));
                assert_eq!(read.is_ok(), key == in_force, "size {size}, key {key}");
            }
            let unknown = chain.verify_checkpoint(&checkpoint(size, 4));
            assert_eq!(unknown, Err(CheckpointError::Note(NoteError::UnknownKey)));
        }
    }

    #[test]
    fn a_key_that_its_predecessor_did_not_sign_is_refused() {
        let mut chain = chain();
        let by_itself = note::sign(&statement(2, 2, 4).to_text().unwrap(), ORIGIN, &[&signing(2)]).unwrap();
        assert_eq!(
            chain.extend(&by_itself),
            Err(CheckpointError::Note(NoteError::UnknownKey))
        );
        let without_itself = note::sign(&statement(2, 2, 4).to_text().unwrap(), ORIGIN, &[&signing(1)]).unwrap();
        assert_eq!(
            chain.extend(&without_itself),
            Err(CheckpointError::Note(NoteError::UnknownKey))
        );
        let skipped = statement(3, 2, 4).sign(&signing(1), &signing(2)).unwrap();
        assert_eq!(chain.extend(&skipped), Err(CheckpointError::Body));
        let from_the_start = statement(2, 2, 0).sign(&signing(1), &signing(2)).unwrap();
        assert_eq!(chain.extend(&from_the_start), Err(CheckpointError::Body));
        let elsewhere = KeyStatement {
            origin: "log.example/b".into(),
            ..statement(2, 2, 4)
        };
        let elsewhere = elsewhere.sign(&signing(1), &signing(2)).unwrap();
        assert_eq!(
            chain.extend(&elsewhere),
            Err(CheckpointError::Note(NoteError::UnknownKey))
        );
        assert_eq!(chain, self::chain());
    }

    #[test]
    fn a_checkpoint_is_no_statement_and_a_statement_is_no_checkpoint() {
        let mut chain = chain();
        assert_eq!(chain.extend(&checkpoint(3, 1)), Err(CheckpointError::Body));
        let statement = statement(2, 2, 4).sign(&signing(1), &signing(2)).unwrap();
        assert_eq!(chain.verify_checkpoint(&statement), Err(CheckpointError::Body));
    }
}
