use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::place::Place;
use crate::{ClientId, Lasts, Provider, TokenName};

/// Decides and records each use of the vault, before a value leaves or an effect is acknowledged.
///
/// # Contract
/// - **Before.** [`begin`](Self::begin) is called before anything is read or written. Where [`Action::has_effect`], its event (an intent) is
///   durable when it returns `Ok`; else it may only decide.
/// - **After.** [`Pending::finish`] is called with what came of it, failures too. A value leaves the vault only after its `Ok`; an
///   implementation over a service decides there once more. What is begun and dropped was broken off: its intent stays open.
/// - **Failing closed.** On `Err` of either, the caller gets no value and no success.
/// - **Denials.** An implementation that denies has recorded that itself when it says so.
/// - **Concurrency.** Called from any number of tasks at once.
#[async_trait]
pub trait AccessLog: Send + Sync + fmt::Debug {
    /// Decides whether this may be done, and records an intent where it has an effect.
    async fn begin(&self, access: &Access) -> Result<Box<dyn Pending>, AccessError>;
}

/// An access that was begun.
#[async_trait]
pub trait Pending: Send {
    /// Records what came of it.
    async fn finish(self: Box<Self>, outcome: &Outcome) -> Result<(), AccessError>;
}

/// One use of the vault. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// What is done.
    pub action: Action,
    /// Whose tokens.
    pub client: ClientId,
    /// Which token; `None` where it is all of a client.
    pub token: Option<(Provider, TokenName)>,
}

/// What is done with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A token is given out.
    Get,
    /// A token is written.
    Put,
    /// A token is deleted.
    Delete,
    /// A client's tokens are listed, without values.
    List,
    /// Everything of a client is deleted and barred.
    RevokeClient,
    /// A provider is asked for a token.
    Refresh,
    /// A token is put under the client's key as it is now.
    Rewrap,
}

impl Action {
    /// The name that policies and events have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GetToken",
            Self::Put => "PutToken",
            Self::Delete => "DeleteToken",
            Self::List => "ListTokens",
            Self::RevokeClient => "RevokeTokens",
            Self::Refresh => "RefreshToken",
            Self::Rewrap => "RewrapToken",
        }
    }

    /// Whether it changes something outside the log.
    pub fn has_effect(self) -> bool {
        !matches!(self, Self::Get | Self::List)
    }
}

/// What came of an access.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The version that was read or written.
    pub version: Option<u64>,
    /// The key that what was read is sealed under, as its record names it; `None` where nothing was opened.
    pub key: Option<String>,
    /// Whether the data key came from the cache.
    pub cache_hit: bool,
    /// How many entries it was about, where it was about several.
    pub count: Option<u64>,
    /// Why it failed, as a stable code; `None` for a success. `NotFound` is a failure too.
    pub failure: Option<&'static str>,
    /// The version of a token that a success read or wrote, for a log that also keeps [`Marks`](crate::Marks).
    pub seen: Option<Seen>,
}

/// A version of a token that was read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it lies.
    pub place: Place,
    /// Its number.
    pub version: u64,
    /// For how long it could be brought back.
    pub lasts: Lasts,
}

/// An access was denied, or not recorded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// The caller may not do this; that is recorded.
    #[error("access denied")]
    Denied(#[source] Arc<dyn Error + Send + Sync>),
    /// The client's key can't be used, or there is none; that is recorded.
    #[error("the key of the client can't be used")]
    Key(#[source] Arc<dyn Error + Send + Sync>),
    /// The event is not durable.
    #[error("the access was not recorded, and without its event there is none")]
    Unrecorded(#[source] Arc<dyn Error + Send + Sync>),
    /// What was read is older than one that was there before, or was revoked meanwhile; that is recorded.
    #[error("the stored value is older than one that was there before, or was revoked")]
    Outdated,
}

/// Admits everything and records nothing: a choice that is written down where a vault is made.
#[derive(Debug, Clone, Copy)]
pub struct Unrecorded;

#[async_trait]
impl AccessLog for Unrecorded {
    async fn begin(&self, _: &Access) -> Result<Box<dyn Pending>, AccessError> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Pending for Unrecorded {
    async fn finish(self: Box<Self>, _: &Outcome) -> Result<(), AccessError> {
        Ok(())
    }
}
