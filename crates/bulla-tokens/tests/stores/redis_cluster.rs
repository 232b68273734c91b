use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_tokens::conformance::Backend;
use bulla_tokens::{RedisConfig, RedisStore, TokenStore};

use crate::support::redis_server::RedisServer;

/// Three nodes without replicas.
pub(crate) struct Cluster(Vec<RedisServer>);

impl Cluster {
    pub(crate) fn start() -> Self {
        let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        let nodes: Vec<_> = (0..3).map(|_| RedisServer::start_with(&arguments)).collect();
        let addresses: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let mut create = vec!["--cluster", "create"];
        create.extend(addresses.iter().map(String::as_str));
        create.extend(["--cluster-yes"]);
        let printed = nodes[0].cli(&create);
        assert!(printed.contains("All 16384 slots covered"), "{printed}");
        while !nodes
            .iter()
            .all(|node| node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        {
            std::thread::yield_now();
        }
        Self(nodes)
    }

    pub(crate) fn store(&self) -> RedisStore {
        // Any of the nodes tells the others.
        RedisStore::new(&RedisConfig::cluster([self.0[0].url()])).unwrap()
    }
}

#[async_trait]
impl Backend for Cluster {
    async fn create() -> Self {
        Self::start()
    }

    async fn open(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.store())
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

bulla_tokens::token_store_conformance!(Cluster);
