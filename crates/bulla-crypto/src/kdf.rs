//! Derivation of one key from another: HKDF-SHA-512 (RFC 5869).

use crate::{DataKey, hazmat};

/// Derives a key of 32 bytes: HKDF-SHA-512 with `domain` as salt and `info` as info.
///
/// One domain has one use, for ever; `info` tells apart what is derived within it (a version, a table, an id) and is at most
/// 65,535 bytes. Different domains or infos give unrelated keys.
#[must_use]
pub fn derive_key(secret: &DataKey, domain: &'static str, info: &[u8]) -> DataKey {
    let mut key = DataKey::zeroed();
    hazmat::Kdf::extract(domain.as_bytes(), secret.expose_secret()).expand(&[info], key.bytes_mut());
    hazmat::burn_stack();
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_infos_give_different_keys() {
        let secret = DataKey::from_slice(&[1; 32]).expect("32 bytes");
        let keys = [
            derive_key(&secret, "bulla/test/a", b"1"),
            derive_key(&secret, "bulla/test/a", b"2"),
            derive_key(&secret, "bulla/test/b", b"1"),
        ];
        assert_ne!(keys[0].expose_secret(), keys[1].expose_secret());
        assert_ne!(keys[0].expose_secret(), keys[2].expose_secret());
        assert_ne!(keys[1].expose_secret(), keys[2].expose_secret());
    }
}
