//! Tampering by who recomputes hashes, or holds a signing key: rewritten chains, forks, replaced logs, wrong heads.

use bulla_audit::{CheckpointError, Completeness, FindingKind, LogHead, NoteError};
use serde_json::json;

use crate::fixture::{LAYOUTS, Log, MIXED, ORIGIN, SINGLES, found, signing};

#[test]
fn an_edit_whose_chain_was_recomputed_is_named_by_the_checkpoints_after_it() {
    for groups in LAYOUTS {
        let boundaries: Vec<u64> = Log::build(groups, 1, "x")
            .checkpoints
            .iter()
            .map(|(size, _)| *size)
            .collect();
        for row in 0..18 {
            let mut log = Log::build(groups, 1, "x");
            log.edit(row, |event| event["userIdentity"]["userName"] = json!("mallory"));
            log.rechain(row + 1);
            // Everything from the checkpoint before the edit on no longer leads to what was signed.
            let first = boundaries
                .iter()
                .copied()
                .filter(|size| *size <= row as u64)
                .max()
                .unwrap_or(0);
            let found = found(&log.verify());
            let whole = found
                .iter()
                .all(|(kind, from, to)| *kind == FindingKind::Edited && *from >= first && *to <= 17);
            assert!(
                whole && found[0].1 <= row as u64 && found[0].2 == 17,
                "{row}: {found:?}"
            );
        }
    }
}

#[test]
fn an_edit_whose_chain_was_recomputed_up_to_the_next_checkpoint_is_named() {
    let mut log = Log::build(MIXED, 1, "x");
    let genuine = log.events.clone();
    log.edit(7, |event| event["errorCode"] = json!("AccessDenied"));
    log.rechain(8);
    log.events[10..].clone_from_slice(&genuine[10..]);
    assert_eq!(found(&log.verify()), [(FindingKind::Edited, 6, 9)]);
}

#[test]
fn a_log_signed_with_another_key_is_named_at_every_checkpoint() {
    let log = Log::build(MIXED, 2, "x");
    let found = found(&log.verify());
    for (size, _) in &log.checkpoints {
        let named = |&(kind, first, last): &_| kind == FindingKind::BadSignature && (first..=last).contains(size);
        assert!(found.iter().any(named), "{size}: {found:?}");
    }
}

#[test]
fn a_checkpoint_kept_from_a_log_with_another_key_is_refused() {
    let theirs = Log::build(MIXED, 2, "x");
    let ours = Log::build(MIXED, 1, "x");
    let mut verifier = bulla_audit::LogVerifier::new(crate::fixture::verifier_key(1).into(), ours.head);
    let refused = verifier.compare_with(&theirs.head.checkpoint);
    assert_eq!(refused, Err(CheckpointError::Note(NoteError::UnknownKey)));
}

#[test]
fn another_whole_log_with_the_same_key_is_named_only_by_a_checkpoint_that_was_kept() {
    for groups in LAYOUTS {
        let ours = Log::build(groups, 1, "x");
        let replacement = Log::build(groups, 1, "y");
        assert!(replacement.verify().is_consistent());
        for (size, note) in &ours.checkpoints {
            let report = replacement.verify_against(&[note]);
            assert_eq!(found(&report), [(FindingKind::Replaced, *size, *size)]);
            assert_eq!(report.completeness, Completeness::NotVouched);
        }
    }
}

#[test]
fn a_log_that_branched_off_after_a_kept_checkpoint_extends_that_one_and_not_the_next() {
    let mut branch = Log::build(&MIXED[..4], 1, "x");
    branch.variant = "y".into();
    branch.commit(12, 1);
    let ours = Log::build(MIXED, 1, "x");
    let (early, late) = (&ours.checkpoints[3].1, &ours.checkpoints[6].1);
    let report = branch.verify_against(&[early, late]);
    assert_eq!(found(&report), [(FindingKind::Replaced, 17, 17)]);
    assert_eq!(report.completeness, Completeness::VouchedUpTo { size: 6 });
}

