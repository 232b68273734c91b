#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulla_tokens::fuzzing::token_record(data));
