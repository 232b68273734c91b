//! The token vault in `bulla serve`.

use std::path::Path;
use std::sync::Arc;

use bulla_kms::KeyProvider;
use bulla_model::{Clock, Region};
use bulla_server::tokens::Tokens;
use bulla_service::{Service, ServiceProvider};
use bulla_tokens::{CallPrice, CallPriceError, Unrecorded};
use bulla_tokens_service::ServiceMarks;

use crate::settings::{Environment, TokenSettings};
use crate::vault::port::VaultPort;
use crate::vault::{DEFAULT_KEY, Parts, misuse};

/// Builds the vault of a service: over the store that is set, in development mode over a file in its directory; else there is none.
///
/// # Errors
/// A setting that can't be used.
pub(super) async fn mount(
    service: &Service,
    settings: &TokenSettings,
    environment: &Environment,
    directory: Option<&Path>,
    region: Region,
    clock: Arc<dyn Clock>,
    development: bool,
) -> Result<Option<Arc<dyn Tokens>>, anyhow::Error> {
    let Some(store) = settings.store.as_deref().or(development.then_some("embedded")) else {
        return Ok(None);
    };
    let account = service.account().clone();
    let own: Arc<dyn KeyProvider> = Arc::new(ServiceProvider::new(service.clone(), account.clone(), region.clone()));
    let price = match &settings.call_price {
        Some(price) => price
            .parse()
            .map_err(|error: CallPriceError| misuse("tokens.call_price", &error))?,
        None => CallPrice::default(),
    };
    let key = key(settings, environment, development);
    let parts = Parts::new(settings, environment, store, &key, directory, Some(&own), &clock).await?;
    let fetchers = parts.table.fetchers()?;
    // Nobody asks without a log of his own: the port gives each request one.
    let marks = ServiceMarks::new(service.clone(), account, parts.prefix().clone());
    let vault = parts.vault(Arc::new(Unrecorded), Some(Arc::new(marks)), clock);
    let port = VaultPort::new(vault, service.clone(), region, parts.keys, fetchers, development).priced(price);
    Ok(Some(Arc::new(port)))
}

/// The URI of clients' keys: as set, else the one key that the replaced systems name, else one of the service for each client.
fn key(settings: &TokenSettings, environment: &Environment, development: bool) -> String {
    if let Some(key) = &settings.key {
        return key.clone();
    }
    match environment.get("KMS_KEY_ID") {
        Some(_) if development => {
            tracing::warn!("KMS_KEY_ID is not used with --dev: each client gets a key of its own");
        }
        Some(id) => {
            tracing::warn!(
                "KMS_KEY_ID names one key for the tokens of all clients; name one for each with BULLA_TOKENS__KEY"
            );
            return format!("aws-kms:///{id}");
        }
        None => {}
    }
    DEFAULT_KEY.to_owned()
}
