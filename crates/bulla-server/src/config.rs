use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bulla_model::Region;

use crate::codec::Codec;
use crate::dev::DevClock;
use crate::network::Network;
use crate::tokens::Tokens;

/// How the server listens, whom it believes and what it bears.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Who may ask.
    pub auth: AuthMode,
    /// Regions that are answered; empty means any.
    pub regions: Vec<Region>,
    /// Certificate and key; without them, plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Plain HTTP off loopback, because a proxy in front speaks TLS.
    pub behind_tls_proxy: bool,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// The dev mode off loopback, as containers need it.
    pub allow_remote_dev: bool,
    /// Further values of `Host` that the dev mode answers, in lower case without a port; the loopback's names and addresses are always.
    pub dev_hosts: Vec<String>,
    /// The clock that the dev mode's pages move, which is also the service's; looked at in the dev mode only.
    pub dev_clock: Option<Arc<DevClock>>,
    /// The Temporal codec under `/codec`, if there is one.
    pub codec: Option<Arc<Codec>>,
    /// The token vault under `/v1/tokens`, if there is one.
    pub tokens: Option<Arc<dyn Tokens>>,
    /// Limits.
    pub limits: Limits,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Whoever signs with an access key of the service.
    SignatureV4,
    /// Anybody, as the administrator. For tests on one's own machine.
    Dev,
}

/// Where certificate and key are.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// PEM: the certificate, then its chain.
    pub certificates: PathBuf,
    /// PEM: the private key, PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
    /// How often the files are looked at for a change.
    pub poll: Duration,
}

/// What one client can take from the others.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most bytes of a body.
    pub body_bytes: usize,
    /// Most bytes that bodies above 16 KiB take together while they come and are worked on; further ones wait, within `body_read`.
    pub body_memory_bytes: usize,
    /// Most bytes of a request's line and headers together, at least 8,192. There are never more than 100 headers.
    pub header_bytes: usize,
    /// Most connections at once; further ones wait to be accepted.
    pub connections: u32,
    /// Most connections at once of one client (an IPv4 address, an IPv6 network of 64 bits); further ones are closed at once. Trusted
    /// proxies have no such limit.
    pub connections_per_client: u32,
    /// From a request's first byte to the end of its headers; also for the TLS handshake.
    pub header_read: Duration,
    /// From the end of the headers to the end of the body.
    pub body_read: Duration,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// How long the service may take for one request.
    pub request: Duration,
    /// How long requests under way may take once the server stops.
    pub drain: Duration,
}

impl ServerConfig {
    /// The defaults: signatures verified, plain HTTP.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            auth: AuthMode::SignatureV4,
            regions: Vec::new(),
            tls: None,
            behind_tls_proxy: false,
            trusted_proxies: Vec::new(),
            allow_remote_dev: false,
            dev_hosts: Vec::new(),
            dev_clock: None,
            codec: None,
            tokens: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            body_memory_bytes: 256 * 1024 * 1024,
            header_bytes: 32 * 1024,
            connections: 4096,
            connections_per_client: 1024,
            header_read: Duration::from_secs(10),
            body_read: Duration::from_secs(20),
            idle: Duration::from_secs(90),
            request: Duration::from_secs(30),
            drain: Duration::from_secs(25),
        }
    }
}
