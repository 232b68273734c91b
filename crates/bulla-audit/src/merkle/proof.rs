use std::ops::Range;

use super::CompactRange;
use crate::Hash;

/// A proof that can't be made or does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// An index beyond the tree, or an old size greater than the new one.
    #[error("the proof asks for more than the tree has")]
    OutOfRange,
    /// Fewer leaves were pushed than the tree has.
    #[error("leaves are missing")]
    Incomplete,
    /// Too few or too many hashes.
    #[error("the proof has the wrong length")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Computes a proof in one pass over the leaves, keeping O(log² size) hashes.
#[derive(Debug, Clone)]
pub struct ProofBuilder {
    size: u64,
    pushed: u64,
    /// The subtrees whose roots the proof consists of, in the order of the proof.
    nodes: Vec<(Range<u64>, CompactRange)>,
}

impl ProofBuilder {
    /// Begins the proof that the leaf `index` is in the tree of `size` leaves: PATH(index, D\[size\]) (RFC 6962 §2.1.1).
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size {
            return Err(ProofError::OutOfRange);
        }
        let (mut from, mut to) = (0, size);
        let mut nodes = Vec::new();
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                nodes.push(middle..to);
                to = middle;
            } else {
                nodes.push(from..middle);
                from = middle;
            }
        }
        Ok(Self::over(nodes, size))
    }

    /// Begins the proof that the tree of `old` leaves is a prefix of that of `size`: PROOF(old, D\[size\]) (RFC 6962 §2.1.2).
    ///
    /// Empty where `old` is 0 or `size`.
    pub fn consistency(old: u64, size: u64) -> Result<Self, ProofError> {
        if old > size {
            return Err(ProofError::OutOfRange);
        }
        let mut nodes = Vec::new();
        if old > 0 {
            let (mut from, mut to) = (0, size);
            while to != old {
                let middle = from + split(to - from);
                if old <= middle {
                    nodes.push(middle..to);
                    to = middle;
                } else {
                    nodes.push(from..middle);
                    from = middle;
                }
            }
            // The whole old tree is known to whoever asks; a part of it is not.
            if from > 0 {
                nodes.push(from..to);
            }
        }
        Ok(Self::over(nodes, size))
    }

    /// Takes the next leaf hash, from leaf 0 on.
    pub fn push(&mut self, leaf: Hash) {
        if let Some((_, range)) = self.nodes.iter_mut().find(|(node, _)| node.contains(&self.pushed)) {
            range.append(leaf);
        }
        self.pushed += 1;
    }

    /// Ends with the proof's hashes, those nearest to the leaves first.
    ///
    /// # Errors
    /// [`ProofError::Incomplete`] unless exactly the tree's leaves were pushed.
    pub fn finish(self) -> Result<Vec<Hash>, ProofError> {
        if self.pushed != self.size {
            return Err(ProofError::Incomplete);
        }
        Ok(self.nodes.iter().rev().map(|(_, range)| range.root()).collect())
    }

    fn over(nodes: Vec<Range<u64>>, size: u64) -> Self {
        Self {
            size,
            pushed: 0,
            nodes: nodes.into_iter().map(|node| (node, CompactRange::new())).collect(),
        }
    }
}

/// Computes the inclusion proof of leaf `index` among `leaves`.
pub fn inclusion_proof(index: u64, leaves: &[Hash]) -> Result<Vec<Hash>, ProofError> {
    build(ProofBuilder::inclusion(index, leaves.len() as u64)?, leaves)
}

/// Computes the consistency proof between the first `old` of `leaves` and all of them.
pub fn consistency_proof(old: u64, leaves: &[Hash]) -> Result<Vec<Hash>, ProofError> {
    build(ProofBuilder::consistency(old, leaves.len() as u64)?, leaves)
}

fn build(mut builder: ProofBuilder, leaves: &[Hash]) -> Result<Vec<Hash>, ProofError> {
    for leaf in leaves {
        builder.push(*leaf);
    }
    builder.finish()
}

/// Verifies that `leaf` is leaf `index` of the tree of `size` leaves with `root` (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`]: `OutOfRange`, `Length`, `Root`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut computed = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            computed = Hash::of_node(sibling, &computed);
            // A node without a right sibling is its own parent until it has a left one.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            computed = Hash::of_node(&computed, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if computed == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Verifies that the tree of `old` leaves with `old_root` is a prefix of that of `size` leaves with `root` (RFC 9162 §2.1.4.2).
///
/// The empty tree is a prefix of every tree: that proof is empty and says nothing of `root`.
///
/// # Errors
/// [`ProofError`]: `OutOfRange`, `Length`, `Root`.
pub fn verify_consistency(old: u64, old_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if old > size {
        return Err(ProofError::OutOfRange);
    }
    if old == 0 || old == size {
        let expected = if old == 0 { Hash::of(b"") } else { *root };
        return match (proof.is_empty(), *old_root == expected) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    let mut hashes = proof.iter();
    let first = if old.is_power_of_two() {
        old_root
    } else {
        hashes.next().ok_or(ProofError::Length)?
    };
    let (mut node, mut last) = (old - 1, size - 1);
    let skipped = node.trailing_ones();
    node >>= skipped;
    last >>= skipped;
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            of_old = Hash::of_node(hash, &of_old);
            of_new = Hash::of_node(hash, &of_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            of_new = Hash::of_node(&of_new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if of_old == *old_root && of_new == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// The greatest power of two smaller than `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}
