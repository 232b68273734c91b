//! Replays the committed corpora of `fuzz/corpus/` through the bodies of the fuzz targets, on stable: each input as it is, with every
//! bit flipped, cut at every length, with bytes doubled; and arbitrary bytes besides.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/fuzz_bodies.rs"]
#[expect(
    unreachable_pub,
    reason = "shared with the fuzz workspace, where the bodies are called from outside"
)]
mod bodies;

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        inputs += 1;
        body(&input);
        for at in 0..input.len().min(700) {
            body(&input[..at]);
            body(&input[at..]);
            let mut changed = input.clone();
            for bit in 0..8 {
                changed[at] = input[at] ^ 1 << bit;
                body(&changed);
            }
            changed[at] = input[at];
            changed.insert(at, input[at]);
            body(&changed);
        }
    }
    assert!(inputs >= 5, "{} holds {inputs} inputs", folder.display());
}

#[test]
fn the_corpus_of_contexts_replays() {
    replay("context", bodies::context);
}

#[test]
fn the_corpus_of_binary_records_replays() {
    replay("record_binary", bodies::record_binary);
}

#[test]
fn the_corpus_of_records_as_text_replays() {
    replay("record_text", bodies::record_text);
}

#[test]
fn the_corpus_of_records_as_json_replays() {
    replay("record_json", bodies::record_json);
}

#[test]
fn the_corpus_of_blobs_replays() {
    replay("blob", bodies::blob);
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
        bodies::blob(&[&[1, 2, 2, 0, 0x78], &data[..]].concat());
    }
}
