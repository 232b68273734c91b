//! Actions outside KMS (`bulla:GetToken`, `bulla:DecodePayload`, …): decided, recorded and durable as those of KMS are, in the same path.

mod announced;
mod authorise;
mod batch;

use bulla_crypto::Context;
use bulla_model::{BullaArn, KeyArn, KeyRef};
use serde_json::{Map, Value};

pub use self::announced::{Announced, Concluded};
use crate::decision::{Decision, EventKind};
use crate::limits::context_value;
use crate::runner::{BULLA, Operation};
use crate::token_marks::Standing;
use crate::{Call, Service, ServiceError, TokenVersion};

/// One access to something that is not a KMS key: who asks is in the [`Call`], the rest is here.
///
/// What it names (`parameters`, `additional`, the failure's message) is written into the log: nothing secret, and all of it together below
/// 128 KiB.
#[derive(Debug, Clone)]
pub struct Access {
    /// The action that policies allow or deny: `bulla:GetToken`.
    pub action: &'static str,
    /// The event's name: `GetToken`.
    pub event_name: &'static str,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// What it is on; of the caller's account, unless it is the account of `key`.
    pub resource: BullaArn,
    /// The encryption context that conditions and the constraints of grants are held against.
    pub context: Context,
    /// The key that what is accessed is sealed under: a key of this service that must be there, symmetric and enabled.
    pub key: Option<KeyRef>,
    /// The key that what was read turned out to be sealed under, by its id; where `key` leads to another one by now, this one decides.
    pub sealed_under: Option<KeyRef>,
    /// What was asked for, as the event shows it; the context is added.
    pub parameters: Map<String, Value>,
    /// Whether a cache answered.
    pub cache_hit: Option<bool>,
    /// What for.
    pub purpose: Option<String>,
    /// What else the event says: version, count, outcome of each item.
    pub additional: Map<String, Value>,
    /// What went wrong already, though it may well be allowed: the event then says so. A denial stands above it.
    pub failure: Option<Failure>,
    /// The version of a token that was read: held against the marks of the store at the commit, which it raises where it is the newest.
    pub token: Option<TokenVersion>,
}

/// The actions of accesses; each may be on what is sealed under a key.
pub const ACCESS_ACTIONS: [&str; 12] = [
    "bulla:DecodePayload",
    "bulla:DeleteToken",
    "bulla:EncodePayload",
    "bulla:GetToken",
    "bulla:ListTokens",
    "bulla:OpenColumn",
    "bulla:PutToken",
    "bulla:RefreshToken",
    "bulla:RevokeTokens",
    "bulla:RewrapToken",
    "bulla:RotateCodec",
    "bulla:SealColumn",
];

/// What an event says of a version that is too old.
const OUTDATED: &str = "TokenReplayed";

/// What went wrong with something that was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The event's `errorCode`, at most 128 bytes.
    pub code: String,
    /// The event's `errorMessage`, at most 1,024 bytes; no secret.
    pub message: String,
}

/// An access that was allowed, and whose event is durable.
#[derive(Debug, Clone)]
pub struct Accessed {
    /// The event's id.
    pub event_id: String,
    /// The key, as it was resolved.
    pub key: Option<KeyArn>,
    /// Whether the version that was read is older than one that was there, or barred: it is not to leave the process. The event says so.
    pub outdated: bool,
}

impl Access {
    /// Makes an access without context, key, parameters and anything else to say.
    pub fn new(action: &'static str, event_name: &'static str, read_only: bool, resource: BullaArn) -> Self {
        Self {
            action,
            event_name,
            read_only,
            resource,
            context: Context::default(),
            key: None,
            sealed_under: None,
            parameters: Map::new(),
            cache_hit: None,
            purpose: None,
            additional: Map::new(),
            failure: None,
            token: None,
        }
    }
}

impl Service {
    /// Decides an access and records it; returns only once the event is durable, so that what it opens may leave the process then.
    ///
    /// An explicit denial decides first: of the action, and where a key is named also of what it does with the key (who is denied
    /// `kms:Decrypt` under this context gets no token). Then the key's policy may allow the action itself, or leave it to the identity
    /// policies of the account, as it does when it leaves them that use of the key. Else a grant of the key may admit it: one of `Decrypt`
    /// what opens, one of `Encrypt` or `GenerateDataKey` what seals, under the grant's constraints. What it read is held against
    /// what changed until the commit: a key disabled, a policy or grant changed in between decides.
    ///
    /// # Errors
    /// `AccessDenied` and `UnrecognizedClient`, recorded; `NotFound`, `Disabled`, `InvalidState`, `InvalidKeyUsage` for the key;
    /// `Store`, `Tampered`, `Throttled`, `ShuttingDown`: nothing may leave the process.
    pub async fn access(&self, call: &Call, access: Access) -> Result<Accessed, ServiceError> {
        self.core.run(call, &access).await
    }

    /// Decides whether an access would be allowed now, before any work is done for it; a refusal is recorded, an allowance is not.
    ///
    /// # Errors
    /// As [`access`](Self::access), which is to be called nevertheless before anything leaves the process.
    pub async fn precheck(&self, call: &Call, access: &Access) -> Result<(), ServiceError> {
        let asked = || access.parameters();
        let mut decision = Decision::of(&self.core, call, &asked, &[]);
        let early = match decision.identify().await {
            Ok(()) => access.decide(&mut decision).await.map(drop),
            Err(error) => Err(error),
        };
        match early {
            Ok(()) => Ok(()),
            Err(_) => self.core.run(call, access).await.map(drop),
        }
    }
}

impl Operation for Access {
    type Response = Accessed;

    const EVENT: EventKind = EventKind {
        name: "Access",
        source: BULLA,
        read_only: false,
    };

    fn event(&self) -> EventKind {
        EventKind {
            name: self.event_name,
            read_only: self.read_only,
            ..Self::EVENT
        }
    }

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = self.parameters.clone();
        if !self.context.is_empty() {
            parameters.insert("encryptionContext".to_owned(), context_value(&self.context));
        }
        if self.key.is_some() {
            // As conditions on `kms:EncryptionAlgorithm` see it: what seals and opens is symmetric.
            parameters.insert("encryptionAlgorithm".to_owned(), "SYMMETRIC_DEFAULT".into());
        }
        parameters
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Accessed, ServiceError> {
        let event_id = decision.core.draw_uuid()?;
        let told = &mut decision.told;
        told.event_id = Some(event_id.clone());
        told.cache_hit = self.cache_hit;
        told.purpose.clone_from(&self.purpose);
        told.additional.clone_from(&self.additional);
        told.failure = self.failure.clone().map(|failure| (failure.code, failure.message));
        decision.concerns(self.resource.shared());
        let key = decision.authorise_access(self).await?;
        let outdated = match &self.token {
            Some(seen) => decision.see(seen).await? != Standing::Newest,
            None => false,
        };
        if outdated {
            decision.told.failure = Some((OUTDATED.to_owned(), String::new()));
        }
        Ok(Accessed {
            event_id,
            key: key.map(|key| key.arn.clone()),
            outdated,
        })
    }
}
