use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::Context;
use bulla_service::Call;
use bulla_temporal::{Namespace, Usage};

/// Decides who may, and records that he did.
///
/// # Contract
/// - `record` returns `Ok` only when the event will outlast the process; where it fails, nothing is handed out.
/// - `admit` is asked before a key provider is, where one has to be; a refusal is recorded by it. `record` decides again where it can.
#[async_trait]
pub trait Gate: Send + Sync + fmt::Debug {
    /// Finds out who asks.
    ///
    /// # Errors
    /// [`Refusal`].
    async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Admission, Refusal>;

    /// Decides before any key is asked for.
    ///
    /// # Errors
    /// [`Refusal`].
    async fn admit(&self, admission: &Admission, access: &CodecAccess<'_>) -> Result<(), Refusal>;

    /// Decides, and records what was done, before anything is handed out.
    ///
    /// # Errors
    /// [`Refusal`].
    async fn record(&self, admission: &Admission, access: &CodecAccess<'_>) -> Result<(), Refusal>;

    /// Records a request that was refused before it could be decided.
    ///
    /// # Errors
    /// [`Refusal`], where that failed.
    async fn refuse(&self, refused: &Refused<'_>) -> Result<(), Refusal>;

    /// Tells of each namespace whether who asks may be told its name and what it did, in the same order.
    async fn may_see(&self, admission: &Admission, namespaces: &[Namespace]) -> Vec<bool>;

    /// Whether accesses can be recorded now.
    async fn ready(&self) -> bool;
}

/// What a request shows of who makes it.
#[derive(Debug)]
pub struct Credentials<'a> {
    /// The values of `Authorization`: a second one is refused.
    pub authorization: Option<&'a str>,
    /// The digest of the client's certificate, where TLS verified one: SHA-256, in hex.
    pub certificate: Option<&'a str>,
    /// Names the request.
    pub request_id: &'a Arc<str>,
    /// Where it came from.
    pub source_ip: &'a Arc<str>,
    /// Whether the client itself spoke TLS.
    pub secure_transport: bool,
    /// What the client calls itself.
    pub user_agent: &'a str,
}

/// Who asks, as far as he was found out.
#[derive(Debug, Clone)]
pub struct Admission {
    /// His name: for rates, and for the record.
    pub principal: Arc<str>,
    /// The call in his name, where the service decides.
    pub call: Option<Call>,
    /// Names the request.
    pub request_id: Arc<str>,
    /// Where it came from.
    pub source_ip: Arc<str>,
}

/// What is asked of the codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodecOperation {
    /// To seal payloads.
    Encode,
    /// To open payloads.
    Decode,
    /// To renew data keys at once.
    Rotate,
}

/// One request, as it is decided and recorded.
#[derive(Debug)]
pub struct CodecAccess<'a> {
    /// What is asked.
    pub operation: CodecOperation,
    /// Of which namespace; `None` is all, of a rotation.
    pub namespace: Option<&'a Namespace>,
    /// The scheme of the provider whose key seals there, and the key's name as configured.
    pub key: Option<(&'static str, &'a str)>,
    /// The context that payloads are bound to.
    pub context: &'a Context,
    /// What it takes, as far as known.
    pub usage: &'a Usage,
    /// What went wrong, by a name that says nothing of the content.
    pub failure: Option<&'static str>,
}

/// A request that was refused before it could be decided.
#[derive(Debug)]
pub struct Refused<'a> {
    /// What was asked.
    pub operation: CodecOperation,
    /// Who asked, where that was found out.
    pub admission: Option<&'a Admission>,
    /// Of which namespace, where that was found out.
    pub namespace: Option<&'a Namespace>,
    /// Names the refusal.
    pub request_id: &'a str,
    /// Where it came from.
    pub source_ip: &'a str,
    /// Why, by a name that says nothing of the content.
    pub code: &'static str,
    /// Refusals since the last that was recorded, of which there were too many to record each.
    pub unrecorded: u64,
}

/// Why somebody is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody knows who asks: 401.
    #[error("say who you are: a bearer token that this server knows is needed")]
    Unauthenticated,
    /// He may not: 403.
    #[error("you may not do this in this namespace")]
    Denied,
    /// The namespace's key can't be used: 403.
    #[error("the namespace's key can't be used")]
    KeyRefused,
    /// Too many: 429.
    #[error("too many requests")]
    Throttled,
    /// The decision or the record can't be made now: 503.
    #[error("the access can't be decided and recorded now")]
    Unavailable,
}

impl CodecOperation {
    /// As records name it.
    #[must_use]
    pub fn event_name(self) -> &'static str {
        match self {
            Self::Encode => "EncodePayload",
            Self::Decode => "DecodePayload",
            Self::Rotate => "RotateCodec",
        }
    }

    /// As the log, the metrics and the table of callers name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Rotate => "rotate",
        }
    }
}
