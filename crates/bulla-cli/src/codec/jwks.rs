//! Fetches the keys that issuers of tokens publish.

use std::time::Duration;

use async_trait::async_trait;
use bulla_server::codec::JwksSource;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

const MOST_BYTES: usize = 256 * 1024;
const WITHIN: Duration = Duration::from_secs(5);

/// Asks over HTTPS with the machine's own certificate authorities; follows no redirect.
#[derive(Debug)]
pub(super) struct HttpSource(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl HttpSource {
    pub(super) fn new() -> Result<Self, anyhow::Error> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_native_roots()?
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        let connector = connector.enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

#[async_trait]
impl JwksSource for HttpSource {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let fetch = async {
            let response = self.0.get(url.parse()?).await?;
            if !response.status().is_success() {
                return Err(format!("the issuer answered {}", response.status()).into());
            }
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await?;
            Ok(body.to_bytes().to_vec())
        };
        tokio::time::timeout(WITHIN, fetch).await?
    }
}
