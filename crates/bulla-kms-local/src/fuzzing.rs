//! What the fuzz targets of this crate check; built for tests and for `cargo fuzz` only.

/// Root key files: never a panic, and one spelling for each.
pub fn root_key_file(data: &[u8]) {
    if let Some(line) = crate::root_key_file::written_again(data) {
        assert_eq!(
            line.trim_end_matches('\n').as_bytes(),
            data.strip_suffix(b"\n").unwrap_or(data)
        );
    }
}

/// Signing key files: never a panic, and one spelling for each.
pub fn signing_key_file(data: &[u8]) {
    if let Some(line) = crate::signing_key_file::written_again(data) {
        assert_eq!(
            line.trim_end_matches('\n').as_bytes(),
            data.strip_suffix(b"\n").unwrap_or(data)
        );
    }
}

#[cfg(test)]
mod tests {
    use bulla_testkit::replay_corpus;

    #[test]
    fn the_corpus_of_root_key_files_replays() {
        replay_corpus("root_key_file", 700, super::root_key_file);
    }

    #[test]
    fn the_corpus_of_signing_key_files_replays() {
        replay_corpus("signing_key_file", 700, super::signing_key_file);
    }
}
