mod proof;

pub use proof::{ProofBuilder, ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};

use crate::Hash;

/// The roots of the perfect subtrees that a tree of this size consists of, the largest first.
///
/// A tree of `size` leaves has one for each bit that is set in `size`: at most 64 hashes say all that appending needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// The range of no leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rebuilds a range; `None` unless there is one peak for each bit of `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtree roots, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf: one hash on average, at most 63.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            node = Hash::of_node(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root of the tree; SHA-256 of nothing for no leaves (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Hash::of(b""),
            Some(smallest) => peaks.fold(*smallest, |right, left| Hash::of_node(left, &right)),
        }
    }
}

/// Computes the root over leaf hashes.
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut range = CompactRange::new();
    for leaf in leaves {
        range.append(*leaf);
    }
    range.root()
}
