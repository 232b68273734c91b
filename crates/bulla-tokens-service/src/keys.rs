use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_envelope::{KeyPattern, KeyRing};
use bulla_model::{AccountId, Region};
use bulla_service::{Call, Caller, Service, ServiceProvider};
use bulla_tokens::{ClientId, ClientKey, ClientKeyError, ClientKeys, ClientTemplate};

/// Names the alias of each client's key in the service by a [`ClientTemplate`]: `alias/tokens-{client}` or `alias/tokens-{client_hash}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasTemplate(ClientTemplate);

/// A template without `{client}` or `{client_hash}`, or that names no alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AliasTemplateError;

impl AliasTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// [`AliasTemplateError`].
    pub fn new(template: &str) -> Result<Self, AliasTemplateError> {
        let template = ClientTemplate::new(template).map_err(|_| AliasTemplateError)?;
        if !template.beginning().starts_with("alias/") {
            return Err(AliasTemplateError);
        }
        Ok(Self(template))
    }

    /// Names a client's alias.
    ///
    /// # Errors
    /// [`ClientKeyError::NotAliasSafe`].
    pub fn alias(&self, client: &ClientId) -> Result<String, ClientKeyError> {
        self.0.name(client)
    }
}

/// Says which key of the service a client's tokens are sealed under: its state, its policy and its grants then decide each access.
pub trait KeyNames: Send + Sync + fmt::Debug {
    /// Names the key by its alias, id or ARN; `None` where the key is held elsewhere, and what decides is the action alone.
    ///
    /// # Errors
    /// [`ClientKeyError`] where the client has no key.
    fn name_of(&self, client: &ClientId) -> Result<Option<String>, ClientKeyError>;
}

impl KeyNames for AliasTemplate {
    fn name_of(&self, client: &ClientId) -> Result<Option<String>, ClientKeyError> {
        self.alias(client).map(Some)
    }
}

/// The keys of clients in the service of this process.
#[derive(Clone)]
pub struct ServiceKeys {
    service: Service,
    provider: Arc<ServiceProvider>,
    account: AccountId,
    region: Region,
    template: AliasTemplate,
    former: HashMap<ClientId, Vec<KeyPattern>>,
    on_first_use: bool,
}

impl ServiceKeys {
    /// Names keys of one account and region; a client without a key has no tokens.
    pub fn new(service: Service, account: AccountId, region: Region, template: AliasTemplate) -> Self {
        Self {
            provider: Arc::new(ServiceProvider::new(service.clone(), account.clone(), region.clone())),
            service,
            account,
            region,
            template,
            former: HashMap::new(),
            on_first_use: false,
        }
    }

    /// Names a key that a client's alias led to before: what it sealed opens until it is put under the key of now by a rewrap.
    ///
    /// Any other key of the account is refused: who may use one could else seal for a client that is not his.
    #[must_use]
    pub fn with_former(mut self, client: ClientId, key: KeyPattern) -> Self {
        self.former.entry(client).or_default().push(key);
        self
    }

    /// Makes a client's key and alias when it is first used: in development mode only, where the service allows that.
    #[must_use]
    pub fn made_on_first_use(mut self) -> Self {
        self.on_first_use = true;
        self
    }

    async fn ensure(&self, client: &ClientId, alias: &str) -> Result<(), ClientKeyError> {
        let call = Call {
            caller: Caller::dev_admin(self.account.clone()),
            region: self.region.clone(),
            request_id: "token-vault".into(),
            source_ip: "in-process".into(),
            user_agent: "bulla".into(),
            secure_transport: true,
        };
        let description = format!("tokens of client {client}");
        let made = self.service.ensure_key(&call, alias, &description, None).await;
        made.map(drop).map_err(|error| ClientKeyError::Failed {
            client: client.clone(),
            source: Arc::new(error),
        })
    }
}

#[async_trait]
impl ClientKeys for ServiceKeys {
    async fn key_of(&self, client: &ClientId) -> Result<ClientKey, ClientKeyError> {
        let key = self.template.alias(client)?;
        if self.on_first_use {
            self.ensure(client, &key).await?;
        }
        let former = self.former.get(client).map(Vec::as_slice).unwrap_or_default();
        Ok(ClientKey {
            provider: Arc::clone(&self.provider) as _,
            key,
            ring: former.iter().cloned().fold(KeyRing::sealing_key(), KeyRing::accept),
        })
    }
}

impl fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceKeys")
            .field("account", &self.account)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for AliasTemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a template of aliases begins with alias/ and has {client} or {client_hash} once")
    }
}

impl std::error::Error for AliasTemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_an_alias_of_each_client() {
        let template = AliasTemplate::new("alias/tokens-{client}").expect("a template");
        let client = ClientId::new("acme").expect("a client");
        assert_eq!(template.alias(&client).expect("an alias"), "alias/tokens-acme");
        for wrong in ["alias/tokens", "tokens-{client}", "{client}"] {
            assert_eq!(AliasTemplate::new(wrong), Err(AliasTemplateError), "{wrong}");
        }
    }
}
