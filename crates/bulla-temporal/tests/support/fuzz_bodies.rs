//! What the fuzz target checks, shared by `fuzz/` (libFuzzer) and `tests/fuzz_targets.rs` (replay on stable).

use bulla_temporal::json::{self, Shape};

/// Bodies of the codec's HTTP protocol: what is read is written as what reads to the same, and an error repeats nothing of it.
pub fn codec_body(data: &[u8]) {
    let request = match json::read(data) {
        Ok(request) => request,
        Err(error) => {
            assert!(error.to_string().is_ascii() && error.to_string().len() < 200);
            return;
        }
    };
    let written = json::write(Shape::Proto, &request.payloads).expect("every payload has a proto form");
    let again = json::read(&written).expect("what was written reads");
    assert_eq!(again.shape, Shape::Proto);
    assert_eq!(again.payloads, request.payloads);
    if request.shape == Shape::Replaced
        && let Ok(written) = json::write(request.shape, &request.payloads)
    {
        json::read(&written).expect("what was written reads");
    }
}
