#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulla_tokens::fuzzing::redis_value(data));
