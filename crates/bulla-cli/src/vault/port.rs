//! The server's port to the token vault: the vault, with the service deciding and recording.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bulla_crypto::{Context, SecretBytes};
use bulla_model::Region;
use bulla_server::tokens::{
    NewToken, Stored, Token, TokenAbout, TokenCall, TokenPage, TokenPath, TokenStats, Tokens, TokensError,
    TokensErrorKind,
};
use bulla_service::{Call, Caller, Service, ServiceError};
use bulla_tokens::fetch::{FetchError, Fetcher};
use bulla_tokens::{
    About, Access, AccessError, AccessLog, Action, CallPrice, ClientId, ClientKeyError, Outcome, Pending, Provider,
    StoreErrorKind, TokenError, TokenName, TokenRef, TokenVault,
};
use bulla_tokens_service::{KeyNames, ServiceAccessLog};

/// The vault of one service.
pub(crate) struct VaultPort {
    vault: TokenVault,
    service: Service,
    /// Of the clients' keys and of the tokens' ARNs, whatever a request is signed for.
    region: Region,
    names: Arc<dyn KeyNames>,
    fetchers: Fetchers,
    /// In development mode everybody is the administrator, and clients get their keys: those that have theirs.
    development: Option<Mutex<HashSet<ClientId>>>,
    /// Of calls to key services.
    price: CallPrice,
}

/// How tokens are fetched: the first rule that is about a token.
#[derive(Debug, Default)]
pub(crate) struct Fetchers(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    client: Option<ClientId>,
    provider: Provider,
    name: TokenName,
    fetcher: Arc<dyn Fetcher>,
}

impl Fetchers {
    /// Adds a rule about a provider's tokens of this name, of one client or of all.
    pub(crate) fn add(
        &mut self,
        client: Option<ClientId>,
        provider: Provider,
        name: TokenName,
        fetcher: Arc<dyn Fetcher>,
    ) {
        self.0.push(Rule {
            client,
            provider,
            name,
            fetcher,
        });
    }

    fn of(&self, token: &TokenRef) -> Option<&Arc<dyn Fetcher>> {
        let is_about = |rule: &&Rule| {
            rule.provider == token.provider
                && rule.name == token.name
                && rule.client.as_ref().is_none_or(|client| *client == token.client)
        };
        self.0.iter().find(is_about).map(|rule| &rule.fetcher)
    }
}

impl VaultPort {
    /// Serves a vault; in `development` everybody is the administrator, and each client gets a key at its first use.
    pub(crate) fn new(
        vault: TokenVault,
        service: Service,
        region: Region,
        names: Arc<dyn KeyNames>,
        fetchers: Fetchers,
        development: bool,
    ) -> Self {
        Self {
            vault,
            service,
            region,
            names,
            fetchers,
            development: development.then(Mutex::default),
            price: CallPrice::default(),
        }
    }

    /// Says what calls to key services cost; AWS's price unless said.
    pub(crate) fn priced(mut self, price: CallPrice) -> Self {
        self.price = price;
        self
    }

    /// The vault as this caller has it.
    async fn of(
        &self,
        asked: &TokenCall<'_>,
        client: &ClientId,
        secret: Option<&TokenRef>,
    ) -> Result<TokenVault, TokensError> {
        let log = self.log_of(asked, client, secret).await?;
        Ok(self.vault.recording(Arc::new(log)))
    }

    /// What decides and records for this caller; `secret` is what a fetcher shows to the provider, which the service reads in its own name.
    async fn log_of(
        &self,
        asked: &TokenCall<'_>,
        client: &ClientId,
        secret: Option<&TokenRef>,
    ) -> Result<CallerLog, TokensError> {
        let mut call = asked.call.clone();
        call.region = self.region.clone();
        if self.development.is_some() {
            call.caller = Caller::dev_admin(self.service.account().clone());
            self.ensure_key(client, &call).await?;
            if let Some(secret) = secret {
                self.ensure_key(&secret.client, &call).await?;
            }
        }
        let own = secret.map(|secret| {
            let call = Call {
                caller: match self.development {
                    Some(_) => call.caller.clone(),
                    None => Caller::operator(self.service.account().clone()),
                },
                source_ip: "in-process".into(),
                user_agent: "bulla".into(),
                ..call.clone()
            };
            (secret.clone(), self.log(call).with_purpose(Some("fetch".to_owned())))
        });
        Ok(CallerLog {
            caller: self.log(call).with_purpose(asked.purpose.map(str::to_owned)),
            own,
        })
    }

