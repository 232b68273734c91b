use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError, ScriptInvocation, ServerErrorKind, TlsCertificates};
use tokio::sync::OnceCell;

use super::{RedisConfig, RedisConfigError};
use crate::store::{StoreError, StoreErrorKind};

/// One multiplexed connection to a server, or those to the nodes of a cluster.
pub(super) enum Connection {
    Server(ConnectionManager),
    Cluster {
        client: Box<ClusterClient>,
        connection: OnceCell<ClusterConnection>,
    },
}

impl Connection {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, RedisConfigError> {
        let nodes = config.connections()?;
        let certificates = config.ca_pem.clone().map(|root_cert| TlsCertificates {
            client_tls: None,
            root_cert: Some(root_cert),
        });
        install_crypto();
        if config.cluster {
            return Self::cluster(config, nodes, certificates).map_err(RedisConfigError::Unusable);
        }
        let node = nodes.into_iter().next().ok_or(RedisConfigError::Urls)?;
        let client = match certificates {
            Some(certificates) => Client::build_with_tls(node, certificates),
            None => Client::open(node),
        };
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout))
            .set_min_delay(Duration::from_millis(20))
            .set_max_delay(Duration::from_secs(1))
            .set_number_of_retries(2);
        client
            .and_then(|client| ConnectionManager::new_lazy_with_config(client, settings))
            .map(Self::Server)
            .map_err(RedisConfigError::Unusable)
    }

    fn cluster(
        config: &RedisConfig,
        nodes: Vec<redis::ConnectionInfo>,
        certificates: Option<TlsCertificates>,
    ) -> Result<Self, RedisError> {
        let mut builder = ClusterClient::builder(nodes)
            .connection_timeout(config.connect_timeout)
            .response_timeout(config.response_timeout)
            .retries(3)
            .min_retry_wait(20)
            .max_retry_wait(500);
        if let Some(certificates) = certificates {
            builder = builder.certs(certificates);
        }
        Ok(Self::Cluster {
            client: Box::new(builder.build()?),
            connection: OnceCell::new(),
        })
    }

    /// Asks once, and once more where the connection broke: every command here may be repeated.
    pub(super) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, StoreError> {
        match self.query_once(cmd).await {
            Err(error) if error.is_connection_dropped() => self.query_once(cmd).await,
            answer => answer,
        }
        .map_err(store_error)
    }

    async fn query_once<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Server(manager) => cmd.query_async(&mut manager.clone()).await,
            Self::Cluster { .. } => cmd.query_async(&mut self.nodes().await?).await,
        }
    }

    /// Runs a script, loading it where the server does not know it.
    pub(super) async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        match self.invoke_once(script).await {
            Err(error) if error.is_connection_dropped() => self.invoke_once(script).await,
            answer => answer,
        }
        .map_err(store_error)
    }

    async fn invoke_once<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, RedisError> {
        match self {
            Self::Server(manager) => invoke(script, &mut manager.clone()).await,
            Self::Cluster { .. } => invoke(script, &mut self.nodes().await?).await,
        }
    }

    async fn nodes(&self) -> Result<ClusterConnection, RedisError> {
        let Self::Cluster { client, connection } = self else {
            return Err((ErrorKind::Client, "not a cluster").into());
        };
        connection
            .get_or_try_init(|| client.get_async_connection())
            .await
            .cloned()
    }
}

async fn invoke<T: FromRedisValue>(
    script: &ScriptInvocation<'_>,
    connection: &mut (impl ConnectionLike + Send),
) -> Result<T, RedisError> {
    script.invoke_async(connection).await
}

/// Says what a caller can do about it. `RedisError` never holds the password.
fn store_error(error: RedisError) -> StoreError {
    let kind = match error.kind() {
        ErrorKind::AuthenticationFailed => StoreErrorKind::Denied,
        ErrorKind::Server(ServerErrorKind::NoPerm) => StoreErrorKind::Denied,
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => StoreErrorKind::Unusable,
        _ => match error.code() {
            Some("OOM") => StoreErrorKind::Full,
            // Redis answers a script's error by a code of its own, and quotes the command's.
            _ if error.to_string().contains("OOM command not allowed") => StoreErrorKind::Full,
            Some("WRONGTYPE") => StoreErrorKind::Malformed,
            _ if error.to_string().contains("WRONGTYPE") => StoreErrorKind::Malformed,
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => StoreErrorKind::Denied,
            _ => StoreErrorKind::Unavailable,
        },
    };
    StoreError {
        kind,
        source: Some(Arc::new(error)),
    }
}

/// The library takes the process's default of rustls. Where the program has chosen one already, that stays.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server",
            Self::Cluster { .. } => "Cluster",
        })
    }
}
