#![no_main]

#[path = "../../crates/bulla-crypto/tests/support/fuzz_bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::public_key(data));
