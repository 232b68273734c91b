#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulla_kms_local::fuzzing::signing_key_file(data));
