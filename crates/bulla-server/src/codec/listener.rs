//! The listener of a codec that runs alone: TLS with client certificates, one answer a request.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::sha256;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::answer::{Codec, Sender};
use crate::clients::Clients;
use crate::config::TlsFiles;
use crate::network::{Network, client_address, is_secure};
use crate::server::{ReloadHandle, ServerError};
use crate::tls::{self, Certificate};

/// Where and how a codec listens.
#[derive(Debug, Clone)]
pub struct CodecServerConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Certificate and key; without them, plain HTTP.
    pub tls: Option<TlsFiles>,
    /// PEM: who signs the certificates of clients. A client without one may show a token instead.
    pub client_authority: Option<PathBuf>,
    /// Plain HTTP off loopback, because a proxy in front speaks TLS.
    pub behind_tls_proxy: bool,
    /// Whether everybody may ask off loopback: the gate asks nobody who he is.
    pub anybody: bool,
    /// Whether the gate asks nobody who he is.
    pub open: bool,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
}

/// The server of a codec that runs alone.
#[derive(Debug)]
pub struct CodecServer;

/// A codec that listens, and answers from [`run`](Self::run) on.
pub struct BoundCodecServer {
    listener: TcpListener,
    local_addr: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    acceptor: Option<TlsAcceptor>,
    trusted_proxies: Vec<Network>,
    clients: Arc<Clients>,
    codec: Arc<Codec>,
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl CodecServer {
    /// Checks the configuration, reads the certificates and listens; nothing is answered yet.
    ///
    /// # Errors
    /// [`ServerError`]; [`ServerError::OpenCodecOffLoopback`] where anybody could ask and nobody said that he may.
    pub async fn bind(config: CodecServerConfig, codec: Arc<Codec>) -> Result<BoundCodecServer, ServerError> {
        let loopback = config.listen.ip().to_canonical().is_loopback();
        // Behind a proxy on this machine, a loopback address is as open as the proxy.
        let reached = !loopback || config.behind_tls_proxy || !config.trusted_proxies.is_empty();
        if reached && config.open && !config.anybody {
            return Err(ServerError::OpenCodecOffLoopback(config.listen));
        }
        if !loopback && config.tls.is_none() && !config.behind_tls_proxy {
            return Err(ServerError::PlainHttpOffLoopback(config.listen));
        }
        let certificate = config.tls.map(Certificate::load).transpose()?;
        let authority = config.client_authority.as_deref();
        let tls = certificate
            .as_ref()
            .map(|certificate| certificate.server_config_for(authority));
        let acceptor = tls.transpose()?.map(TlsAcceptor::from);
        let failed = |source| ServerError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        if config.open {
            tracing::warn!(%local_addr, "OPEN: everybody who reaches this address may encode and decode");
        }
        let most = codec.config.limits.connections_per_client;
        Ok(BoundCodecServer {
            listener,
            local_addr,
            certificate,
            acceptor,
            clients: Clients::new(most, config.trusted_proxies.clone()),
            trusted_proxies: config.trusted_proxies,
            codec,
        })
    }
}

impl BoundCodecServer {
    /// Where it listens; the port is the one that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What reads the certificate again, for a signal handler.
    pub fn reload_handle(&self) -> ReloadHandle {
        ReloadHandle::of(self.certificate.clone())
    }

    /// Answers until `shutdown` is ready; then answers what is under way and returns, at the latest after the drain time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let limits = self.codec.config.limits.clone();
        let permits = Arc::new(Semaphore::new(limits.connections as usize));
        let graceful = GracefulShutdown::new();
        tokio::select! {
            never = self.accept(&permits, &graceful) => match never {},
            never = tls::watch(self.certificate.as_ref()) => match never {},
            () = shutdown => {}
        }
        drop(self.listener);
        tracing::info!("shutting down: requests under way are answered");
        if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("the drain time is over: connections are cut");
        }
    }

    async fn accept(&self, permits: &Arc<Semaphore>, graceful: &GracefulShutdown) -> Infallible {
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
                tracing::debug!(%address, "a client has as many connections as it may: this one is closed");
                continue;
            };
            let (codec, acceptor) = (Arc::clone(&self.codec), self.acceptor.clone());
            let (proxies, watcher) = (self.trusted_proxies.clone(), graceful.watcher());
            tokio::spawn(async move {
                let (peer, tls) = (address.ip().to_canonical(), acceptor.is_some());
                if let Some((stream, certificate)) = shake_hands(&codec, stream, acceptor).await {
                    let connection = Connection {
                        codec,
                        peer,
                        proxies,
                        tls,
                        certificate,
                    };
                    connection.serve(stream, watcher).await;
                }
                drop(admitted);
                drop(permit);
            });
        }
    }
}

impl fmt::Debug for BoundCodecServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundCodecServer")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

/// A connection's stream, in the clear or over TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Takes the TLS handshake, and the digest of the client's certificate, where there is one.
async fn shake_hands(
    codec: &Codec,
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
) -> Option<(Box<dyn Stream>, Option<Arc<str>>)> {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return Some((Box::new(stream), None));
    };
    let within = codec.config.limits.header_read;
    let stream = tokio::time::timeout(within, acceptor.accept(stream)).await.ok()?.ok()?;
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(|chain| chain.first());
    let digest = certificate.map(|certificate| hex::encode(sha256(certificate)).into());
    Some((Box::new(stream), digest))
}

struct Connection {
    codec: Arc<Codec>,
    peer: IpAddr,
    proxies: Vec<Network>,
    tls: bool,
    certificate: Option<Arc<str>>,
}

impl Connection {
    async fn serve(self, stream: Box<dyn Stream>, watcher: hyper_util::server::graceful::Watcher) {
        let mut builder = Builder::new(TokioExecutor::new());
        let limits = &self.codec.config.limits;
        builder
            .http1()
            .timer(TokioTimer::new())
            // Runs while the connection is idle, too.
            .header_read_timeout(limits.idle)
            .max_buf_size(limits.header_bytes.max(8 * 1024));
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.idle)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(32);
        let service = service_fn(|request: Request<Incoming>| {
            let sender = self.sender(&request);
            let codec = Arc::clone(&self.codec);
            async move { Ok::<_, Infallible>(codec.answer(&sender, request).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(peer = %self.peer, error = &*error as &dyn std::error::Error, "the connection broke");
        }
    }

    fn sender(&self, request: &Request<Incoming>) -> Sender {
        let source = client_address(self.peer, request.headers(), &self.proxies);
        Sender {
            peer: self.peer,
            source_ip: source.to_string().into(),
            secure_transport: is_secure(self.peer, self.tls, request.headers(), &self.proxies),
            certificate: self.certificate.clone(),
        }
    }
}
