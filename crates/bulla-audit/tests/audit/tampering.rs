//! One kind of tampering a test, at every place of logs with different group commits; each names what and where.

use bulla_audit::{Completeness, FindingKind};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{LAYOUTS, Log, MIXED, found};

const BUILT: u64 = 18;

fn everywhere(test: impl Fn(Log, usize)) {
    for groups in LAYOUTS {
        let log = Log::build(groups, 1, "x");
        for row in 0..BUILT as usize {
            test(log.clone(), row);
        }
    }
}

#[test]
fn an_untouched_log_is_consistent_and_its_completeness_is_not_vouched_for() {
    for groups in LAYOUTS {
        let report = Log::build(groups, 1, "x").verify();
        assert_eq!(found(&report), []);
        assert!(report.is_consistent() && report.expected_rows_complete);
        assert_eq!(report.completeness, Completeness::NotVouched);
        assert_eq!(report.to_string(), "consistent, completeness not vouched for");
        assert_eq!(report.rows_read, BUILT);
    }
    assert!(Log::build(&[], 1, "x").verify().is_consistent());
}

#[test]
fn an_untouched_log_extends_every_checkpoint_that_was_kept() {
    let log = Log::build(MIXED, 1, "x");
    for (size, note) in &log.checkpoints {
        let report = log.verify_against(&[note]);
        assert_eq!(found(&report), []);
        assert_eq!(report.completeness, Completeness::VouchedUpTo { size: *size });
    }
}

#[test]
fn an_edited_top_level_member_is_named() {
    everywhere(|mut log, row| {
        log.edit(row, |event| event["eventName"] = json!("Encrypt"));
        assert_eq!(found(&log.verify()), [(FindingKind::Edited, row as u64, row as u64)]);
    });
}

#[test]
fn an_edited_nested_member_is_named() {
    everywhere(|mut log, row| {
        log.edit(row, |event| {
            event["requestParameters"]["encryptionContext"]["tenant"] = json!("t2")
        });
        assert_eq!(found(&log.verify()), [(FindingKind::Edited, row as u64, row as u64)]);
    });
}

#[test]
fn an_edited_previous_hash_is_named_and_the_event_before_it_is_not() {
    everywhere(|mut log, row| {
        log.edit(row, |event| event["previousHash"] = json!("ab".repeat(32)));
        assert_eq!(found(&log.verify()), [(FindingKind::Edited, row as u64, row as u64)]);
    });
}

#[test]
fn an_edited_sequence_is_named() {
    everywhere(|log, row| {
        for other in [row as u64 + 1, row as u64 + 5, 0, 3, 1_000_000]
            .into_iter()
            .filter(|&other| other != row as u64)
        {
            let mut log = log.clone();
            log.edit(row, |event| event["sequence"] = json!(other));
            let found = found(&log.verify());
            assert!(
                found.contains(&(FindingKind::Edited, row as u64, row as u64)),
                "{row} says {other}: {found:?}"
            );
        }
    });
}

#[test]
fn bytes_that_are_not_canonical_are_named_and_so_is_the_edit() {
    everywhere(|log, row| {
        for ruin in [
            |b: &mut Vec<u8>| b.push(b' '),
            |b: &mut Vec<u8>| b.truncate(9),
            |b: &mut Vec<u8>| b[5] = 0xff,
        ] {
            let mut log = log.clone();
            ruin(&mut log.events[row].1);
            let at = row as u64;
            assert_eq!(
                found(&log.verify()),
                [(FindingKind::Edited, at, at), (FindingKind::NotCanonical, at, at)]
            );
        }
    });
}

#[test]
fn a_deleted_event_is_named() {
    everywhere(|mut log, row| {
        log.events.remove(row);
        let kind = if row + 1 == BUILT as usize {
            FindingKind::Truncated
        } else {
            FindingKind::Deleted
        };
        assert_eq!(found(&log.verify()), [(kind, row as u64, row as u64)]);
    });
}

#[test]
fn a_deleted_event_is_named_though_the_rows_after_it_moved_up() {
    everywhere(|mut log, row| {
        log.events.remove(row);
        for moved in &mut log.events[row..] {
            moved.0 -= 1;
        }
        let at = row as u64;
        let found = found(&log.verify());
        if at + 1 == BUILT {
            assert_eq!(found, [(FindingKind::Truncated, at, at)]);
        } else {
            assert_eq!(
                found,
                [
                    (FindingKind::Deleted, at, at),
                    (FindingKind::Renumbered, at + 1, BUILT - 1)
                ]
            );
        }
    });
}

