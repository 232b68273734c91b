use std::sync::Arc;

use bulla_crypto::record::{Record, RecordKey};
use bulla_crypto::{Context, DataKey, SecretBytes};
use tokio::time::Instant;

use crate::DataKeyError;
use crate::cache::Cache;
use crate::known::Known;
use crate::sealer::Inner;

/// A data key that opens: unwrapped for one context, key and wrapped form.
pub(crate) struct Unwrapped<K = OpeningKey> {
    pub(crate) identity: WrappedIdentity,
    /// The context that is bound: the caller's with the Sealer's own pairs.
    pub(crate) context: Context,
    pub(crate) created: Instant,
    pub(crate) end: Instant,
    pub(crate) removal: Instant,
    /// Until when the key that wraps it is known to be enabled.
    pub(crate) known: Arc<Known>,
    pub(crate) opening_key: K,
}

/// What an unwrapped key is found by: everything that its wrapping is bound to, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WrappedIdentity {
    pub(crate) caller: Context,
    pub(crate) key: String,
    pub(crate) wrapped: Vec<u8>,
}

/// A record key without its sealing half: "a data key that came from unwrapping never seals".
pub(crate) struct OpeningKey(RecordKey);

/// A data key of another format, as it was unwrapped.
pub(crate) struct ForeignKey(pub(crate) Arc<DataKey>);

/// A kind of key that is kept unwrapped, each kind in a cache of its own: a record's key and a foreign one never stand for each other.
pub(crate) trait Kept: Send + Sync + Sized + 'static {
    fn of(data_key: DataKey) -> Result<Self, DataKeyError>;
    fn cache(inner: &Inner) -> &Arc<Cache<WrappedIdentity, Unwrapped<Self>>>;
    fn hash(unwrapped: &Unwrapped<Self>) -> u64;
}

impl Kept for OpeningKey {
    fn of(data_key: DataKey) -> Result<Self, DataKeyError> {
        let derived = RecordKey::derive(&data_key).map_err(|error| DataKeyError::Answer(Arc::new(error)))?;
        Ok(Self(derived))
    }

    fn cache(inner: &Inner) -> &Arc<Cache<WrappedIdentity, Unwrapped>> {
        &inner.opening
    }

    /// Equal to that of the records which it opens.
    fn hash(unwrapped: &Unwrapped) -> u64 {
        hash_of(unwrapped.opening_key.commitment())
    }
}

impl Kept for ForeignKey {
    fn of(data_key: DataKey) -> Result<Self, DataKeyError> {
        Ok(Self(Arc::new(data_key)))
    }

    fn cache(inner: &Inner) -> &Arc<Cache<WrappedIdentity, Unwrapped<Self>>> {
        &inner.foreign
    }

    fn hash(unwrapped: &Unwrapped<Self>) -> u64 {
        hash_of_wrapped(&unwrapped.identity.wrapped)
    }
}

/// The hash of a wrapped key of another format: of a digest, so nobody can crowd a slot by writing wrapped keys.
pub(crate) fn hash_of_wrapped(wrapped: &[u8]) -> u64 {
    hash_of(&bulla_crypto::sha256(wrapped))
}

impl OpeningKey {
    pub(crate) fn commitment(&self) -> &[u8; 32] {
        self.0.commitment()
    }
}

impl<K> Unwrapped<K> {
    #[inline]
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        now < self.end && self.known.holds(now)
    }

    /// Tells whether this key may go on while the provider can't be reached.
    pub(crate) fn is_usable_in_outage(&self, now: Instant) -> bool {
        now < self.removal && self.known.holds(now)
    }
}

impl Unwrapped {
    #[inline]
    pub(crate) fn is_for(&self, record: &Record<'_>, caller: &Context) -> bool {
        self.identity.wrapped == record.wrapped_key()
            && self.identity.caller == *caller
            && self.identity.key == record.key()
    }

    /// Opens one record; the commitment is compared before anything is decrypted.
    #[inline]
    pub(crate) fn open(&self, record: &Record<'_>, binding: &[u8]) -> Result<SecretBytes, bulla_crypto::OpenError> {
        self.opening_key.0.open(record, &self.context, binding)
    }
}

/// Takes the hash of a record from its commitment.
///
/// A commitment is the output of a KDF, so its bytes need no hashing; and entries come to the shelf under the commitment that was
/// derived from their data key, never one that a record claims, so nobody can crowd a slot by writing records.
#[inline]
pub(crate) fn hash_of(commitment: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *commitment;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
