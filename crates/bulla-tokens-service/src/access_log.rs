use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::Context;
use bulla_model::{AccountId, BullaArn, KeyRef, Region};
use bulla_service::{Access as Asked, Announced, Call, Failure, Service, ServiceError};
use bulla_tokens::{Access, AccessError, AccessLog, Action, Outcome, Pending, TokenName};
use serde_json::{Map, Value};

use crate::KeyNames;
use crate::marks::version;

/// Decides and records what one caller does with the vault, by the policies and grants of the service.
///
/// A read is decided before anything is done for it, and again when its event is committed: then the value leaves. What has an effect is decided
/// and announced before it, and concluded after. The actions are `bulla:GetToken` and so on, on `token/<client>/<provider>`; conditions see
/// the context that the token is sealed under.
pub struct ServiceAccessLog {
    asker: Arc<Asker>,
}

#[derive(Clone)]
struct Asker {
    service: Service,
    call: Call,
    account: AccountId,
    names: Arc<dyn KeyNames>,
    purpose: String,
}

impl ServiceAccessLog {
    /// Records for one request; `account` is that of the vault's keys, which `names` knows.
    pub fn new(service: Service, call: Call, account: AccountId, names: Arc<dyn KeyNames>) -> Self {
        Self {
            asker: Arc::new(Asker {
                service,
                call,
                account,
                names,
                purpose: "token".to_owned(),
            }),
        }
    }

    /// Records what the caller says that it is for, at most 128 bytes; `token` unless said.
    #[must_use]
    pub fn with_purpose(mut self, purpose: Option<String>) -> Self {
        if let Some(purpose) = purpose {
            Arc::make_mut(&mut self.asker).purpose = purpose;
        }
        self
    }
}

#[async_trait]
impl AccessLog for ServiceAccessLog {
    async fn begin(&self, access: &Access) -> Result<Box<dyn Pending>, AccessError> {
        let asked = self.asker.asked(access)?;
        let asker = Arc::clone(&self.asker);
        if access.action.has_effect() {
            let announced = asker.service.announce(&asker.call, asked).await.map_err(refused)?;
            let gives = access.action == Action::Refresh;
            return Ok(Box::new(Effect {
                asker,
                announced,
                gives,
            }));
        }
        asker.service.precheck(&asker.call, &asked).await.map_err(refused)?;
        Ok(Box::new(Read { asker, asked }))
    }
}

/// A read that may be made, and is not recorded yet.
struct Read {
    asker: Arc<Asker>,
    asked: Asked,
}

