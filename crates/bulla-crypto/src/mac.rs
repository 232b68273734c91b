//! Message authentication: HMAC-SHA-256 (RFC 2104, FIPS 198-1) under a key that belongs to one domain.

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::hmac;

use crate::{DataKey, constant_time_eq, hazmat, kdf};

/// Names what a MAC key is for; a tag of one domain never verifies in another.
pub trait Domain {
    /// The domain's name, unique for ever: `bulla/store/row/1`. At most 65,535 bytes.
    const DOMAIN: &'static str;
}

/// Authenticates lists of byte strings within one [`Domain`].
///
/// Key = HKDF-SHA-512(salt domain, secret, info "mac", 32 bytes); tag = HMAC-SHA-256 over
/// `u16 length ‖ domain`, then for each part `u32 length ‖ part`, all big-endian. So no two lists of parts have the same input.
pub struct MacKey<D: Domain> {
    key: Box<hmac::Key>,
    domain: PhantomData<fn() -> D>,
}

impl<D: Domain> MacKey<D> {
    /// Derives the domain's key from a secret.
    #[must_use]
    pub fn derive(secret: &DataKey) -> Self {
        let mac = Self::new(&kdf::derive_key(secret, D::DOMAIN, b"mac"));
        hazmat::burn_stack();
        mac
    }

    /// Uses a secret itself as the key; only for a secret that nothing else keys HMAC-SHA-256 with.
    pub(crate) fn new(secret: &DataKey) -> Self {
        Self {
            key: Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret())),
            domain: PhantomData,
        }
    }

    /// Computes the tag over `parts`, 32 bytes.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let domain = D::DOMAIN.as_bytes();
        let domain_length = (domain.len() as u16).to_be_bytes();
        let lengths: Vec<[u8; 4]> = parts.iter().map(|part| (part.len() as u32).to_be_bytes()).collect();
        let framed = lengths
            .iter()
            .zip(parts)
            .flat_map(|(length, part)| [length.as_slice(), part]);
        hazmat::hmac_sha256(&self.key, [domain_length.as_slice(), domain].into_iter().chain(framed))
    }

    /// Tells whether `tag` is the tag over `parts`, in constant time.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        constant_time_eq(&self.tag(parts), tag)
    }
}

impl<D: Domain> fmt::Debug for MacKey<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacKey({}, redacted)", D::DOMAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rows;
    impl Domain for Rows {
        const DOMAIN: &'static str = "bulla/test/rows";
    }
    struct Columns;
    impl Domain for Columns {
        const DOMAIN: &'static str = "bulla/test/columns";
    }

    fn secret() -> DataKey {
        DataKey::from_slice(&[3; 32]).expect("32 bytes")
    }

    #[test]
    fn a_tag_of_one_domain_does_not_verify_in_another() {
        let tag = MacKey::<Rows>::derive(&secret()).tag(&[b"a"]);
        assert!(MacKey::<Rows>::derive(&secret()).verify(&[b"a"], &tag));
        assert!(!MacKey::<Columns>::derive(&secret()).verify(&[b"a"], &tag));
        // Nor under the very same key: the domain is part of what is authenticated.
        assert_ne!(
            MacKey::<Rows>::new(&secret()).tag(&[b"a"]),
            MacKey::<Columns>::new(&secret()).tag(&[b"a"])
        );
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = MacKey::<Rows>::derive(&secret());
        let tags = [
            key.tag(&[b"ab", b"c"]),
            key.tag(&[b"a", b"bc"]),
            key.tag(&[b"abc"]),
            key.tag(&[b"abc", b""]),
            key.tag(&[]),
        ];
        for (i, a) in tags.iter().enumerate() {
            assert!(tags[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_changed_or_shortened_tag_does_not_verify() {
        let key = MacKey::<Rows>::derive(&secret());
        let tag = key.tag(&[b"row"]);
        for bit in 0..256 {
            let mut changed = tag;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verify(&[b"row"], &changed));
        }
        assert!(!key.verify(&[b"row"], &tag[..31]));
        assert!(!key.verify(&[b"row"], b""));
    }

    #[test]
    fn the_key_is_redacted() {
        assert_eq!(
            format!("{:?}", MacKey::<Rows>::derive(&secret())),
            "MacKey(bulla/test/rows, redacted)"
        );
    }
}
