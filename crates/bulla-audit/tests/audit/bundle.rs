//! `bulla audit prove`: one document that a third party checks.

use bulla_audit::{BundleError, Hash, KeyStatement, ProofBuilder, ProofBundle, inclusion_proof, leaf_hash};

use crate::fixture::{Log, MIXED, ORIGIN, signing, verifier_key};

pub(crate) fn bundle(log: &Log, sequence: u64, statements: Vec<String>) -> ProofBundle {
    let leaves: Vec<Hash> = log.events.iter().map(|(_, bytes)| leaf_hash(bytes)).collect();
    ProofBundle {
        event: log.events[sequence as usize].1.clone(),
        sequence,
        path: inclusion_proof(sequence, &leaves).unwrap(),
        checkpoint: log.head.checkpoint.clone(),
        key: verifier_key(1).to_string(),
        key_statements: statements,
    }
}

#[test]
fn every_event_is_proven_by_its_own_document_and_no_other_events_bytes_are() {
    let log = Log::build(MIXED, 1, "x");
    for sequence in 0..log.size() {
        let bundle = bundle(&log, sequence, Vec::new());
        let read = ProofBundle::from_json(&bundle.to_json().unwrap()).unwrap();
        assert_eq!(read, bundle);
        let proven = read.verify(&verifier_key(1)).unwrap();
        assert_eq!(proven.event["sequence"], sequence);
        assert_eq!(proven.checkpoint.size, log.size());

        let other = log.events[(sequence as usize + 1) % log.events.len()].1.clone();
        assert!(matches!(
            ProofBundle {
                event: other,
                ..bundle.clone()
            }
            .verify(&verifier_key(1)),
            Err(BundleError::Path(_))
        ));
        let moved = ProofBundle {
            sequence: (sequence + 1) % log.size(),
            ..bundle.clone()
        };
        assert!(matches!(moved.verify(&verifier_key(1)), Err(BundleError::Path(_))));
        assert_eq!(bundle.verify(&verifier_key(2)), Err(BundleError::Key));
    }
}

#[test]
fn a_document_after_a_key_rotation_rests_on_the_first_key() {
    let mut log = Log::build(&[3], 1, "x");
    log.commit(4, 2);
    let statement = KeyStatement {
        origin: ORIGIN.into(),
        number: 2,
        public_key: signing(2).public_key(),
        first_size: 4,
        time: 3,
    };
    let statement = statement.sign(&signing(1), &signing(2)).unwrap();
    assert!(bundle(&log, 1, vec![statement]).verify(&verifier_key(1)).is_ok());
    assert!(matches!(
        bundle(&log, 1, Vec::new()).verify(&verifier_key(1)),
        Err(BundleError::Checkpoint(_))
    ));
}

#[test]
fn a_signed_leaf_that_says_another_sequence_is_refused() {
    let mut log = Log::build(&[2], 1, "x");
    let copy = log.events[1].1.clone();
    log.state.append(&copy);
    log.events.push((2, copy));
    log.sign(1);
    assert_eq!(
        bundle(&log, 2, Vec::new()).verify(&verifier_key(1)),
        Err(BundleError::Event)
    );
}

#[test]
fn documents_of_another_form_are_refused() {
    let json = bundle(&Log::build(&[3], 1, "x"), 1, Vec::new()).to_json().unwrap();
    for (from, to) in [
        ("bulla-audit-proof/1", "bulla-audit-proof/2"),
        ("\"size\": 3", "\"size\": 4"),
        ("\"sequence\"", "\"more\": 1, \"sequence\""),
        ("\"sequence\": 1,", ""),
        ("\"event\": \"", "\"event\": \"*"),
    ] {
        let changed = json.replace(from, to);
        assert_ne!(changed, json);
        assert!(ProofBundle::from_json(&changed).is_err(), "{from}");
    }
}

#[test]
fn a_proof_over_fewer_leaves_than_the_tree_has_is_not_made() {
    let mut builder = ProofBuilder::inclusion(1, 3).unwrap();
    builder.push(Hash::ZERO);
    builder.push(Hash::ZERO);
    assert!(builder.finish().is_err());
}