#[async_trait]
impl Pending for Read {
    async fn finish(self: Box<Self>, outcome: &Outcome) -> Result<(), AccessError> {
        let Self { asker, mut asked } = *self;
        asked.cache_hit = Some(outcome.cache_hit);
        asked.additional = told(outcome);
        asked.failure = outcome.failure.map(failure);
        asked.token = outcome.seen.as_ref().map(|seen| version(&asker.account, seen));
        if let (Some(_), Some(key)) = (&asked.key, &outcome.key) {
            asked.sealed_under = key_of_record(key)?;
        }
        match asker.service.access(&asker.call, asked).await {
            Ok(accessed) if accessed.outdated => Err(AccessError::Outdated),
            Ok(_) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }
}

/// An effect that is announced.
struct Effect {
    asker: Arc<Asker>,
    announced: Announced,
    /// Whether a token is given out.
    gives: bool,
}

#[async_trait]
impl Pending for Effect {
    async fn finish(self: Box<Self>, outcome: &Outcome) -> Result<(), AccessError> {
        let Self {
            asker,
            mut announced,
            gives,
        } = *self;
        if let Some(seen) = &outcome.seen {
            announced.wrote(version(&asker.account, seen));
        }
        let concluded = match outcome.failure {
            None => Ok(told(outcome)),
            Some(code) => Err(failure(code)),
        };
        match asker.service.conclude(&asker.call, announced, concluded).await {
            Ok(concluded) if gives && concluded.barred => Err(AccessError::Outdated),
            Ok(_) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }
}

impl Asker {
    /// What the service is asked: the action, the resource, the context, and the client's key.
    fn asked(&self, access: &Access) -> Result<Asked, AccessError> {
        let client = access.client.as_str();
        let mut pairs = vec![("client_id", client), ("bulla:purpose", "token")];
        let mut names = vec![client];
        let mut parameters = Map::new();
        parameters.insert("clientId".to_owned(), client.into());
        if let Some((provider, name)) = &access.token {
            pairs.push(("api_provider", provider.as_str()));
            names.push(provider.as_str());
            parameters.insert("apiProvider".to_owned(), provider.as_str().into());
            if *name != TokenName::default() {
                names.push(name.as_str());
                parameters.insert("tokenName".to_owned(), name.as_str().into());
            }
        }
        let resource = BullaArn::new(&self.call.region, &self.account, "token", &names);
        let (action, event_name) = (permission(access.action), access.action.name());
        let mut asked = Asked::new(action, event_name, !access.action.has_effect(), resource);
        asked.context = Context::from_pairs(pairs).map_err(|error| AccessError::Key(Arc::new(error)))?;
        let name = self.names.name_of(&access.client);
        let name = name.map_err(|error| AccessError::Key(Arc::new(error)))?;
        let key = name.map(|name| KeyRef::parse(&name, &self.call.region)).transpose();
        asked.key = key.map_err(|error| AccessError::Key(Arc::new(error)))?;
        asked.parameters = parameters;
        asked.purpose = Some(self.purpose.clone());
        Ok(asked)
    }
}

/// Reads the key that a record names: `bulla://arn:…`; `None` where it is held elsewhere. A replica is taken for that of the call's own region.
fn key_of_record(key: &str) -> Result<Option<KeyRef>, AccessError> {
    let Some(name) = key.strip_prefix("bulla:") else {
        return Ok(None);
    };
    let arn = name.trim_start_matches('/');
    let region = arn.split(':').nth(3).unwrap_or_default().parse::<Region>();
    let region = region.map_err(|error| AccessError::Key(Arc::new(error)))?;
    let key = KeyRef::parse(arn, &region).map_err(|error| AccessError::Key(Arc::new(error)))?;
    Ok(Some(key))
}

/// What policies call it.
fn permission(action: Action) -> &'static str {
    match action {
        Action::Get => "bulla:GetToken",
        Action::Put => "bulla:PutToken",
        Action::Delete => "bulla:DeleteToken",
        Action::List => "bulla:ListTokens",
        Action::RevokeClient => "bulla:RevokeTokens",
        Action::Refresh => "bulla:RefreshToken",
        Action::Rewrap => "bulla:RewrapToken",
    }
}

fn told(outcome: &Outcome) -> Map<String, Value> {
    let mut told = Map::new();
    if let Some(version) = outcome.version {
        // As text: JSON's numbers end at 2^53 for many readers.
        told.insert("version".to_owned(), version.to_string().into());
    }
    if let Some(count) = outcome.count {
        told.insert("count".to_owned(), count.into());
    }
    told
}

fn failure(code: &'static str) -> Failure {
    Failure {
        code: code.to_owned(),
        message: String::new(),
    }
}

fn refused(error: ServiceError) -> AccessError {
    use ServiceError::{
        AccessDenied, Disabled, ExpiredToken, InvalidKeyUsage, InvalidState, NotFound, UnrecognizedClient,
    };
    match error {
        error @ (AccessDenied(_) | UnrecognizedClient | ExpiredToken) => AccessError::Denied(Arc::new(error)),
        error @ (NotFound(_) | Disabled(_) | InvalidState(_) | InvalidKeyUsage(_)) => AccessError::Key(Arc::new(error)),
        error => AccessError::Unrecorded(Arc::new(error)),
    }
}

impl fmt::Debug for ServiceAccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccessLog")
            .field("caller", self.asker.call.caller.arn())
            .finish_non_exhaustive()
    }
}