#[test]
fn a_stored_checkpoint_of_another_branch_is_named_as_a_fork() {
    for groups in LAYOUTS {
        let ours = Log::build(groups, 1, "x");
        for index in 0..ours.checkpoints.len() {
            // The other branch shares everything before this group commit.
            let mut branch = Log::build(&groups[..index], 1, "x");
            branch.variant = "y".into();
            branch.commit(groups[index], 1);
            let mut forked = ours.clone();
            forked.checkpoints[index] = branch.checkpoints[index].clone();
            let size = forked.checkpoints[index].0;
            assert_eq!(
                found(&forked.verify()),
                [(FindingKind::Fork, size, size)],
                "{groups:?} at {index}"
            );
        }
    }
}

#[test]
fn two_signed_checkpoints_of_one_size_are_a_fork() {
    let mut log = Log::build(SINGLES, 1, "x");
    let other = Log::build(SINGLES, 1, "y");
    log.checkpoints.insert(5, other.checkpoints[5].clone());
    assert_eq!(found(&log.verify()), [(FindingKind::Fork, 6, 6)]);
}

#[test]
fn a_checkpoint_with_a_changed_byte_is_named_at_its_size() {
    let log = Log::build(MIXED, 1, "x");
    for index in 0..log.checkpoints.len() {
        let mut changed = log.clone();
        let (size, note) = &mut changed.checkpoints[index];
        *note = note.replace("time 2024", "time 2023");
        let size = *size;
        assert_eq!(found(&changed.verify()), [(FindingKind::BadSignature, size, size)]);
    }
}

#[test]
fn a_checkpoint_under_another_ones_size_is_named() {
    let mut log = Log::build(MIXED, 1, "x");
    log.checkpoints[2].1 = log.checkpoints[3].1.clone();
    assert_eq!(found(&log.verify()), [(FindingKind::CheckpointMismatch, 5, 5)]);
}

#[test]
fn a_head_that_contradicts_its_checkpoint_is_named() {
    let log = Log::build(MIXED, 1, "x");
    let older = Log::build(&MIXED[..5], 1, "x");
    type Change = fn(&mut LogHead, &LogHead);
    let changes: [(Change, FindingKind); 6] = [
        (|head, older| head.size = older.size, FindingKind::HeadMismatch),
        (|head, _| head.metadata_revision += 1, FindingKind::HeadMismatch),
        (
            |head, older| head.state = older.state.clone(),
            FindingKind::HeadMismatch,
        ),
        (|head, _| head.state[30] ^= 1, FindingKind::HeadMismatch),
        (|head, _| head.state.push(0), FindingKind::HeadMismatch),
        (
            |head, _| head.checkpoint = head.checkpoint.replace("time 2024", "time 2025"),
            FindingKind::BadSignature,
        ),
    ];
    for (change, kind) in changes {
        let mut changed = log.clone();
        change(&mut changed.head, &older.head);
        let found = found(&changed.verify());
        assert_eq!(found, [(kind, changed.head.size, changed.head.size)]);
    }
    let mut changed = log.clone();
    changed.head.checkpoint.clear();
    let found = found(&changed.verify());
    assert_eq!(found, [(FindingKind::HeadMismatch, 18, 18)]);
}

#[test]
fn a_head_whose_checkpoint_is_not_stored_is_named() {
    let mut log = Log::build(MIXED, 1, "x");
    log.checkpoints.pop();
    assert_eq!(found(&log.verify()), [(FindingKind::CheckpointMissing, 18, 18)]);
}

#[test]
fn a_signed_checkpoint_with_a_root_that_is_not_the_events_is_named() {
    let mut log = Log::build(MIXED, 1, "x");
    let mut at_six = Log::build(&MIXED[..4], 1, "x").state.checkpoint(ORIGIN, 7);
    at_six.root = bulla_audit::leaf_hash(b"other");
    log.checkpoints[3].1 = at_six.sign(&signing(1)).unwrap();
    assert_eq!(found(&log.verify()), [(FindingKind::CheckpointMismatch, 6, 6)]);
}
