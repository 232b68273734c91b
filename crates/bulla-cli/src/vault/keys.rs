//! Which key a client's tokens are sealed under: of the service in this process, or held elsewhere.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_envelope::{KeyPattern, KeyRing};
use bulla_kms::KeyProvider;
use bulla_tokens::{ClientId, ClientKey, ClientKeyError, ClientKeys, KeyTemplate};
use bulla_tokens_service::KeyNames;

use super::table::SingleKey;
use crate::failure::Explained;
use crate::node::system_random;
use crate::roots;

/// The keys of single clients, and one rule for all others.
pub(crate) struct ClientKeyMap {
    single: HashMap<ClientId, Source>,
    others: Source,
}

struct Source {
    /// Whether the service of this process holds it.
    is_own: bool,
    key: Named,
}

enum Named {
    /// One for each client.
    Each(KeyTemplate),
    /// The same for all who have it: somebody wrote that down.
    One(ClientKey),
}

impl ClientKeyMap {
    /// Builds the providers of all keys; remote ones are not asked anything yet. `own` holds what `bulla:///…` names.
    ///
    /// # Errors
    /// A URI that is none, or whose provider can't be built.
    pub(crate) async fn new(
        others: &str,
        single: Vec<SingleKey>,
        own: Option<&Arc<dyn KeyProvider>>,
    ) -> Result<Self, anyhow::Error> {
        let mut keys = HashMap::new();
        for single in single {
            let source = Source::new(&single.key, single.former, own).await?;
            keys.insert(single.client, source);
        }
        Ok(Self {
            single: keys,
            others: Source::new(others, Vec::new(), own).await?,
        })
    }

    fn of(&self, client: &ClientId) -> &Source {
        self.single.get(client).unwrap_or(&self.others)
    }
}

impl Source {
    async fn new(
        uri: &str,
        former: Vec<KeyPattern>,
        own: Option<&Arc<dyn KeyProvider>>,
    ) -> Result<Self, anyhow::Error> {
        let (is_own, provider, name) = match own.zip(uri.strip_prefix("bulla://")) {
            Some((own, name)) => (true, Arc::clone(own), name.trim_start_matches('/').to_owned()),
            None => {
                let key = roots::open(uri, None, None, &system_random()).await?;
                (false, key.provider, key.name)
            }
        };
        let ring = former.into_iter().fold(KeyRing::sealing_key(), KeyRing::accept);
        let key = if name.contains(['{', '}']) {
            let template = KeyTemplate::new(provider, &name, ring);
            Named::Each(template.map_err(|error| Explained::misuse(format!("{uri}: {error}")))?)
        } else {
            Named::One(ClientKey {
                provider,
                key: name,
                ring,
            })
        };
        Ok(Self { is_own, key })
    }
}

#[async_trait]
impl ClientKeys for ClientKeyMap {
    async fn key_of(&self, client: &ClientId) -> Result<ClientKey, ClientKeyError> {
        match &self.of(client).key {
            Named::Each(template) => template.key_of(client).await,
            Named::One(key) => Ok(key.clone()),
        }
    }
}

impl KeyNames for ClientKeyMap {
    fn name_of(&self, client: &ClientId) -> Result<Option<String>, ClientKeyError> {
        let source = self.of(client);
        let name = match &source.key {
            Named::Each(template) => template.name(client)?,
            Named::One(key) => key.key.clone(),
        };
        Ok(source.is_own.then_some(name))
    }
}

impl fmt::Debug for ClientKeyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKeyMap")
            .field("single", &self.single.len())
            .finish_non_exhaustive()
    }
}
