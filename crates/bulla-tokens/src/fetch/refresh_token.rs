use async_trait::async_trait;

use super::{FetchError, FetchRequest, Fetched, Fetcher, OAuthClient};
use crate::TokenRef;

/// Fetches by a refresh token (RFC 6749, 6), which the provider may replace each time (RFC 9700, 4.14.2).
#[derive(Debug, Clone)]
pub struct RefreshToken {
    client: OAuthClient,
}

impl RefreshToken {
    /// Fetches as this client.
    pub fn new(client: OAuthClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Fetcher for RefreshToken {
    fn secret(&self) -> Option<&TokenRef> {
        self.client.secret.as_ref()
    }

    fn uses_refresh_token(&self) -> bool {
        true
    }

    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let refresh_token = request.refresh_token.ok_or(FetchError::NeedsAuthorisation)?;
        let grant: [(&str, &[u8]); 2] = [
            ("grant_type", b"refresh_token"),
            ("refresh_token", refresh_token.expose_secret()),
        ];
        self.client.ask(request, &grant).await
    }
}
