//! The token vault as settings describe it: its store, the keys of its clients, and how tokens are fetched.

mod keys;
pub(crate) mod port;
mod table;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bulla_crypto::SecretBytes;
use bulla_kms::KeyProvider;
use bulla_model::Clock;
use bulla_tokens::{
    AccessLog, EmbeddedStore, Marks, Prefix, RedisConfig, RedisConfigError, RedisStore, TokenStore, TokenVault,
    VaultSettings,
};

pub(crate) use self::keys::ClientKeyMap;
pub(crate) use self::table::Table;
use crate::failure::Explained;
use crate::node::system_random;
use crate::settings::{Environment, TokenSettings};

/// The key of each client where nothing says otherwise.
pub(crate) const DEFAULT_KEY: &str = "bulla:///alias/tokens-{client}";

/// Name of the embedded store in a data directory.
const EMBEDDED_FILE: &str = "tokens.db";

/// What a vault is made of.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) keys: Arc<ClientKeyMap>,
    pub(crate) table: Table,
    settings: VaultSettings,
}

impl Parts {
    /// Builds what the settings name; Redis and remote keys are not asked anything yet. `own` holds what `bulla:///…` names, `directory` is
    /// where an embedded store is, and `key` the template of keys where none is set.
    ///
    /// # Errors
    /// A setting that can't be used, or a file that can't be read.
    pub(crate) async fn new(
        settings: &TokenSettings,
        environment: &Environment,
        store: &str,
        key: &str,
        directory: Option<&Path>,
        own: Option<&Arc<dyn KeyProvider>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, anyhow::Error> {
        let table = settings
            .table
            .as_deref()
            .map(Table::read)
            .transpose()?
            .unwrap_or_default();
        let keys = ClientKeyMap::new(key, table.client_keys()?, own).await?;
        let prefix = match &settings.prefix {
            Some(prefix) => Prefix::new(prefix.as_str()).map_err(|error| misuse("tokens.prefix", &error))?,
            None => Prefix::default(),
        };
        let mut vault = VaultSettings {
            prefix,
            // Within the time that a request has.
            fetch_wait: Duration::from_secs(20),
            ..VaultSettings::default()
        };
        if let Some(seconds) = settings.poll_seconds {
            vault.sealing.poll_interval = Duration::from_secs(seconds.max(1).into());
        }
        Ok(Self {
            store: open_store(settings, environment, store, directory, clock).await?,
            keys: Arc::new(keys),
            table,
            settings: vault,
        })
    }

    /// The beginning of the vault's store keys.
    pub(crate) fn prefix(&self) -> &Prefix {
        &self.settings.prefix
    }

    /// Makes the vault; `marks` are those of this process where none are given.
    pub(crate) fn vault(
        &self,
        log: Arc<dyn AccessLog>,
        marks: Option<Arc<dyn Marks>>,
        clock: Arc<dyn Clock>,
    ) -> TokenVault {
        let (store, keys) = (Arc::clone(&self.store), Arc::clone(&self.keys));
        let builder = TokenVault::builder(store, keys, log, clock, system_random()).settings(self.settings.clone());
        match marks {
            Some(marks) => builder.marks(marks).build(),
            None => builder.build(),
        }
    }
}

async fn open_store(
    settings: &TokenSettings,
    environment: &Environment,
    store: &str,
    directory: Option<&Path>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn TokenStore>, anyhow::Error> {
    let file = match store {
        "embedded" => directory
            .map(|directory| directory.join(EMBEDDED_FILE))
            .ok_or_else(|| {
                Explained::misuse("the embedded store of tokens lies in the data directory, and there is none")
                    .hint("name a file as in sqlite:///path/tokens.db, or a Redis as in redis://127.0.0.1:6379")
            })?,
        other => match other.strip_prefix("sqlite://") {
            Some(path) => path.into(),
            None => return redis(settings, environment, store),
        },
    };
    let opened = EmbeddedStore::open(&file, Arc::clone(clock)).await;
    let opened = opened.with_context(|| format!("opening the store of tokens {}", file.display()))?;
    Ok(Arc::new(opened))
}

fn redis(
    settings: &TokenSettings,
    environment: &Environment,
    urls: &str,
) -> Result<Arc<dyn TokenStore>, anyhow::Error> {
    let urls = urls.split(',').map(|url| url.trim().to_owned());
    let mut config = RedisConfig {
        urls: urls.collect(),
        cluster: settings.cluster,
        dangerous_without_tls: settings.without_tls,
        user: settings.user.clone(),
        ..RedisConfig::server("")
    };
    config.password = match &settings.password_file {
        Some(path) => {
            let read = fs::read(path).with_context(|| format!("reading the password {}", path.display()))?;
            let end = read
                .iter()
                .rposition(|byte| !byte.is_ascii_whitespace())
                .map_or(0, |at| at + 1);
            let password = SecretBytes::from_vec(read[..end].to_vec());
            drop(SecretBytes::from_vec(read));
            Some(password)
        }
        None => environment
            .get("REDIS_AUTH_TOKEN")
            .map(|password| SecretBytes::from_vec(password.as_bytes().to_vec())),
    };
    if let Some(path) = &settings.ca {
        config.ca_pem = Some(fs::read(path).with_context(|| format!("reading {}", path.display()))?);
    }
    let store = RedisStore::new(&config).map_err(|error| {
        Explained::misuse(format!("tokens.store: {error}")).hint(match error {
            RedisConfigError::WithoutTls => "or set tokens.without_tls (BULLA_TOKENS__WITHOUT_TLS=true), and see that nobody else is on that network",
            _ => "write embedded, sqlite:///path/tokens.db, redis://127.0.0.1:6379/0 or rediss://host:6379/0",
        })
    })?;
    Ok(Arc::new(store))
}

pub(crate) fn misuse(what: &str, error: &dyn std::error::Error) -> anyhow::Error {
    Explained::misuse(format!("{what}: {error}")).into()
}
