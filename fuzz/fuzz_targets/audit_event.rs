#![no_main]

#[path = "../../crates/bulla-audit/tests/support/fuzz_bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::audit_event(data));