    fn log(&self, call: Call) -> ServiceAccessLog {
        let account = self.service.account().clone();
        ServiceAccessLog::new(self.service.clone(), call, account, Arc::clone(&self.names))
    }

    /// Makes a client's key where it has none, in development mode.
    async fn ensure_key(&self, client: &ClientId, call: &Call) -> Result<(), TokensError> {
        let Some(known) = &self.development else { return Ok(()) };
        let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(client) {
            return Ok(());
        }
        if let Some(name) = self.names.name_of(client).map_err(no_key)?
            && name.starts_with("alias/")
        {
            let description = format!("tokens of client {client}");
            let made = self.service.ensure_key(call, &name, &description, None).await;
            made.map_err(|error| TokensError::recorded(TokensErrorKind::Service(error.clone()), error))?;
        }
        known().insert(client.clone());
        Ok(())
    }

    fn fetcher(&self, token: &TokenRef) -> (Option<&Arc<dyn Fetcher>>, Option<&TokenRef>) {
        let fetcher = self.fetchers.of(token);
        // Who asks for the secret itself asks in his own name.
        let secret = fetcher
            .and_then(|fetcher| fetcher.secret())
            .filter(|secret| *secret != token);
        (fetcher, secret)
    }

    /// Says what is wrong to the façade, and forgets what a reset of the development mode took away.
    fn refused(&self, client: &ClientId, error: TokenError) -> TokensError {
        let error = translate(error);
        if let (Some(known), TokensErrorKind::Service(ServiceError::NotFound(_))) = (&self.development, &error.kind) {
            known.lock().unwrap_or_else(PoisonError::into_inner).remove(client);
            self.vault.forget_keys(client);
        }
        error
    }
}

#[async_trait]
impl Tokens for VaultPort {
    async fn put(&self, asked: &TokenCall<'_>, token: &TokenPath, new: NewToken) -> Result<Stored, TokensError> {
        let token = token_ref(token)?;
        let metadata = new.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let new = bulla_tokens::NewToken {
            value: new.value,
            ttl: new.ttl,
            token_type: new.token_type,
            scopes: new.scopes,
            metadata: Context::from_caller_pairs(metadata).map_err(invalid)?,
        };
        let vault = self.of(asked, &token.client, None).await?;
        let stored = vault.put(&token, new).await;
        let stored = stored.map_err(|error| self.refused(&token.client, error))?;
        Ok(Stored {
            version: stored.version,
            expires: stored.expires,
        })
    }

    async fn get(&self, asked: &TokenCall<'_>, token: &TokenPath) -> Result<Option<Token>, TokensError> {
        let token = token_ref(token)?;
        let (fetcher, secret) = self.fetcher(&token);
        let vault = self.of(asked, &token.client, secret).await?;
        let found = match fetcher {
            Some(fetcher) => vault.get_or_fetch(&token, fetcher).await.map(Some),
            None => vault.get(&token).await,
        };
        let found = found.map_err(|error| self.refused(&token.client, error))?;
        Ok(found.map(|token| Token {
            about: about(token.version, token.about),
            value: token.value,
        }))
    }

    async fn delete(&self, asked: &TokenCall<'_>, token: &TokenPath) -> Result<bool, TokensError> {
        let token = token_ref(token)?;
        let vault = self.of(asked, &token.client, None).await?;
        let deleted = vault.delete(&token).await;
        deleted.map_err(|error| self.refused(&token.client, error))
    }

