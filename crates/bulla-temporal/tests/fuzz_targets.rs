//! Replays the corpus of the bodies' fuzz target.

#[path = "support/fuzz_bodies.rs"]
#[expect(
    unreachable_pub,
    reason = "shared with the fuzz workspace, where the bodies are called from outside"
)]
mod bodies;

use bulla_testkit::replay_corpus;

#[test]
fn the_corpus_of_bodies_replays() {
    replay_corpus("codec_body", 700, bodies::codec_body);
}