#[test]
fn deleted_ranges_are_named_from_the_first_event_on() {
    for groups in LAYOUTS {
        for (first, last) in [(0, 0), (0, 3), (2, 9), (5, 6), (7, 16)] {
            let mut log = Log::build(groups, 1, "x");
            log.events.retain(|(column, _)| !(first..=last).contains(column));
            let found = found(&log.verify());
            assert!(found.contains(&(FindingKind::Deleted, first, last)), "{found:?}");
            assert!(
                found
                    .iter()
                    .all(|(kind, ..)| matches!(kind, FindingKind::Deleted | FindingKind::Unvouched))
            );
        }
    }
}

#[test]
fn an_inserted_event_is_named_though_the_rows_after_it_moved_down() {
    everywhere(|mut log, row| {
        let mut forged = log.events[row].clone();
        let text = String::from_utf8(forged.1).unwrap().replace("Decrypt", "Encrypt");
        forged.1 = text.into_bytes();
        log.events.insert(row, forged);
        for moved in &mut log.events[row + 1..] {
            moved.0 += 1;
        }
        let at = row as u64;
        let expected = [
            (FindingKind::Inserted, at, at),
            (FindingKind::Renumbered, at, BUILT - 1),
        ];
        assert_eq!(found(&log.verify()), expected);
    });
}

#[test]
fn a_copy_of_an_event_that_was_inserted_again_is_named() {
    everywhere(|mut log, row| {
        let copy = log.events[row].1.clone();
        log.events.push((BUILT, copy));
        assert_eq!(found(&log.verify()), [(FindingKind::Inserted, BUILT, BUILT)]);
    });
}

#[test]
fn an_event_appended_without_a_checkpoint_is_named() {
    for groups in LAYOUTS {
        let log = Log::build(groups, 1, "x");
        let mut longer = log.clone();
        longer.commit(1, 1);
        longer.head = log.head.clone();
        longer.checkpoints = log.checkpoints;
        assert_eq!(found(&longer.verify()), [(FindingKind::Inserted, BUILT, BUILT)]);
    }
}

#[test]
fn events_that_changed_places_are_named() {
    for groups in LAYOUTS {
        for one in 0..BUILT as usize {
            for other in one + 1..BUILT as usize {
                let mut log = Log::build(groups, 1, "x");
                let taken = log.events[one].1.clone();
                log.events[one].1 = std::mem::replace(&mut log.events[other].1, taken);
                let mut named: Vec<u64> = Vec::new();
                let found = found(&log.verify());
                for &(kind, first, last) in &found {
                    assert_eq!(kind, FindingKind::Reordered, "{one} and {other}: {found:?}");
                    named.extend(first..=last);
                }
                assert_eq!(named, [one as u64, other as u64], "{found:?}");
            }
        }
    }
}

#[test]
fn an_event_copied_over_another_one_is_named() {
    everywhere(|log, row| {
        for other in (0..BUILT as usize).filter(|&other| other != row) {
            let mut log = log.clone();
            log.events[row].1 = log.events[other].1.clone();
            let found = found(&log.verify());
            let named = |(kind, first, last): &(FindingKind, u64, u64)| {
                let right = matches!(
                    kind,
                    FindingKind::Edited | FindingKind::Deleted | FindingKind::Truncated
                );
                right && (*first..=*last).contains(&(row as u64))
            };
            assert!(found.iter().any(named), "{other} over {row}: {found:?}");
        }
    });
}

#[test]
fn renumbered_rows_are_named() {
    everywhere(|mut log, row| {
        for moved in &mut log.events[row..] {
            moved.0 += 7;
        }
        let found = found(&log.verify());
        assert_eq!(found, [(FindingKind::Renumbered, row as u64, BUILT - 1)], "from {row}");
    });
}

#[test]
fn a_tail_that_was_cut_is_named_by_the_head() {
    everywhere(|mut log, row| {
        log.events.truncate(row);
        let cut = (FindingKind::Truncated, row as u64, BUILT - 1);
        // Within a group commit, the last event that is left has lost what vouched for it.
        let unvouched = (
            FindingKind::Unvouched,
            (row as u64).saturating_sub(1),
            (row as u64).saturating_sub(1),
        );
        let found = found(&log.verify());
        assert!(found == [cut] || found == [unvouched, cut], "{found:?}");
        // With the checkpoints cut too, the head alone knows; who vouched for the last event that is left may be gone.
        log.checkpoints.retain(|(size, _)| *size as usize <= row);
        let found = crate::fixture::found(&log.verify());
        assert!(
            found.contains(&(FindingKind::Truncated, row as u64, BUILT - 1)),
            "{found:?}"
        );
        assert!(
            found.contains(&(FindingKind::CheckpointMissing, BUILT, BUILT)),
            "{found:?}"
        );
    });
}

