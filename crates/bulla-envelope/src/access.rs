use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::Context;

/// Says what a [`Sealer`](crate::Sealer) records, and where; chosen at construction, without a default.
#[derive(Clone)]
pub enum AccessRecord {
    /// Records each open before its plaintext is returned, cached or not, refused ones too; and each data key that is obtained.
    ///
    /// An open then waits for the log: it is no longer a matter of memory speed.
    PerOpen(Arc<dyn AccessLog>),
    /// Records each data key before its first use: generated, unwrapped, or moved by a rewrap. Opens within its period go unrecorded.
    PerDataKey(Arc<dyn AccessLog>),
    /// Records nothing.
    Unrecorded,
}

/// Takes access events; the application's own port to its log.
///
/// # Contract
/// - **Durability.** `record` returns `Ok` only when the event will survive a crash of the process and its machine.
/// - **Failing closed.** On `Err` the access does not happen: no plaintext, no data key. So a log that is down stops opens.
/// - **Concurrency.** Called from any number of tasks at once. Cancelling a call may or may not have recorded the event.
#[async_trait]
pub trait AccessLog: Send + Sync + fmt::Debug {
    /// Records one access durably.
    ///
    /// # Errors
    /// [`AccessLogError`] where the event is not durable.
    async fn record(&self, access: &Access) -> Result<(), AccessLogError>;
}

/// One use of a key. Holds no plaintext, key, or ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// What was done.
    pub operation: AccessOperation,
    /// The resolved key, with its scheme.
    pub key: String,
    /// The whole context, with the Sealer's own pairs.
    pub context: Context,
    /// Where the value lives, as the caller said; empty for operations on data keys.
    pub binding: Vec<u8>,
    /// Whether the data key came from the cache.
    pub cache_hit: bool,
    /// Whether the access was refused: the record did not authenticate, or its key is not in the key ring.
    pub refused: bool,
}

/// What was done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessOperation {
    /// A data key was generated, to seal with until its end.
    GenerateDataKey,
    /// A data key was unwrapped, to open with until its end.
    UnwrapDataKey,
    /// One record was opened.
    Open,
    /// A record's data key was unwrapped and wrapped again.
    Rewrap,
}

/// An access event was not recorded.
#[derive(Debug, thiserror::Error)]
#[error("the access event was not recorded")]
pub struct AccessLogError {
    /// What the log said.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl AccessLogError {
    /// Wraps what the log said.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}

impl AccessRecord {
    pub(crate) fn per_open(&self) -> Option<&Arc<dyn AccessLog>> {
        match self {
            Self::PerOpen(log) => Some(log),
            Self::PerDataKey(_) | Self::Unrecorded => None,
        }
    }

    pub(crate) fn per_data_key(&self) -> Option<&Arc<dyn AccessLog>> {
        match self {
            Self::PerOpen(log) | Self::PerDataKey(log) => Some(log),
            Self::Unrecorded => None,
        }
    }
}

impl fmt::Debug for AccessRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PerOpen(_) => "PerOpen",
            Self::PerDataKey(_) => "PerDataKey",
            Self::Unrecorded => "Unrecorded",
        })
    }
}
