//! The tree and its proofs against RFC 6962's own recursion, and against Certificate Transparency's known roots.

use bulla_audit::{
    CompactRange, Hash, ProofError, consistency_proof, inclusion_proof, leaf_hash, root_of, verify_consistency,
    verify_inclusion,
};
use bulla_crypto::sha256;
use proptest::prelude::*;

const SIZES: usize = 300;

/// RFC 6962 §2.1 and §2.1.1, §2.1.2, as written there.
mod naive {
    use super::*;

    fn node(left: Hash, right: Hash) -> Hash {
        Hash::from_bytes(sha256(&[&[1], &left.as_bytes()[..], right.as_bytes()].concat()))
    }

    fn k(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }

    pub(super) fn mth(d: &[Hash]) -> Hash {
        match d {
            [] => Hash::from_bytes(sha256(b"")),
            [one] => *one,
            _ => node(mth(&d[..k(d.len())]), mth(&d[k(d.len())..])),
        }
    }

    pub(super) fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
        if d.len() == 1 {
            return Vec::new();
        }
        let (left, right) = d.split_at(k(d.len()));
        let (mut path, sibling) = if m < left.len() {
            (path(m, left), mth(right))
        } else {
            (path(m - left.len(), right), mth(left))
        };
        path.push(sibling);
        path
    }

    pub(super) fn subproof(m: usize, d: &[Hash], whole: bool) -> Vec<Hash> {
        if m == d.len() {
            return if whole { Vec::new() } else { vec![mth(d)] };
        }
        let (left, right) = d.split_at(k(d.len()));
        let (mut proof, sibling) = if m <= left.len() {
            (subproof(m, left, whole), mth(right))
        } else {
            (subproof(m - left.len(), right, false), mth(left))
        };
        proof.push(sibling);
        proof
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count as u64).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()
}

#[test]
fn roots_of_certificate_transparencys_test_leaves_are_the_known_ones() {
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut range = CompactRange::new();
    assert_eq!(range.root().to_string(), roots[0]);
    for (input, root) in inputs.iter().zip(&roots[1..]) {
        range.append(leaf_hash(&hex::decode(input).unwrap()));
        assert_eq!(range.root().to_string(), *root);
    }
}

#[test]
fn roots_of_all_sizes_equal_the_recursion_of_the_rfc() {
    let leaves = leaves(SIZES);
    let mut range = CompactRange::new();
    for size in 0..=SIZES {
        assert_eq!(range.root(), naive::mth(&leaves[..size]), "size {size}");
        assert_eq!(root_of(&leaves[..size]), range.root());
        assert_eq!(
            CompactRange::from_peaks(size as u64, range.peaks().to_vec()).as_ref(),
            Some(&range)
        );
        assert_eq!(
            CompactRange::from_peaks(size as u64 + 1, range.peaks().to_vec()).is_some(),
            (size + 1).count_ones() == size.count_ones()
        );
        if size < SIZES {
            range.append(leaves[size]);
        }
    }
}

#[test]
fn inclusion_proofs_equal_the_recursion_of_the_rfc_and_verify_for_their_leaf_alone() {
    let leaves = leaves(70);
    for size in 1..=leaves.len() {
        let root = root_of(&leaves[..size]);
        for index in 0..size {
            let proof = inclusion_proof(index as u64, &leaves[..size]).unwrap();
            assert_eq!(proof, naive::path(index, &leaves[..size]), "{index} of {size}");
            let verify =
                |leaf: usize, at: usize| verify_inclusion(&leaves[leaf], at as u64, size as u64, &proof, &root);
            assert_eq!(verify(index, index), Ok(()));
            for other in (0..size).filter(|&other| other != index) {
                assert!(
                    verify(other, index).is_err() && verify(index, other).is_err(),
                    "{other} as {index} of {size}"
                );
            }
        }
    }
    assert_eq!(inclusion_proof(0, &[]), Err(ProofError::OutOfRange));
    assert_eq!(inclusion_proof(3, &leaves[..3]), Err(ProofError::OutOfRange));
}

#[test]
fn consistency_proofs_equal_the_recursion_of_the_rfc_and_verify_for_their_sizes() {
    let leaves = leaves(130);
    let roots: Vec<Hash> = (0..=leaves.len()).map(|size| root_of(&leaves[..size])).collect();
    for size in 0..=leaves.len() {
        for old in 0..=size {
            let proof = consistency_proof(old as u64, &leaves[..size]).unwrap();
            if old > 0 {
                assert_eq!(proof, naive::subproof(old, &leaves[..size], true), "{old} to {size}");
            }
            let verify = |old_root: &Hash, root: &Hash, proof: &[Hash]| {
                verify_consistency(old as u64, old_root, size as u64, root, proof)
            };
            assert_eq!(verify(&roots[old], &roots[size], &proof), Ok(()));
            assert!(verify(&leaves[5], &roots[size], &proof).is_err());
            if old > 0 {
                assert!(verify(&roots[old], &leaves[5], &proof).is_err());
            }
            let mut longer = proof.clone();
            longer.push(leaves[0]);
            assert!(verify(&roots[old], &roots[size], &longer).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(verify(&roots[old], &roots[size], shorter).is_err());
            }
        }
    }
    assert_eq!(consistency_proof(4, &leaves[..3]), Err(ProofError::OutOfRange));
}

proptest! {
    #[test]
    fn proofs_of_any_size_verify_and_no_changed_hash_does(
        size in 1..=SIZES, index in any::<prop::sample::Index>(), changed in any::<prop::sample::Index>(), bit in 0..8_u32, byte in 0..32_usize,
    ) {
        let leaves = leaves(size);
        let index = index.index(size);
        let (root, old_root) = (root_of(&leaves), root_of(&leaves[..index]));
        let change = |hash: &Hash| {
            let mut bytes = *hash.as_bytes();
            bytes[byte] ^= 1 << bit;
            Hash::from_bytes(bytes)
        };
        let mut inclusion = inclusion_proof(index as u64, &leaves).unwrap();
        prop_assert_eq!(&inclusion, &naive::path(index, &leaves));
        prop_assert_eq!(verify_inclusion(&leaves[index], index as u64, size as u64, &inclusion, &root), Ok(()));
        prop_assert!(verify_inclusion(&change(&leaves[index]), index as u64, size as u64, &inclusion, &root).is_err());
        if !inclusion.is_empty() {
            let at = changed.index(inclusion.len());
            inclusion[at] = change(&inclusion[at]);
            prop_assert!(verify_inclusion(&leaves[index], index as u64, size as u64, &inclusion, &root).is_err());
        }
        let mut consistency = consistency_proof(index as u64, &leaves).unwrap();
        prop_assert_eq!(verify_consistency(index as u64, &old_root, size as u64, &root, &consistency), Ok(()));
        if !consistency.is_empty() {
            let at = changed.index(consistency.len());
            consistency[at] = change(&consistency[at]);
            prop_assert!(verify_consistency(index as u64, &old_root, size as u64, &root, &consistency).is_err());
        }
    }
}
