#![no_main]

#[path = "../../crates/bulla-temporal/tests/support/fuzz_bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::codec_body(data));
