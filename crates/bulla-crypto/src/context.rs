use std::fmt;
use std::sync::Arc;

use crate::{FormatError, FormatErrorKind};

/// The longest canonical context, in bytes.
pub const MAX_CONTEXT_BYTES: usize = 8192;

/// Keys that begin so are Bulla's own; callers of the library façades can't set them.
pub const OWN_KEY_PREFIX: &str = "bulla:";

/// Holds an encryption context: non-secret string pairs, in the one canonical form that everything is bound to.
///
/// ```text
/// count u16 │ { key length u16 │ key │ value length u16 │ value } × count, ascending by key bytes
/// ```
/// Big-endian, UTF-8, no duplicate keys, at most 8,192 bytes (`spec/context.md`). Equality, order and hash are those of the bytes;
/// a clone shares them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context(Arc<[u8]>);

/// Pairs that make no context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The canonical form would be longer than 8,192 bytes.
    #[error("the context is longer than 8,192 bytes")]
    TooLong,
    /// One key occurs twice.
    #[error("the context names a key twice")]
    DuplicateKey,
    /// A caller set a key under `bulla:`.
    #[error("context keys under bulla: are reserved")]
    ReservedKey,
    /// A key of Bulla's own does not begin with `bulla:`.
    #[error("a context key of Bulla's own begins with bulla:")]
    NotAnOwnKey,
}

const SUBJECT: &str = "context";

impl Context {
    /// Makes the context without pairs.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from([0, 0]))
    }

    /// Makes a context of any pairs, in any order.
    ///
    /// # Errors
    /// [`ContextError::TooLong`], [`ContextError::DuplicateKey`].
    pub fn from_pairs<I, K, V>(pairs: I) -> Result<Self, ContextError>
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut owned = Vec::new();
        let mut size_bytes = 2usize;
        for (key, value) in pairs {
            size_bytes = size_bytes
                .saturating_add(4 + key.as_ref().len())
                .saturating_add(value.as_ref().len());
            if size_bytes > MAX_CONTEXT_BYTES {
                return Err(ContextError::TooLong);
            }
            owned.push((key, value));
        }
        let mut pairs: Vec<(&str, &str)> = owned
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
            .collect();
        // "Pairs MUST be in ascending order of the bytes of their keys, compared as unsigned octets": `str` compares so.
        pairs.sort_unstable_by_key(|(key, _)| *key);
        if pairs.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(ContextError::DuplicateKey);
        }
        Ok(Self::encode(&pairs, size_bytes))
    }

    /// Makes a context of a caller's pairs, none of them under `bulla:`.
    ///
    /// # Errors
    /// [`ContextError::ReservedKey`], and as [`from_pairs`](Self::from_pairs).
    pub fn from_caller_pairs<I, K, V>(pairs: I) -> Result<Self, ContextError>
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let context = Self::from_pairs(pairs)?;
        if context.iter().any(|(key, _)| key.starts_with(OWN_KEY_PREFIX)) {
            return Err(ContextError::ReservedKey);
        }
        Ok(context)
    }

    /// Adds one pair of Bulla's own; `key` begins with `bulla:` and is not there yet.
    ///
    /// # Errors
    /// [`ContextError::NotAnOwnKey`], and as [`from_pairs`](Self::from_pairs).
    pub fn with_own(&self, key: &str, value: &str) -> Result<Self, ContextError> {
        if !key.starts_with(OWN_KEY_PREFIX) {
            return Err(ContextError::NotAnOwnKey);
        }
        Self::from_pairs(self.iter().chain([(key, value)]))
    }

    /// Reads canonical bytes; accepts nothing that it would not itself write.
    ///
    /// # Errors
    /// [`FormatError`] where the bytes are not a canonical context.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let refuse = |kind| FormatError::new(SUBJECT, kind);
        if bytes.len() > MAX_CONTEXT_BYTES {
            return Err(refuse(FormatErrorKind::TooLong));
        }
        let (count, mut rest) = take_u16(bytes).ok_or(refuse(FormatErrorKind::Truncated))?;
        let mut previous: Option<&str> = None;
        for _ in 0..count {
            let (key, after_key) = take_text(rest)?;
            let (_, after_value) = take_text(after_key)?;
            // "A reader MUST refuse keys that are not strictly ascending", which refuses duplicates too.
            if previous.is_some_and(|previous| previous >= key) {
                return Err(refuse(FormatErrorKind::NotCanonical));
            }
            previous = Some(key);
            rest = after_value;
        }
        if !rest.is_empty() {
            return Err(refuse(FormatErrorKind::TrailingBytes));
        }
        Ok(Self(Arc::from(bytes)))
    }

    /// Gives the canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Walks the pairs, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &self.0[2..];
        std::iter::from_fn(move || {
            let (key, after_key) = take_text(rest).ok()?;
            let (value, after_value) = take_text(after_key).ok()?;
            rest = after_value;
            Some((key, value))
        })
    }

    /// Finds the value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(k, value)| (k == key).then_some(value))
    }

    /// Gives the number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(u16::from_be_bytes([self.0[0], self.0[1]]))
    }

    /// Tells whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes sorted pairs whose canonical form has `size_bytes`, at most 8,192, so that every length fits its field.
    fn encode(pairs: &[(&str, &str)], size_bytes: usize) -> Self {
        let mut out = Vec::with_capacity(size_bytes);
        out.extend_from_slice(&(pairs.len() as u16).to_be_bytes());
        for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
            out.extend_from_slice(&(text.len() as u16).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Self(Arc::from(out))
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context ")?;
        f.debug_map().entries(self.iter()).finish()
    }
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*head), rest))
}

fn take_text(bytes: &[u8]) -> Result<(&str, &[u8]), FormatError> {
    let (length, rest) = take_u16(bytes).ok_or(FormatError::new(SUBJECT, FormatErrorKind::Truncated))?;
    let (text, rest) = rest
        .split_at_checked(usize::from(length))
        .ok_or(FormatError::new(SUBJECT, FormatErrorKind::Truncated))?;
    let text = std::str::from_utf8(text).map_err(|_| FormatError::new(SUBJECT, FormatErrorKind::NotUtf8))?;
    Ok((text, rest))
}
