//! The codec in `bulla serve`: keys of the service in this process, or of any provider.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_kms::KeyProvider;
use bulla_model::Region;
use bulla_server::codec::{Codec, CodecConfig, Origins, ServiceGate};
use bulla_service::{Call, Caller, Service, ServiceProvider};
use bulla_temporal::{KeyName, MakeKeys, MakeKeysError, Namespace, NamespaceKeys, Namespaces, PayloadCodec, Unknown};

use crate::codec::Table;
use crate::node::{default_region, system_random};

/// Builds the codec of a service: of a table, or in development mode with a key for each namespace that comes; else there is none.
pub(super) async fn mount(
    service: &Service,
    table: Option<&Path>,
    development: bool,
) -> Result<Option<Arc<Codec>>, anyhow::Error> {
    let region = default_region()?;
    let own: Arc<dyn KeyProvider> = Arc::new(ServiceProvider::new(
        service.clone(),
        service.account().clone(),
        region.clone(),
    ));
    let (namespaces, mut config) = match table {
        Some(path) => {
            let table = Table::read(path)?;
            (table.namespaces(None, Some(&own)).await?, table.codec_config()?)
        }
        None if development => {
            let keys = DevelopmentKeys {
                service: service.clone(),
                provider: own,
                region: region.clone(),
            };
            let config = CodecConfig {
                default_namespace: Some("default".parse()?),
                ..CodecConfig::default()
            };
            (Namespaces::new(Vec::new(), Unknown::Make(Arc::new(keys))), config)
        }
        None => return Ok(None),
    };
    if development {
        config.origins = Origins::Local;
        config.open_statistics = true;
    }
    let codec = PayloadCodec::new(namespaces, PayloadCodec::default_settings(), system_random());
    let gate = Arc::new(ServiceGate::new(service.clone(), region, development));
    let codec = Codec::new(Arc::new(codec), gate, config, system_random());
    Ok(Some(Arc::new(codec)))
}

/// Makes a key of the service for each namespace at its first use.
struct DevelopmentKeys {
    service: Service,
    provider: Arc<dyn KeyProvider>,
    region: Region,
}

#[async_trait]
impl MakeKeys for DevelopmentKeys {
    async fn make_keys(&self, namespace: &Namespace) -> Result<NamespaceKeys, MakeKeysError> {
        let call = Call {
            caller: Caller::dev_admin(self.service.account().clone()),
            region: self.region.clone(),
            request_id: "codec".into(),
            source_ip: "in-process".into(),
            user_agent: "bulla".into(),
            secure_transport: true,
        };
        // An alias has no dots, and a namespace no slashes.
        let alias = format!("alias/temporal/{}", namespace.as_str().replace('.', "/"));
        let description = format!("Temporal namespace {namespace}");
        let made = self.service.ensure_key(&call, &alias, &description, None).await;
        let arn = made.map_err(|error| MakeKeysError(Box::new(error)))?;
        Ok(NamespaceKeys::new(KeyName {
            provider: Arc::clone(&self.provider),
            name: arn.to_string(),
        }))
    }
}

impl fmt::Debug for DevelopmentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevelopmentKeys").finish_non_exhaustive()
    }
}
