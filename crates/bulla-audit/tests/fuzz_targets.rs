//! Replays the corpora of the log's fuzz targets, and arbitrary bytes besides.

#[path = "support/fuzz_bodies.rs"]
#[expect(
    unreachable_pub,
    reason = "shared with the fuzz workspace, where the bodies are called from outside"
)]
mod bodies;

use bulla_testkit::replay_corpus;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn the_corpus_of_events_replays() {
    replay_corpus("audit_event", 150, bodies::audit_event);
}

#[test]
fn the_corpus_of_notes_replays() {
    replay_corpus("audit_note", 100, bodies::audit_note);
}

#[test]
fn the_corpus_of_bundles_replays() {
    replay_corpus("audit_bundle", 60, bodies::audit_bundle);
}

#[test]
fn the_corpus_of_logs_replays() {
    replay_corpus("audit_log", 25, bodies::audit_log);
}

proptest! {
    #[test]
    fn no_parser_of_the_log_panics_on_arbitrary_bytes(data in vec(any::<u8>(), 0..300), text in "[ -~\\n]{0,300}") {
        for body in [bodies::audit_event, bodies::audit_note, bodies::audit_bundle, bodies::audit_log] {
            body(&data);
            body(text.as_bytes());
        }
    }
}