    async fn list(
        &self,
        asked: &TokenCall<'_>,
        client: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TokenPage, TokensError> {
        let client = ClientId::new(client).map_err(invalid)?;
        let vault = self.of(asked, &client, None).await?;
        let page = vault.list(&client, after, limit).await;
        let page = page.map_err(|error| self.refused(&client, error))?;
        let listed = page.tokens.into_iter();
        let unreadable = page.unreadable.into_iter();
        Ok(TokenPage {
            tokens: listed
                .map(|listed| (path(&listed.token), about(listed.version, listed.about)))
                .collect(),
            unreadable: unreadable
                .map(|(token, error)| (path(&token), translate(error).kind))
                .collect(),
            next: page.next,
        })
    }

    async fn revoke(&self, asked: &TokenCall<'_>, client: &str) -> Result<u64, TokensError> {
        let client = ClientId::new(client).map_err(invalid)?;
        let vault = self.of(asked, &client, None).await?;
        let revoked = vault.revoke_client(&client).await;
        revoked.map_err(|error| self.refused(&client, error))
    }

    async fn authorise(
        &self,
        asked: &TokenCall<'_>,
        token: &TokenPath,
        refresh_token: SecretBytes,
    ) -> Result<(), TokensError> {
        let token = token_ref(token)?;
        let vault = self.of(asked, &token.client, None).await?;
        let authorised = vault.authorise(&token, refresh_token).await;
        authorised.map_err(|error| self.refused(&token.client, error))
    }

    async fn refresh(&self, asked: &TokenCall<'_>, token: &TokenPath) -> Result<Stored, TokensError> {
        let token = token_ref(token)?;
        let (fetcher, secret) = self.fetcher(&token);
        let Some(fetcher) = fetcher else {
            // Whether there is one is told to who may have it used.
            let refused = self
                .log_of(asked, &token.client, None)
                .await?
                .refuse_refresh(&token)
                .await;
            refused.map_err(|error| self.refused(&token.client, error.into()))?;
            return Err(TokensError::recorded(TokensErrorKind::NoFetcher, NoFetcher));
        };
        let vault = self.of(asked, &token.client, secret).await?;
        let refreshed = vault.refresh(&token, fetcher).await;
        let refreshed = refreshed.map_err(|error| self.refused(&token.client, error))?;
        Ok(Stored {
            version: refreshed.version,
            expires: refreshed.about.expires,
        })
    }

    fn stats(&self) -> TokenStats {
        let stats = self.vault.stats();
        TokenStats {
            hits: stats.hits,
            misses: stats.misses,
            refused: stats.refused,
            puts: stats.puts,
            deletes: stats.deletes,
            refreshes: stats.fetches,
            refresh_failures: stats.fetch_failures,
            kms_calls: stats.kms_calls,
            kms_calls_saved: stats.kms_calls_saved,
            clients: stats.clients as u64,
            oldest_key_seconds: stats.oldest_key_seconds,
            cost: self.price.of(stats.kms_calls),
            cost_saved: self.price.of(stats.kms_calls_saved),
        }
    }
}

/// Asks for everything in the caller's name, but for the secret of a fetch.
#[derive(Debug)]
struct CallerLog {
    caller: ServiceAccessLog,
    own: Option<(TokenRef, ServiceAccessLog)>,
}

impl CallerLog {
    /// Decides and records a refresh that nobody knows how to do.
    async fn refuse_refresh(&self, token: &TokenRef) -> Result<(), AccessError> {
        let access = Access {
            action: Action::Refresh,
            client: token.client.clone(),
            token: Some((token.provider.clone(), token.name.clone())),
        };
        let outcome = Outcome {
            failure: Some("NoFetcher"),
            ..Outcome::default()
        };
        self.begin(&access).await?.finish(&outcome).await
    }
}

#[async_trait]
impl AccessLog for CallerLog {
    async fn begin(&self, access: &Access) -> Result<Box<dyn Pending>, AccessError> {
        let is_of = |token: &TokenRef| {
            let named = access.token.as_ref();
            access.action == Action::Get
                && access.client == token.client
                && named.is_some_and(|(provider, name)| *provider == token.provider && *name == token.name)
        };
        match &self.own {
            Some((secret, log)) if is_of(secret) => log.begin(access).await,
            _ => self.caller.begin(access).await,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("this service does not know how to fetch that token")]
struct NoFetcher;

fn token_ref(path: &TokenPath) -> Result<TokenRef, TokensError> {
    let client = ClientId::new(path.client.as_str()).map_err(invalid)?;
    let token = TokenRef::new(client, Provider::new(path.provider.as_str()).map_err(invalid)?);
    Ok(match &path.name {
        Some(name) => token.named(TokenName::new(name.as_str()).map_err(invalid)?),
        None => token,
    })
}

fn path(token: &TokenRef) -> TokenPath {
    TokenPath {
        client: token.client.as_str().to_owned(),
        provider: token.provider.as_str().to_owned(),
        name: (token.name != TokenName::default()).then(|| token.name.as_str().to_owned()),
    }
}

fn about(version: u64, about: About) -> TokenAbout {
    let metadata = about
        .metadata
        .iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    TokenAbout {
        version,
        created: about.created,
        expires: about.expires,
        token_type: about.token_type,
        scopes: about.scopes,
        metadata,
    }
}

fn invalid(error: impl Error + Send + Sync + 'static) -> TokensError {
    TokensError::unrecorded(TokensErrorKind::Invalid, error)
}

fn no_key(error: ClientKeyError) -> TokensError {
    TokensError::unrecorded(TokensErrorKind::NoKey, error)
}

fn translate(error: TokenError) -> TokensError {
    use TokensErrorKind as K;
    let kind = match &error {
        TokenError::Access(
            AccessError::Denied(source) | AccessError::Key(source) | AccessError::Unrecorded(source),
        ) => {
            return of_access(&error, source.as_ref());
        }
        TokenError::ClientKey(ClientKeyError::Failed { .. }) => K::KeyUnavailable,
        TokenError::ClientKey(_) => K::NoKey,
        TokenError::Limit(_) | TokenError::Context(_) => K::Invalid,
        TokenError::Store(error) => match error.kind {
            StoreErrorKind::Unavailable => K::StoreUnavailable,
            StoreErrorKind::Full => K::StoreFull,
            StoreErrorKind::Denied => K::StoreDenied,
            StoreErrorKind::Malformed => K::Malformed,
            StoreErrorKind::Unusable => K::StoreUnusable,
        },
        TokenError::TooManyTokens => K::TooManyTokens,
        TokenError::Contended => K::Contended,
        TokenError::Malformed => K::Malformed,
        TokenError::NotAuthentic => K::NotAuthentic,
        TokenError::ForeignKey => K::ForeignKey,
        TokenError::Replayed | TokenError::Access(AccessError::Outdated) => K::Replayed,
        TokenError::Marks(_) => K::MarksUnavailable,
        TokenError::FetchedElsewhere => K::FetchInProgress,
        TokenError::Fetch(error) => match error {
            FetchError::NotSent(_) | FetchError::AnswerLost(_) => K::ProviderUnavailable,
            FetchError::RateLimited { .. } | FetchError::BackingOff { .. } => K::ProviderBackoff,
            FetchError::InvalidGrant | FetchError::NeedsAuthorisation => K::NeedsAuthorisation,
            FetchError::NoSecret => K::NoClientSecret,
            _ => K::ProviderRefused,
        },
        // What a key service says has one name for each kind in the vault.
        TokenError::DataKey(_) | TokenError::Seal(_) => match error.code() {
            "KeyDisabled" => K::KeyDisabled,
            "KeyAccessDenied" => K::KeyAccessDenied,
            "KeyNotFound" => K::KeyNotFound,
            "KeyThrottled" => K::KeyThrottled,
            "TokenNotAuthentic" => K::NotAuthentic,
            "KeyUnavailable" => K::KeyUnavailable,
            _ => K::Internal,
        },
        _ => K::Internal,
    };
    TokensError::recorded(kind, error)
}

/// What the service says is said as it says it.
fn of_access(error: &TokenError, source: &(dyn Error + Send + Sync + 'static)) -> TokensError {
    if let Some(said) = source.downcast_ref::<ServiceError>() {
        return TokensError::recorded(TokensErrorKind::Service(said.clone()), error.clone());
    }
    match (error, source.downcast_ref::<ClientKeyError>()) {
        (_, Some(no_key)) => TokensError::unrecorded(TokensErrorKind::NoKey, no_key.clone()),
        (TokenError::Access(AccessError::Key(_)), None) => {
            TokensError::unrecorded(TokensErrorKind::Invalid, error.clone())
        }
        _ => TokensError::unrecorded(TokensErrorKind::NotRecorded, error.clone()),
    }
}

impl fmt::Debug for VaultPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultPort")
            .field("vault", &self.vault)
            .finish_non_exhaustive()
    }
}