#[test]
fn an_older_head_is_named_by_the_checkpoints_that_were_left() {
    let log = Log::build(MIXED, 1, "x");
    let mut older = Log::build(&MIXED[..5], 1, "x");
    older.checkpoints = log.checkpoints;
    assert_eq!(found(&older.verify()), [(FindingKind::Truncated, 10, 17)]);
}

#[test]
fn a_log_put_back_whole_to_an_older_state_is_named_only_by_a_checkpoint_that_was_kept() {
    let log = Log::build(MIXED, 1, "x");
    let older = Log::build(&MIXED[..5], 1, "x");
    assert!(older.verify().is_consistent());
    let report = older.verify_against(&[&log.head.checkpoint]);
    assert_eq!(found(&report), [(FindingKind::Truncated, 10, 17)]);
    assert_eq!(report.completeness, Completeness::NotVouched);
}

#[test]
fn an_edited_event_leaves_the_log_complete_up_to_a_checkpoint_that_was_kept() {
    everywhere(|mut log, row| {
        let kept = log.checkpoints.clone();
        log.edit(row, |event| event["readOnly"] = json!(false));
        for (size, note) in kept {
            let report = log.verify_against(&[&note]);
            assert_eq!(found(&report), [(FindingKind::Edited, row as u64, row as u64)]);
            assert_eq!(report.completeness, Completeness::VouchedUpTo { size });
        }
    });
}

#[test]
fn a_log_with_every_other_event_gone_is_read_to_its_end() {
    let mut log = Log::build(&[500; 4], 1, "x");
    log.events.retain(|(column, _)| column % 2 == 1);
    let report = log.verify();
    let deleted: Vec<u64> = report
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Deleted)
        .map(|finding| finding.first)
        .collect();
    assert!(
        deleted
            .iter()
            .copied()
            .eq((0..deleted.len() as u64).map(|index| index * 2))
    );
    assert!(deleted.len() as u64 + report.suppressed >= 1000 && !report.is_consistent());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_changed_byte_anywhere_goes_unseen(groups in 0..3_usize, row in 0..BUILT as usize, at in any::<prop::sample::Index>(), xor in 1..=255_u8) {
        let mut log = Log::build(LAYOUTS[groups], 1, "x");
        let bytes = &mut log.events[row].1;
        let at = at.index(bytes.len());
        bytes[at] ^= xor;
        prop_assert!(!log.verify().is_consistent());
    }

    #[test]
    fn no_disorder_of_rows_goes_unseen(
        groups in 0..3_usize,
        steps in proptest::collection::vec((0..5_u8, 0..BUILT as usize, 0..BUILT as usize), 1..6),
    ) {
        let log = Log::build(LAYOUTS[groups], 1, "x");
        let mut changed = log.clone();
        for (what, one, other) in steps {
            let size = changed.events.len();
            if size == 0 {
                break;
            }
            let (one, other) = (one % size, other % size);
            match what {
                0 => { changed.events.remove(one); }
                1 => changed.events.swap(one, other),
                2 => {
                    let copy = changed.events[one].clone();
                    changed.events.insert(other, copy);
                }
                3 => changed.events[one].0 = changed.events[other].0,
                _ => changed.events[one].1 = changed.events[other].1.clone(),
            }
        }
        prop_assert_eq!(changed.verify().is_consistent(), changed.events == log.events);
        // As a database would give them.
        changed.events.sort_by_key(|(column, _)| *column);
        prop_assert_eq!(changed.verify().is_consistent(), changed.events == log.events);
    }

    #[test]
    fn rows_that_are_no_events_are_survived(
        rows in proptest::collection::vec((any::<u64>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
        sequence in any::<u64>(), size in any::<u64>(),
    ) {
        let mut log = Log::build(&[2, 1], 1, "x");
        log.events.extend(rows);
        let odd = format!("{{\"previousHash\":\"{}\",\"sequence\":{sequence}}}", "00".repeat(32));
        log.events.push((sequence, odd.clone().into_bytes()));
        log.events.push((size, odd.into_bytes()));
        log.checkpoints.push((size, "nonsense".into()));
        log.head.size = size;
        prop_assert!(!log.verify().is_consistent());
        log.head.checkpoint.clear();
        prop_assert!(!log.verify().is_consistent());
    }
}
