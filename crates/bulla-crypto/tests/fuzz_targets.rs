//! Replays the committed corpora of `fuzz/corpus/` through the bodies of the fuzz targets, on stable: each input as it is, with every
//! bit flipped, cut at every length, with bytes doubled; and arbitrary bytes besides.

#[path = "support/fuzz_bodies.rs"]
#[expect(
    unreachable_pub,
    reason = "shared with the fuzz workspace, where the bodies are called from outside"
)]
mod bodies;

use bulla_testkit::replay_corpus as replay;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn the_corpus_of_contexts_replays() {
    replay("context", 700, bodies::context);
}

#[test]
fn the_corpus_of_binary_records_replays() {
    replay("record_binary", 700, bodies::record_binary);
}

#[test]
fn the_corpus_of_records_as_text_replays() {
    replay("record_text", 700, bodies::record_text);
}

#[test]
fn the_corpus_of_records_as_json_replays() {
    replay("record_json", 700, bodies::record_json);
}

#[test]
fn the_corpus_of_blobs_replays() {
    replay("blob", 700, bodies::blob);
}

#[test]
fn the_corpus_of_public_keys_replays() {
    replay("public_key", 60, bodies::public_key);
}

#[test]
fn the_corpus_of_imported_keys_replays() {
    replay("key_import", 30, bodies::key_import);
}

proptest! {
    #[test]
    fn no_parser_panics_on_arbitrary_bytes(data in vec(any::<u8>(), 0..400), text in ".{0,200}") {
        bodies::context(&data);
        bodies::record_binary(&data);
        bodies::record_binary(&[&[1, 1, 0, 1, b'k', 0, 1, b'w'], &data[..]].concat());
        bodies::record_text(text.as_bytes());
        bodies::record_text(format!("bulla.1.{text}").as_bytes());
        bodies::record_json(text.as_bytes());
        bodies::blob(&data);
        bodies::public_key(&data);
        bodies::key_import(&data);
        bodies::blob(&[&[1, 2, 2, 0, 0x78], &data[..]].concat());
    }
}
