//! Replays the corpora of the model's fuzz targets.

#[path = "support/fuzz_bodies.rs"]
#[expect(
    unreachable_pub,
    reason = "shared with the fuzz workspace, where the bodies are called from outside"
)]
mod bodies;

use bulla_testkit::replay_corpus;

#[test]
fn the_corpus_of_policies_replays() {
    replay_corpus("policy", 700, bodies::policy);
}

#[test]
fn the_corpus_of_names_replays() {
    replay_corpus("names", 700, bodies::names);
}
