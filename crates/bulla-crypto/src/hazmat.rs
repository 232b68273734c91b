//! Primitives with keys and nonces in sight; nothing of this is public.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::{KeyError, OpenError, SealError, SecretBytes, secret};

pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

/// A ready AES-256-GCM key (NIST SP 800-38D), its schedule in memory that AWS-LC cleanses when freed.
pub(crate) struct AeadKey(LessSafeKey);

impl AeadKey {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, KeyError> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| KeyError)
    }

    /// Appends ciphertext and tag to `out`, which has room for both: plaintext is copied once and encrypted where it lies.
    pub(crate) fn seal_onto(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        self.seal_parts_onto(nonce, aad, [plaintext], out)
    }

    /// Seals the concatenation of `parts`, as [`seal_onto`](Self::seal_onto) does.
    #[inline]
    pub(crate) fn seal_parts_onto<const N: usize>(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        parts: [&[u8]; N],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let start = out.len();
        for part in parts {
            out.extend_from_slice(part);
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut out[start..])
        {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(_) => {
                secret::wipe(out);
                Err(SealError::Library)
            }
        }
    }

    /// Opens ciphertext into a fresh buffer of exactly its length.
    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
    ) -> Result<SecretBytes, OpenError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut out = vec![0; ciphertext.len()];
        match self
            .0
            .open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut out)
        {
            Ok(()) => Ok(SecretBytes::from_vec(out)),
            Err(_) => {
                secret::wipe(&mut out);
                Err(OpenError)
            }
        }
    }
}

/// HKDF-SHA-512 (RFC 5869) over a secret, with a fixed salt.
///
/// The library keeps the secret in its own heap box, which it wipes, and runs Extract again for each Expand: right for what is
/// derived once per key. [`Prk`] is for what is derived per message.
pub(crate) struct Kdf(hkdf::Prk);

impl Kdf {
    pub(crate) fn extract(salt: &str, secret: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA512, salt.as_bytes()).extract(secret))
    }

    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        expand(&self.0, info, out);
    }
}

/// A pseudo-random key of HKDF-SHA-512, extracted once; boxed, and wiped by the library on drop.
pub(crate) struct Prk(Box<hkdf::Prk>);

impl Prk {
    pub(crate) fn extract(salt: &str, secret: &[u8]) -> Self {
        // RFC 5869, 2.2: PRK = HMAC-Hash(salt, IKM). `sign_to_buffer`, unlike `sign`, moves no context that has seen the secret.
        let mut prk = Zeroizing::new([0; 64]);
        let key = hmac::Key::new(hmac::HMAC_SHA512, salt.as_bytes());
        hmac::sign_to_buffer(&key, secret, prk.as_mut_slice()).expect("64 bytes hold an HMAC-SHA-512");
        let boxed = Box::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, prk.as_slice()));
        burn_stack();
        Self(boxed)
    }

    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        expand(&self.0, info, out);
    }
}

fn expand(prk: &hkdf::Prk, info: &[&[u8]], out: &mut [u8]) {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    prk.expand(info, Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .expect("no key derived here is longer than HKDF allows, and the output has the length that was asked for");
}

/// Overwrites the stack below the caller, where C code and moved values leave copies of what was derived.
///
/// 8 KiB: HKDF over SHA-512 uses less than 3 KiB below the caller's frame.
#[inline(never)]
pub(crate) fn burn_stack() {
    let mut stack = [0u8; 8192];
    std::hint::black_box(&mut stack);
}

/// Associated data, laid out on the stack where it is short.
pub(crate) struct AadBuffer {
    stack: [u8; Self::STACK_BYTES],
    heap: Vec<u8>,
    len: usize,
}

impl AadBuffer {
    const STACK_BYTES: usize = 512;

    /// Lays `parts` one after another.
    #[inline]
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum();
        let mut buffer = Self {
            stack: [0; Self::STACK_BYTES],
            heap: Vec::new(),
            len,
        };
        if len <= Self::STACK_BYTES {
            let mut at = 0;
            for part in parts {
                buffer.stack[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
        } else {
            buffer.heap.reserve_exact(len);
            for part in parts {
                buffer.heap.extend_from_slice(part);
            }
        }
        buffer
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        if self.len <= Self::STACK_BYTES {
            &self.stack[..self.len]
        } else {
            &self.heap
        }
    }
}
