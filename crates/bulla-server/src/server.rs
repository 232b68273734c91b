use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bulla_crypto::Random;
use bulla_model::Clock;
use bulla_service::Service;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::body::BodyMemory;
use crate::clients::Clients;
use crate::config::{AuthMode, ServerConfig};
use crate::connection::{Stage, serve};
use crate::edge::{Edge, Peer};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::request_id::RequestIds;
use crate::sigv4::SigningKeys;
use crate::tls::{self, Certificate, TlsError};

const SIGNING_KEYS: usize = 10_000;
const READY_FRESH: Duration = Duration::from_millis(100);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The HTTP server of a key service.
#[derive(Debug)]
pub struct Server;

/// A server that listens, and answers from [`run`](Self::run) on.
pub struct BoundServer {
    listener: TcpListener,
    local_addr: SocketAddr,
    clients: Arc<Clients>,
    edge: Arc<Edge>,
    certificate: Option<Arc<Certificate>>,
    acceptor: Option<TlsAcceptor>,
}

/// Reads a server's certificate again when it is told to, as on SIGHUP.
#[derive(Debug, Clone)]
pub struct ReloadHandle(Option<Arc<Certificate>>);

/// A server that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Plain HTTP that others on the network could read.
    #[error("plain HTTP on {0} can be read on the way: configure TLS, or say that a TLS proxy is in front")]
    PlainHttpOffLoopback(SocketAddr),
    /// A codec that asks nobody who he is, where others could reach it.
    #[error("a codec without authentication on {0} decodes for everybody who reaches it")]
    OpenCodecOffLoopback(SocketAddr),
    /// The dev mode where others could reach it.
    #[error("the dev mode on {0} makes everybody who reaches it the administrator")]
    DevOffLoopback(SocketAddr),
    /// The address can't be listened on.
    #[error("listening on {address} failed")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate can't be used.
    #[error("TLS can't be set up")]
    Tls(#[from] TlsError),
}

impl Server {
    /// Checks the configuration, reads the certificate and listens; nothing is answered yet.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn bind(
        config: ServerConfig,
        service: Service,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<BoundServer, ServerError> {
        let loopback = config.listen.ip().to_canonical().is_loopback();
        let dev = config.auth == AuthMode::Dev;
        if !loopback && dev && !config.allow_remote_dev {
            return Err(ServerError::DevOffLoopback(config.listen));
        }
        if !loopback && !dev && config.tls.is_none() && !config.behind_tls_proxy {
            return Err(ServerError::PlainHttpOffLoopback(config.listen));
        }
        let certificate = config.tls.map(Certificate::load).transpose()?;
        let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
        let failed = |source| ServerError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        if dev {
            tracing::warn!(%local_addr, "DEV MODE: everybody who reaches this address is the administrator, whatever he signs with");
        }
        let clients = Clients::new(config.limits.connections_per_client, config.trusted_proxies.clone());
        let edge = Edge {
            service,
            clock,
            request_ids: RequestIds::new(random),
            signing_keys: SigningKeys::new(SIGNING_KEYS),
            metrics: Metrics::new(),
            auth: config.auth,
            regions: config.regions,
            body_memory: BodyMemory::new(&config.limits),
            limits: config.limits,
            readiness: Readiness::new(READY_FRESH),
            trusted_proxies: config.trusted_proxies,
            dev_hosts: config.dev_hosts,
            remote: config.allow_remote_dev,
            dev_clock: config.dev_clock.filter(|_| dev),
            codec: config.codec,
            tokens: config.tokens,
        };
        let acceptor = tls.map(TlsAcceptor::from);
        Ok(BoundServer {
            listener,
            local_addr,
            clients,
            edge: Arc::new(edge),
            certificate,
            acceptor,
        })
    }
}

impl fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundServer")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

impl BoundServer {
    /// Where it listens; the port is the one that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What reads the certificate again, for a signal handler.
    pub fn reload_handle(&self) -> ReloadHandle {
        ReloadHandle(self.certificate.clone())
    }

    /// Answers until `shutdown` is ready; then accepts nothing more, answers what is under way and returns, at the latest after the
    /// drain time. The service goes on: it is the caller's to shut down.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let limits = &self.edge.limits;
        let permits = Arc::new(Semaphore::new(limits.connections as usize));
        let (stage, stages) = watch::channel(Stage::Serving);
        tokio::select! {
            never = self.accept(&permits, &stages) => match never {},
            never = tls::watch(self.certificate.as_ref()) => match never {},
            () = shutdown => {}
        }
        drop(self.listener);
        tracing::info!("shutting down: requests under way are answered");
        stage.send_replace(Stage::Draining);
        let all_done = permits.acquire_many(limits.connections);
        if tokio::time::timeout(limits.drain, all_done).await.is_err() {
            let left = (limits.connections as usize).saturating_sub(permits.available_permits());
            tracing::warn!(connections = left, "the drain time is over: connections are cut");
        }
        stage.send_replace(Stage::Stopped);
    }

    async fn accept(&self, permits: &Arc<Semaphore>, stages: &watch::Receiver<Stage>) -> Infallible {
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else {
                std::future::pending().await
            };
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a connection was not accepted"
                    );
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(admitted) = self.clients.admit(address.ip()) else {
                self.edge.metrics.refused_connections.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%address, "a client has as many connections as it may: this one is closed");
                continue;
            };
            let (edge, acceptor, stages) = (self.edge.clone(), self.acceptor.clone(), stages.clone());
            tokio::spawn(async move {
                let address = address.ip().to_canonical();
                let peer = Peer {
                    address,
                    text: address.to_string().into(),
                    tls: acceptor.is_some(),
                };
                edge.metrics.connections.fetch_add(1, Ordering::Relaxed);
                serve(&edge, stream, peer, acceptor, stages).await;
                edge.metrics.connections.fetch_sub(1, Ordering::Relaxed);
                drop(admitted);
                drop(permit);
            });
        }
    }
}

impl ReloadHandle {
    pub(crate) fn of(certificate: Option<Arc<Certificate>>) -> Self {
        Self(certificate)
    }

    /// Reads the certificate again; nothing to do without TLS. Reads files: not for an async context with deadlines.
    ///
    /// # Errors
    /// [`TlsError`]; the old certificate stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.0.as_ref().map_or(Ok(()), |certificate| certificate.reload())
    }
}
