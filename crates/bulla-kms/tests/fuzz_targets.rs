//! Replays the corpus of the key URIs' fuzz target.

#[path = "support/fuzz_bodies.rs"]
#[expect(
    unreachable_pub,
    reason = "shared with the fuzz workspace, where the bodies are called from outside"
)]
mod bodies;

use bulla_testkit::replay_corpus;

#[test]
fn the_corpus_of_key_uris_replays() {
    replay_corpus("key_uri", 700, bodies::key_uri);
}
