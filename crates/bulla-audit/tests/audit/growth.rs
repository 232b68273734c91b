//! What a verifier says besides tampering: rows, revisions, intents, keys that change, a log that grows meanwhile.

use bulla_audit::{
    ActualRow, ChangeOperation, CommitPoint, FindingKind, Intent, KeyChain, KeyStatement, LogVerifier, RowFindingKind,
    row_digest,
};

use crate::fixture::{Log, MIXED, ORIGIN, draft, found, signing, verifier_key};

#[test]
fn the_rows_that_decide_are_replayed_from_the_log_alone() {
    let report = Log::build(MIXED, 1, "x").verify();
    let deleted = |row: &bulla_audit::ExpectedRow| row.operation == ChangeOperation::Delete;
    // Events 0, 3, …, 15 wrote a row each; each from 6 on deleted the one of six before.
    assert_eq!(report.expected_rows.len(), 6);
    let gone: Vec<bool> = [0, 3, 6, 9, 12, 15]
        .map(|id| deleted(report.expected_rows.find("aliases", &format!("a{id}")).unwrap()))
        .into();
    assert_eq!(gone, [true, true, true, true, false, false]);

    let row = |id: &'static str, revision, body: &[u8]| ActualRow {
        table: "aliases",
        id,
        revision,
        digest: row_digest("aliases", id, "owner", revision, body),
    };
    assert_eq!(
        report
            .expected_rows
            .compare([row("a12", 5, b"{}"), row("a15", 6, b"{}")]),
        []
    );
    let found = report
        .expected_rows
        .compare([row("a12", 5, b"{1}"), row("a9", 4, b"{}")]);
    let named: Vec<_> = found
        .iter()
        .map(|finding| (finding.id.as_str(), finding.kind, finding.sequence))
        .collect();
    assert_eq!(
        named,
        [
            ("a12", RowFindingKind::Edited, Some(12)),
            ("a15", RowFindingKind::Deleted, Some(15)),
            ("a9", RowFindingKind::Resurrected, Some(15)),
        ]
    );
}

#[test]
fn an_edited_event_leaves_the_replay_incomplete() {
    let mut log = Log::build(MIXED, 1, "x");
    log.edit(6, |event| event["changes"][0]["id"] = "a99".into());
    let report = log.verify();
    assert!(!report.expected_rows_complete);
    assert!(report.expected_rows.find("aliases", "a99").is_none());
}

#[test]
fn a_metadata_revision_that_does_not_follow_is_named() {
    let mut log = Log::build(&[2], 1, "x");
    let commit = CommitPoint {
        sequence: 2,
        previous: log.state.last(),
        metadata_revision: 5,
        changes: &[],
    };
    let bytes = draft(2, "x").prepare().unwrap().finish(&commit).unwrap();
    log.state.append(&bytes);
    log.events.push((2, bytes));
    log.sign(1);
    let found = found(&log.verify());
    assert_eq!(
        found,
        [
            (FindingKind::MetadataRevision, 2, 2),
            (FindingKind::CheckpointMismatch, 3, 3)
        ]
    );
}

#[test]
fn intents_without_outcome_are_listed_and_are_no_tampering() {
    let mut log = Log::build(&[1], 1, "x");
    let announced = |id: &'static str| bulla_audit::EventDraft {
        event_id: id.into(),
        event_name: "GetToken".into(),
        intent: Intent::Announced,
        ..draft(0, "x")
    };
    let outcome = |of: &str| bulla_audit::EventDraft {
        intent: Intent::Outcome(of.into()),
        ..draft(0, "x")
    };
    log.append(&announced("one"));
    log.append(&announced("two"));
    log.append(&outcome("one"));
    log.sign(1);
    let report = log.verify();
    assert!(report.is_consistent());
    let open: Vec<_> = report
        .open_intents
        .iter()
        .map(|open| (open.sequence, open.event_id.as_str()))
        .collect();
    assert_eq!(open, [(2, "two")]);
    assert_eq!(report.open_intents[0].event_name, "GetToken");

    log.append(&outcome("one"));
    log.append(&announced("two"));
    log.sign(1);
    let found = found(&log.verify());
    assert_eq!(
        found,
        [
            (FindingKind::OutcomeWithoutIntent, 4, 4),
            (FindingKind::IntentTwice, 5, 5)
        ]
    );
}

#[test]
fn a_log_whose_key_was_rotated_verifies_from_its_first_key() {
    let mut log = Log::build(&[2, 3], 1, "x");
    log.commit(2, 2);
    log.commit(1, 2);
    let statement = KeyStatement {
        origin: ORIGIN.into(),
        number: 2,
        public_key: signing(2).public_key(),
        first_size: 6,
        time: 3,
    };
    let mut keys = KeyChain::new(verifier_key(1));
    keys.extend(&statement.sign(&signing(1), &signing(2)).unwrap()).unwrap();
    assert_eq!(found(&log.verify_with(keys.clone(), &[])), []);
    // The old key must not sign what came after.
    log.commit(1, 1);
    assert!(found(&log.verify_with(keys, &[])).contains(&(FindingKind::BadSignature, 9, 9)));
}

#[test]
fn a_log_that_grows_while_it_is_read_is_verified_up_to_the_newest_head() {
    let mut log = Log::build(MIXED, 1, "x");
    let mut verifier = LogVerifier::new(verifier_key(1).into(), log.head.clone());
    let mut read = 0;
    let mut checkpoints = 0;
    for _ in 0..3 {
        for (size, note) in &log.checkpoints[checkpoints..] {
            verifier.push_checkpoint(*size, note);
        }
        for (column, bytes) in &log.events[read..] {
            verifier.push_event(*column, bytes);
        }
        (read, checkpoints) = (log.events.len(), log.checkpoints.len());
        log.commit(2, 1);
        log.commit(1, 1);
        verifier.advance_head(log.head.clone());
    }
    for (size, note) in &log.checkpoints[checkpoints..] {
        verifier.push_checkpoint(*size, note);
    }
    for (column, bytes) in &log.events[read..] {
        verifier.push_event(*column, bytes);
    }
    let report = verifier.finish();
    assert_eq!(found(&report), []);
    assert_eq!(report.head.unwrap().size, 27);
}
