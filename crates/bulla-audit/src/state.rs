use crate::{Checkpoint, CompactRange, Hash, canonical::MAX_INTEGER, leaf_hash};

const FORMAT: u8 = 1;

/// What the head row keeps of the log: all that appending and signing need.
///
/// ```text
/// format u8 = 1 │ size u64 │ metadata revision u64 │ last 32 │ peaks: 32 for each bit set in size, the largest subtree first
/// ```
/// Integers are big-endian; at most 49 + 64 × 32 = 2,097 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogState {
    last: Hash,
    range: CompactRange,
    metadata_revision: u64,
}

/// Bytes that are not a log's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another format than this program's.
    #[error("the log's state has an unknown format")]
    Format,
    /// Too short or too long for its size.
    #[error("the log's state has the wrong length")]
    Length,
    /// Parts that contradict each other.
    #[error("the log's state contradicts itself")]
    Contradiction,
}

impl LogState {
    /// The state of an empty log: size 0, revision 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of events; also the next event's sequence.
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// The leaf hash of the newest event, which is the next event's `previousHash`; [`Hash::ZERO`] when there is none.
    pub fn last(&self) -> Hash {
        self.last
    }

    /// Newest metadata revision.
    pub fn metadata_revision(&self) -> u64 {
        self.metadata_revision
    }

    /// The Merkle tree so far.
    pub fn range(&self) -> &CompactRange {
        &self.range
    }

    /// The Merkle root.
    pub fn root(&self) -> Hash {
        self.range.root()
    }

    /// Appends an event's bytes and tells their leaf hash; the metadata revision stays.
    pub fn append(&mut self, event: &[u8]) -> Hash {
        self.append_hash(leaf_hash(event))
    }

    /// Appends an event that is hashed already.
    pub fn append_hash(&mut self, leaf: Hash) -> Hash {
        self.range.append(leaf);
        self.last = leaf;
        leaf
    }

    /// Counts a change set: the revision for the rows and the event of one operation that changes rows.
    pub fn next_metadata_revision(&mut self) -> u64 {
        self.metadata_revision += 1;
        self.metadata_revision
    }

    /// Makes the statement of this state that is to be signed.
    pub fn checkpoint(&self, origin: &str, time: i64) -> Checkpoint {
        Checkpoint {
            origin: origin.to_owned(),
            size: self.size(),
            root: self.root(),
            last: self.last,
            metadata_revision: self.metadata_revision,
            time,
        }
    }

    /// Writes the state for the head row.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(49 + self.range.peaks().len() * 32);
        out.push(FORMAT);
        out.extend_from_slice(&self.size().to_be_bytes());
        out.extend_from_slice(&self.metadata_revision.to_be_bytes());
        out.extend_from_slice(self.last.as_bytes());
        for peak in self.range.peaks() {
            out.extend_from_slice(peak.as_bytes());
        }
        out
    }

    /// Reads a state.
    ///
    /// # Errors
    /// [`StateError`] for anything that [`to_bytes`](Self::to_bytes) does not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (&format, rest) = bytes.split_first().ok_or(StateError::Length)?;
        if format != FORMAT {
            return Err(StateError::Format);
        }
        let (size, rest) = rest.split_first_chunk::<8>().ok_or(StateError::Length)?;
        let (revision, rest) = rest.split_first_chunk::<8>().ok_or(StateError::Length)?;
        let (last, rest) = rest.split_first_chunk::<32>().ok_or(StateError::Length)?;
        let (peaks, surplus) = rest.as_chunks::<32>();
        if !surplus.is_empty() {
            return Err(StateError::Length);
        }
        let size = u64::from_be_bytes(*size);
        let peaks = peaks.iter().map(|peak| Hash::from_bytes(*peak)).collect();
        let range = CompactRange::from_peaks(size, peaks).ok_or(StateError::Length)?;
        let last = Hash::from_bytes(*last);
        // The newest event of an odd log is a subtree of its own; an empty log has no newest event.
        let contradicts = match range.peaks().last() {
            None => last != Hash::ZERO,
            Some(peak) => size & 1 == 1 && *peak != last,
        };
        let revision = u64::from_be_bytes(*revision);
        if contradicts || size > MAX_INTEGER || revision > MAX_INTEGER {
            return Err(StateError::Contradiction);
        }
        Ok(Self {
            last,
            range,
            metadata_revision: revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_all_small_sizes_go_to_bytes_and_back_and_nothing_else_is_read() {
        let mut state = LogState::new();
        for sequence in 0..70_u64 {
            let bytes = state.to_bytes();
            assert_eq!(LogState::from_bytes(&bytes), Ok(state.clone()));
            assert_eq!(bytes.len(), 49 + 32 * state.size().count_ones() as usize);
            let mut longer = bytes.clone();
            longer.push(0);
            assert_eq!(LogState::from_bytes(&longer), Err(StateError::Length));
            assert_eq!(LogState::from_bytes(&bytes[..bytes.len() - 1]), Err(StateError::Length));
            let mut other = bytes.clone();
            other[0] = 2;
            assert_eq!(LogState::from_bytes(&other), Err(StateError::Format));
            if sequence % 2 == 1 || sequence == 0 {
                let mut other = bytes;
                other[20] ^= 1;
                assert_eq!(LogState::from_bytes(&other), Err(StateError::Contradiction));
            }
            state.append(&sequence.to_be_bytes());
            state.next_metadata_revision();
        }
        assert_eq!(LogState::from_bytes(&[]), Err(StateError::Length));
    }
}
