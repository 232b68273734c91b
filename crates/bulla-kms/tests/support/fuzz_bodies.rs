//! What the fuzz target checks, shared by `fuzz/` (libFuzzer) and `tests/fuzz_targets.rs` (replay on stable).

use bulla_kms::KeyUri;

/// Key URIs: what parses names a provider and a key, and is written as what parses to the same.
pub fn key_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = text.parse::<KeyUri>() {
        assert!(!uri.scheme().is_empty() && !uri.name().is_empty());
        assert!(text.starts_with(uri.scheme()) && text.ends_with(uri.name()));
        let written = uri.to_string();
        // At the limit the slash that is added may be one too many.
        if written.len() <= 2048 {
            assert_eq!(written.parse(), Ok(uri));
        }
    }
}
