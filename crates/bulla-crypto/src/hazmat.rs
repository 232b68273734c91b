//! Primitives with keys and nonces in sight; nothing of this is public.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::{KeyError, OpenError, SealError, SecretBytes, secret};

#[cfg(test)]
mod vectors;

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

    /// Encrypts `plaintext` into all of `ciphertext_and_tag`, which is 16 bytes longer.
    ///
    /// Out of place: the plaintext is read once and never lies in the output. A zeroed buffer plus this costs less than a copy and an
    /// encryption in place (a third less memory traffic, and large zeroed buffers come zeroed from the operating system).
    #[inline]
    pub(crate) fn seal_into(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        plaintext: &[u8],
        ciphertext_and_tag: &mut [u8],
    ) -> Result<(), SealError> {
        let (ciphertext, tag) = ciphertext_and_tag
            .split_last_chunk_mut::<TAG_BYTES>()
            .ok_or(SealError::Library)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_out_of_place_scatter(nonce, Aad::from(aad), plaintext, ciphertext, &[], tag)
            .map_err(|_| SealError::Library)
    }

    /// Encrypts the concatenation of `parts` behind what `out` holds, in place, and appends the tag; `out` has room for all of it.
    pub(crate) fn seal_parts_onto(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        parts: [&[u8]; 2],
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
        let mut out = secret::zeros(ciphertext.len());
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
    pub(crate) fn extract(salt: &[u8], secret: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA512, salt).extract(secret))
    }

    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        expand(&self.0, info, out).expect(NOT_TOO_LONG);
    }
}

/// A pseudo-random key of HKDF-SHA-512, extracted once; boxed, and wiped by the library on drop.
pub(crate) struct Prk(Box<hkdf::Prk>);

impl Prk {
    pub(crate) fn extract(salt: &[u8], secret: &[u8]) -> Self {
        // RFC 5869, 2.2: PRK = HMAC-Hash(salt, IKM). `sign_to_buffer`, unlike `sign`, moves no context that has seen the secret.
        let mut prk = Zeroizing::new([0; 64]);
        let key = hmac::Key::new(hmac::HMAC_SHA512, salt);
        hmac::sign_to_buffer(&key, secret, prk.as_mut_slice()).expect("64 bytes hold an HMAC-SHA-512");
        let boxed = Box::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, prk.as_slice()));
        burn_stack();
        Self(boxed)
    }

    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        expand(&self.0, info, out).expect(NOT_TOO_LONG);
    }
}

const NOT_TOO_LONG: &str = "no key derived here is longer than the 16,320 bytes that HKDF-SHA-512 can give";

fn expand(prk: &hkdf::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), Unspecified> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    prk.expand(info, Length(out.len()))?.fill(out)
}

/// HMAC-SHA-256 over parts one after another.
pub(crate) fn hmac_sha256<'a>(key: &hmac::Key, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// Overwrites the stack below the caller, where C code and moved values leave copies of what was derived.
///
/// 8 KiB: HKDF over SHA-512 uses less than 3 KiB below the caller's frame.
#[inline(never)]
pub(crate) fn burn_stack() {
    let mut stack = [0u8; 8192];
    std::hint::black_box(&mut stack);
}

/// Does `work` on a stack of its own and overwrites that: for lattice keys, whose expansion lies there in vectors of polynomials, moved
/// from place to place.
///
/// The stack that is overwritten is what a thread has in any case, and little more than `work` itself has used: 256 KiB; where the code is
/// not optimised, and every move leaves a copy, 1 MiB.
pub(crate) fn on_burnt_stack<T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn apart<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    let done = apart(work);
    burn_deep_stack();
    done
}

#[inline(never)]
fn burn_deep_stack() {
    const BYTES: usize = if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 };
    let mut stack = [0u8; BYTES];
    std::hint::black_box(&mut stack);
}

/// Associated data, laid out on the stack where it is short.
pub(crate) struct AadBuffer {
    stack: [u8; Self::STACK_BYTES],
    heap: Vec<u8>,
    len: usize,
}

impl AadBuffer {
    const STACK_BYTES: usize = 256;

    /// Makes room for `len` bytes, all zero.
    #[inline]
    pub(crate) fn zeroed(len: usize) -> Self {
        let heap = if len <= Self::STACK_BYTES {
            Vec::new()
        } else {
            vec![0; len]
        };
        Self {
            stack: [0; Self::STACK_BYTES],
            heap,
            len,
        }
    }

    /// Lays `parts` one after another.
    #[inline]
    pub(crate) fn new<const N: usize>(parts: [&[u8]; N]) -> Self {
        let mut buffer = Self::zeroed(parts.iter().map(|part| part.len()).sum());
        let mut rest = buffer.as_mut_slice();
        for part in parts {
            let (field, behind) = rest.split_at_mut(part.len());
            field.copy_from_slice(part);
            rest = behind;
        }
        buffer
    }

    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        if self.len <= Self::STACK_BYTES {
            &mut self.stack[..self.len]
        } else {
            &mut self.heap
        }
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
