use async_trait::async_trait;

use super::{FetchError, FetchRequest, Fetched, Fetcher, OAuthClient};
use crate::TokenRef;

/// Fetches by the client-credentials grant (RFC 6749, 4.4).
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    client: OAuthClient,
}

impl ClientCredentials {
    /// Fetches as this client.
    pub fn new(client: OAuthClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Fetcher for ClientCredentials {
    fn secret(&self) -> Option<&TokenRef> {
        self.client.secret.as_ref()
    }

    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let mut fetched = self
            .client
            .ask(request, &[("grant_type", b"client_credentials")])
            .await?;
        // "A refresh token SHOULD NOT be included": there is nothing to keep it for.
        fetched.refresh_token = None;
        Ok(fetched)
    }
}
