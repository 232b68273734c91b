use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_envelope::{KeyPattern, KeyRing};
use bulla_kms::KeyProvider;

use crate::{ClientId, ClientTemplate};

/// Says under which key a client's tokens are sealed. There is never a shared key by default.
///
/// # Contract
/// The answer for a client may be kept for as long as the process runs. A client without a key is an error.
#[async_trait]
pub trait ClientKeys: Send + Sync + fmt::Debug {
    /// Finds, or makes, the key of a client.
    async fn key_of(&self, client: &ClientId) -> Result<ClientKey, ClientKeyError>;
}

/// A client's key.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// What holds it.
    pub provider: Arc<dyn KeyProvider>,
    /// Its name there: what follows the scheme of a key URI.
    pub key: String,
    /// Which keys' records are opened beside its own: those that it names. That a key is of the same account is not enough here, for the other
    /// clients' keys are, and who may use one of them chooses the context that he seals under.
    pub ring: KeyRing,
}

/// A client has no key.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeyError {
    /// Nothing says which.
    #[error("no key is configured for client {client}")]
    Missing {
        /// The client.
        client: ClientId,
    },
    /// The template has `{client}`, and this name can't be part of an alias.
    #[error("client {client} can't be part of an alias: use {{client_hash}} or a table of keys")]
    NotAliasSafe {
        /// The client.
        client: ClientId,
    },
    /// The template is not one.
    #[error("a key template has {{client}} or {{client_hash}} once, and no other braces")]
    Template,
    /// The key could not be found or made.
    #[error("the key of client {client} can't be had")]
    Failed {
        /// The client.
        client: ClientId,
        /// What went wrong.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

/// Names each client's key by a [`ClientTemplate`]: `alias/tokens-{client}`, or `alias/tokens-{client_hash}` for names of any kind.
#[derive(Debug)]
pub struct KeyTemplate {
    provider: Arc<dyn KeyProvider>,
    template: ClientTemplate,
    ring: KeyRing,
    former: HashMap<ClientId, Vec<KeyPattern>>,
}

impl KeyTemplate {
    /// Reads a template of a key's name with `provider`, what follows the scheme of a key URI.
    ///
    /// # Errors
    /// [`ClientKeyError::Template`].
    pub fn new(provider: Arc<dyn KeyProvider>, template: &str, ring: KeyRing) -> Result<Self, ClientKeyError> {
        Ok(Self {
            provider,
            template: ClientTemplate::new(template)?,
            ring,
            former: HashMap::new(),
        })
    }

    /// Names a key that a client's name led to before: what it sealed opens until it is put under the key of now by a rewrap.
    #[must_use]
    pub fn with_former(mut self, client: ClientId, key: KeyPattern) -> Self {
        self.former.entry(client).or_default().push(key);
        self
    }

    /// Names the key of a client.
    ///
    /// # Errors
    /// [`ClientKeyError::NotAliasSafe`].
    pub fn name(&self, client: &ClientId) -> Result<String, ClientKeyError> {
        self.template.name(client)
    }
}

#[async_trait]
impl ClientKeys for KeyTemplate {
    async fn key_of(&self, client: &ClientId) -> Result<ClientKey, ClientKeyError> {
        let former = self.former.get(client).map(Vec::as_slice).unwrap_or_default();
        Ok(ClientKey {
            provider: Arc::clone(&self.provider),
            key: self.name(client)?,
            ring: former.iter().cloned().fold(self.ring.clone(), KeyRing::accept),
        })
    }
}

/// Names each client's key one by one; a client that is not there has none.
#[derive(Debug, Default)]
pub struct KeyTable {
    keys: HashMap<ClientId, ClientKey>,
}

impl KeyTable {
    /// Makes an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a client its key.
    #[must_use]
    pub fn with(mut self, client: ClientId, key: ClientKey) -> Self {
        self.keys.insert(client, key);
        self
    }
}

#[async_trait]
impl ClientKeys for KeyTable {
    async fn key_of(&self, client: &ClientId) -> Result<ClientKey, ClientKeyError> {
        let missing = || ClientKeyError::Missing { client: client.clone() };
        self.keys.get(client).cloned().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_is_not_in_the_table_has_no_key() {
        let error = KeyTable::new()
            .key_of(&ClientId::new("x y").unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "no key is configured for client x%20y");
    }
}
