use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_tokens::TokenStore;
use bulla_tokens::conformance::Backend;

use crate::support::redis_server::RedisServer;

struct Server(RedisServer);

#[async_trait]
impl Backend for Server {
    async fn create() -> Self {
        Self(RedisServer::start())
    }

    async fn open(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.0.store())
    }

    /// Redis's time is the machine's.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

bulla_tokens::token_store_conformance!(Server);
