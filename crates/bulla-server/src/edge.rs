use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bulla_model::{Clock, Region};
use bulla_service::Service;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, ORIGIN, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::aws;
use crate::body::BodyMemory;
use crate::codec::{self, Codec, Sender};
use crate::config::{AuthMode, Limits};
use crate::dev::{self, DevClock};
use crate::metrics::{Metrics, render_tokens};
use crate::network::{Network, client_address, is_local_name, is_same_host, is_secure};
use crate::readiness::Readiness;
use crate::request_id::RequestIds;
use crate::rest;
use crate::sigv4::SigningKeys;
use crate::tokens::Tokens;

/// What every request is answered with; one per server.
pub(crate) struct Edge {
    pub(crate) service: Service,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) request_ids: RequestIds,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) metrics: Metrics,
    pub(crate) auth: AuthMode,
    pub(crate) regions: Vec<Region>,
    pub(crate) limits: Limits,
    pub(crate) body_memory: BodyMemory,
    pub(crate) readiness: Readiness,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) dev_hosts: Vec<String>,
    pub(crate) remote: bool,
    /// The Temporal codec under `/codec`.
    pub(crate) codec: Option<Arc<Codec>>,
    /// The token vault under `/v1/tokens`.
    pub(crate) tokens: Option<Arc<dyn Tokens>>,
    /// There in the dev mode only.
    pub(crate) dev_clock: Option<Arc<DevClock>>,
}

/// The peer of a connection, with its address as text, made once.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) text: Arc<str>,
    /// Whether the connection is one of TLS.
    pub(crate) tls: bool,
}

/// Where a request came from, as far as whoever forwarded it is believed.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The client's address as text.
    pub(crate) source_ip: Arc<str>,
    /// Whether the client itself spoke TLS.
    pub(crate) secure_transport: bool,
}

impl Edge {
    /// Answers one request, and ends the connection where a proxy in front may see its end elsewhere.
    ///
    /// A request with `Transfer-Encoding` may have come with a `Content-Length`, too, which hyper then drops; RFC 9112 §6.1: "the
    /// server MUST close the connection after responding to such a request to avoid the potential attacks."
    pub(crate) async fn answer(
        &self,
        peer: &Peer,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let mut response = self.page_of(peer, request).await;
        if chunked {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// The façade, or one of the few fixed pages.
    async fn page_of(&self, peer: &Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if self.auth == AuthMode::Dev && !self.is_local(&head.uri, &head.headers) {
            return page(
                StatusCode::FORBIDDEN,
                r#"{"message":"this server answers local names and pages only"}"#,
            );
        }
        if let Some(codec) = self.codec.as_ref().filter(|_| codec::is_of_codec(head.uri.path())) {
            let origin = self.origin(peer, &head.headers);
            let sender = Sender {
                peer: peer.address,
                source_ip: origin.source_ip,
                secure_transport: origin.secure_transport,
                certificate: None,
            };
            return codec.answer(&sender, Request::from_parts(head, body)).await;
        }
        let read = matches!(head.method, Method::GET | Method::HEAD);
        match head.uri.path() {
            "/" if head.method == Method::POST => {
                aws::answer(self, &head, body, self.origin(peer, &head.headers)).await
            }
            path if path == "/v1" || path.starts_with("/v1/") => {
                rest::answer(self, &head, body, self.origin(peer, &head.headers)).await
            }
            "/healthz" if read => page(StatusCode::OK, r#"{"status":"alive"}"#),
            "/readyz" if read => self.ready().await,
            "/metrics" if read => self.metrics_page(),
            "/" => not_allowed("POST"),
            "/healthz" | "/readyz" | "/metrics" => not_allowed("GET, HEAD"),
            _ => {
                let of_dev = match &self.dev_clock {
                    Some(clock) => dev::answer(self, clock, &head, body, peer).await,
                    None => None,
                };
                of_dev.unwrap_or_else(|| page(StatusCode::NOT_FOUND, r#"{"message":"no such page"}"#))
            }
        }
    }

    /// Where a request came from: the peer, or what trusted proxies say.
    pub(crate) fn origin(&self, peer: &Peer, headers: &HeaderMap) -> Origin {
        if self.trusted_proxies.is_empty() {
            return Origin {
                source_ip: peer.text.clone(),
                secure_transport: peer.tls,
            };
        }
        let source_ip = client_address(peer.address, headers, &self.trusted_proxies).to_string();
        Origin {
            source_ip: source_ip.into(),
            secure_transport: is_secure(peer.address, peer.tls, headers, &self.trusted_proxies),
        }
    }

    /// Whether everybody is the administrator.
    pub(crate) fn is_dev(&self) -> bool {
        self.auth == AuthMode::Dev
    }

    /// Keeps web pages from reaching a server that trusts everybody: by a name bound to our address, or across origins.
    fn is_local(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let local = |name: &str| is_local_name(name, &self.dev_hosts, self.remote);
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        // Off this machine every address and short name is somebody's: there only pages of this server itself, or of the browser's own machine.
        let own_page =
            |name: &str| is_local_name(name, &self.dev_hosts, false) || (self.remote && is_same_host(name, host));
        let authority = uri.authority().map(|authority| Some(authority.as_str()));
        let hosts = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
        let mut names = hosts.chain(authority).peekable();
        let has_name = names.peek().is_some();
        let origin_is_local = headers.get_all(ORIGIN).iter().all(|origin| {
            let parts = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            parts.is_some_and(|(scheme, host)| matches!(scheme, "http" | "https") && own_page(host))
        });
        has_name && names.all(|name| name.is_some_and(local)) && origin_is_local
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        let probe = async {
            match tokio::time::timeout(self.limits.request, self.service.ready()).await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
                    false
                }
                Err(_) => false,
            }
        };
        if self.readiness.ask(probe).await {
            page(StatusCode::OK, r#"{"status":"ready"}"#)
        } else {
            page(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not ready"}"#)
        }
    }

    fn metrics_page(&self) -> Response<Full<Bytes>> {
        let mut text = self.metrics.render(self.service.metrics(), self.signing_keys.len());
        if let Some(tokens) = &self.tokens {
            render_tokens(&mut text, &tokens.stats());
        }
        let mut response = Response::new(Full::new(text.into()));
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
        );
        response
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("auth", &self.auth).finish_non_exhaustive()
    }
}

fn page(status: StatusCode, json: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(json.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A page made for one request.
pub(crate) fn json_page(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = page(status, "");
    *response.body_mut() = Full::new(value.to_string().into());
    response
}

pub(crate) fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = page(StatusCode::METHOD_NOT_ALLOWED, r#"{"message":"not with this method"}"#);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
