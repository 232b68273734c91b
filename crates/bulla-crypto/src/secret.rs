use std::cell::Cell;
use std::fmt;

use zeroize::Zeroize;

use crate::{Random, RandomError};

/// Length of a data key in bytes.
pub const DATA_KEY_BYTES: usize = 32;

/// Holds 32 secret bytes that encrypt data or derive what does.
///
/// The bytes lie in one heap allocation, never move, and are wiped on drop. There is no `Clone`: who shares a key shares an `Arc`.
pub struct DataKey(Box<[u8; DATA_KEY_BYTES]>);

impl DataKey {
    /// Takes a key over from `source` and wipes the source.
    #[must_use]
    pub fn from_bytes(source: &mut [u8; DATA_KEY_BYTES]) -> Self {
        let mut key = Self::zeroed();
        key.0.copy_from_slice(source);
        source.zeroize();
        key
    }

    /// Copies a key out of a slice of exactly 32 bytes; `None` for any other length.
    ///
    /// The source stays as it is: for sources that wipe themselves, such as [`SecretBytes`].
    #[must_use]
    pub fn from_slice(source: &[u8]) -> Option<Self> {
        if source.len() != DATA_KEY_BYTES {
            return None;
        }
        let mut key = Self::zeroed();
        key.0.copy_from_slice(source);
        Some(key)
    }

    /// Draws a fresh key.
    ///
    /// # Errors
    /// [`RandomError`] where `random` fails.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut key = Self::zeroed();
        random.fill(key.bytes_mut())?;
        Ok(key)
    }

    /// Shows the key's bytes.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; DATA_KEY_BYTES] {
        &self.0
    }

    pub(crate) fn zeroed() -> Self {
        Self(Box::new([0; DATA_KEY_BYTES]))
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_mut_slice()
    }
}

impl Drop for DataKey {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

/// Holds secret bytes of any length; wiped on drop, over the whole capacity.
#[derive(Default)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes bytes over without copying them.
    #[must_use]
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Shows the bytes.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    /// Gives the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Drops what is behind the first `length` bytes, wiped.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.0[length..].zeroize();
        self.0.truncate(length);
    }

    /// Drops the first `count` bytes: moves the rest forward, and wipes what the move leaves behind the end.
    pub(crate) fn remove_front(&mut self, count: usize) {
        let kept = self.0.len() - count;
        self.0.copy_within(count.., 0);
        self.0[kept..].zeroize();
        self.0.truncate(kept);
    }

    /// Gives the bytes away; from here on nobody wipes them.
    ///
    /// # Security
    /// For callers whose own caller asked for plain bytes. Everything else uses [`expose_secret`](Self::expose_secret).
    #[must_use]
    pub fn dangerous_into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0);
        fill_with_zeros(&mut bytes);
        if SPARE_BYTES.contains(&bytes.len()) {
            // A thread that ends keeps nothing.
            let _ = SPARE.try_with(|spare| spare.set(bytes));
        }
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes(redacted, {} bytes)", self.0.len())
    }
}

/// Overwrites a vector's bytes at the speed of `memset`; `Vec::zeroize` writes byte by byte, which at 64 KiB costs more than the
/// decryption did. The barrier keeps the compiler from seeing that nobody reads the zeros.
pub(crate) fn wipe(bytes: &mut Vec<u8>) {
    fill_with_zeros(bytes);
    bytes.clear();
}

fn fill_with_zeros(bytes: &mut Vec<u8>) {
    bytes.fill(0);
    bytes.resize(bytes.capacity(), 0);
    zeroize::optimization_barrier(bytes.as_slice());
}

/// Sizes of buffers that a thread keeps, once wiped, for its next plaintext.
const SPARE_BYTES: std::ops::RangeInclusive<usize> = 2048..=2 << 20;

thread_local! {
    /// One wiped buffer: all zeros, over its whole length, which is its capacity.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives `len` zeros. A buffer that this thread has wiped is zeros already, so wiping costs what zeroing would have.
pub(crate) fn zeros(len: usize) -> Vec<u8> {
    if SPARE_BYTES.contains(&len) {
        let mut spare = SPARE.try_with(Cell::take).unwrap_or_default();
        if spare.len() >= len && spare.len() / 2 <= len {
            spare.truncate(len);
            return spare;
        }
    }
    fresh_zeros(len)
}

/// Gives `len` zeros in new memory: small ones by `malloc`, whose per-thread cache `calloc` passes by; large ones by `calloc`, which
/// gets zeros from the operating system.
pub(crate) fn fresh_zeros(len: usize) -> Vec<u8> {
    if len >= 128 * 1024 {
        return vec![0; len];
    }
    let mut bytes = std::hint::black_box(Vec::with_capacity(len));
    bytes.resize(len, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_a_key_over_wipes_the_source() {
        let mut source = [7; 32];
        let key = DataKey::from_bytes(&mut source);
        assert_eq!(source, [0; 32]);
        assert_eq!(key.expose_secret(), &[7; 32]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = DataKey::from_slice(&[0xab; 32]).expect("32 bytes");
        assert_eq!(format!("{key:?}"), "DataKey(redacted)");
        assert_eq!(
            format!("{:?}", SecretBytes::from_vec(vec![1, 2, 3])),
            "SecretBytes(redacted, 3 bytes)"
        );
    }

    #[test]
    fn a_key_has_exactly_32_bytes() {
        assert!(DataKey::from_slice(&[0; 31]).is_none());
        assert!(DataKey::from_slice(&[0; 33]).is_none());
    }

    #[test]
    fn removing_the_front_keeps_the_rest() {
        let mut bytes = SecretBytes::from_vec(vec![1, 2, 3, 4, 5]);
        bytes.remove_front(2);
        assert_eq!(bytes.expose_secret(), [3, 4, 5]);
        bytes.0.resize(5, 9);
        bytes.remove_front(5);
        assert!(bytes.is_empty());
    }

    #[test]
    fn wiping_covers_the_spare_capacity() {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&[9; 64]);
        bytes.truncate(3);
        wipe(&mut bytes);
        bytes.resize(bytes.capacity(), 0);
        assert!(bytes.iter().all(|b| *b == 0));
    }
}
