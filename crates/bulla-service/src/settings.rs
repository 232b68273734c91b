use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bulla_kms::KeyProvider;
use bulla_model::{AccountId, PrincipalArn, PrincipalName, Region};
use serde::{Deserialize, Serialize};

use crate::{NewCredentials, OidcSettings};

/// A key that wraps the store key: a provider and the name of a key in it.
#[derive(Debug, Clone)]
pub struct Root {
    /// The provider.
    pub provider: Arc<dyn KeyProvider>,
    /// The key, as the provider is asked for it.
    pub key: String,
}

/// What a store was made for; the two never open each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Signatures are verified, principals decide.
    Production,
    /// Everybody is the administrator; for tests.
    Development,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Production => "production",
            Mode::Development => "development",
        })
    }
}

/// How a new service is made.
#[derive(Debug, Clone)]
pub struct InitialiseSettings {
    /// What it is for.
    pub mode: Mode,
    /// The account of its first principal; `None` draws one (production) or takes `000000000000` (development).
    pub account: Option<AccountId>,
    /// Name of the administrator.
    pub administrator: PrincipalName,
    /// Name of the log, the first line of every checkpoint; 1 to 128 printable ASCII characters without space or plus; `None`
    /// draws `bulla.invalid/<16 hex digits>`.
    pub origin: Option<String>,
    /// Region in the first event.
    pub region: Region,
}

/// What a new service printed once.
#[derive(Debug)]
pub struct Initialised {
    /// The account.
    pub account: AccountId,
    /// The log's origin.
    pub origin: String,
    /// The administrator.
    pub administrator: PrincipalArn,
    /// His access key; the secret is shown here and never again.
    pub credentials: NewCredentials,
    /// C2SP verifier key of the audit log: `<origin>+<hash>+<base64>`.
    pub verifier_key: String,
}

/// How a service runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the store must have been made for.
    pub mode: Mode,
    /// Rows kept decoded in memory.
    pub cache_entries: usize,
    /// Requests that may wait for the committer; more are answered `Throttled` at once.
    pub queue_length: usize,
    /// Requests in one group commit at most.
    pub batch_size: usize,
    /// How often one request is decided again before it is answered `Throttled`.
    pub max_decisions: u32,
    /// How often, at most, the store is asked for what other nodes changed before a caller who is not known here is refused.
    pub refusal_check: Duration,
    /// Issuers whose tokens are believed.
    pub oidc: OidcSettings,
    /// Whether due rotations and deletions are carried out by a background task.
    pub sweep: bool,
    /// Regions where replicas of keys can be; empty means any.
    pub regions: Vec<Region>,
}

impl Settings {
    /// The defaults for a mode.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            cache_entries: 300_000,
            queue_length: 16_384,
            batch_size: 1_024,
            max_decisions: 32,
            refusal_check: Duration::from_millis(50),
            oidc: OidcSettings::default(),
            sweep: true,
            regions: Vec::new(),
        }
    }
}
