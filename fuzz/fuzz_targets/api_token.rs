#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulla_service::fuzzing::api_token(data));
