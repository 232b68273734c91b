//! The REST side of a service, for commands: requests signed with the AWS credential chain, or with an API token.

use std::fs;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_config::meta::region::RegionProviderChain;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::failure::Explained;
use crate::settings::Settings;

const MOST_BYTES: usize = 16 * 1024 * 1024;
const WITHIN: Duration = Duration::from_secs(60);

/// A service that is asked over REST.
pub(crate) struct Rest {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: String,
    identity: Identity,
}

enum Identity {
    /// An API token, with the word before it.
    Bearer(HeaderValue),
    Signing {
        identity: aws_smithy_runtime_api::client::identity::Identity,
        region: String,
    },
    /// Nothing: a service in development mode asks for nothing.
    Nobody,
}

/// A body that is wiped when it is dropped.
pub(crate) type Body = Zeroizing<Vec<u8>>;

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
    request_id: String,
}

impl Rest {
    /// Makes ready to ask the service that the settings name; nothing is asked yet.
    ///
    /// # Errors
    /// The endpoint is none, or a credential can't be read.
    pub(crate) async fn new(settings: &Settings) -> Result<Self, anyhow::Error> {
        let endpoint = settings.endpoint().trim_end_matches('/').to_owned();
        let parsed: Option<Uri> = endpoint.parse().ok();
        let host = parsed.as_ref().and_then(Uri::host);
        let Some(host) = host.filter(|_| endpoint.starts_with("http://") || endpoint.starts_with("https://")) else {
            return Err(Explained::misuse(format!("{endpoint} is no address of a service"))
                .hint("write it as in https://bulla.example.org or http://127.0.0.1:4599")
                .into());
        };
        let loopback = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        let identity = match &settings.client.token_file {
            Some(path) => {
                let text = fs::read_to_string(path).map(Zeroizing::new);
                let text = text.with_context(|| format!("reading the API token {}", path.display()))?;
                let header = Zeroizing::new(format!("Bearer {}", text.trim()));
                let mut header = HeaderValue::from_str(&header)
                    .map_err(|_| Explained::misuse(format!("{} holds no API token", path.display())))?;
                header.set_sensitive(true);
                if !loopback && endpoint.starts_with("http://") {
                    return Err(
                        Explained::misuse("an API token is not sent over plain HTTP off loopback")
                            .hint("name the service with https://")
                            .into(),
                    );
                }
                Identity::Bearer(header)
            }
            None => signing(settings, loopback).await?,
        };
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_native_roots()?
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector.enable_http1().build()),
            endpoint,
            identity,
        })
    }

    /// Asks, and takes the answer; `path` has what is not plain percent-encoded already.
    ///
    /// # Errors
    /// The service can't be reached, or answers with a problem.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&[u8]>) -> Result<Body, anyhow::Error> {
        let uri = format!("{}{path}", self.endpoint);
        let bytes = Bytes::from_owner(Zeroizing::new(body.unwrap_or_default().to_vec()));
        let mut request = Request::builder()
            .method(method)
            .uri(&uri)
            .header(USER_AGENT, concat!("bulla/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(Full::new(bytes.clone())).context("making the request")?;
        self.authenticate(&mut request, &bytes)?;
        let place = &self.endpoint;
        let asked = tokio::time::timeout(WITHIN, async {
            let response = self.client.request(request).await.map_err(|error| {
                anyhow::Error::new(error).context(
                    Explained::new(format!("the service at {place} can't be reached"))
                        .hint("start it with bulla serve, or name another with --endpoint or BULLA_ENDPOINT"),
                )
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!(error).context("reading the answer"))?;
            Ok::<_, anyhow::Error>((status, Zeroizing::new(body.to_bytes().to_vec())))
        });
        let (status, body) = asked
            .await
            .map_err(|_| Explained::new(format!("the service at {place} did not answer in time")))??;
        if status.is_success() {
            return Ok(body);
        }
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => refusal(&problem),
            Err(_) => Explained::new(format!("the service at {place} answered {status}"))
                .hint("is this the endpoint of a Bulla service?"),
        }
        .into())
    }

    fn authenticate(&self, request: &mut Request<Full<Bytes>>, body: &[u8]) -> Result<(), anyhow::Error> {
        match &self.identity {
            Identity::Nobody => {}
            Identity::Bearer(header) => {
                request.headers_mut().insert(AUTHORIZATION, header.clone());
            }
            Identity::Signing { identity, region } => {
                let params = v4::SigningParams::builder()
                    .identity(identity)
                    .region(region)
                    .name("bulla")
                    .time(now())
                    .settings(SigningSettings::default())
                    .build()?;
                let method = request.method().as_str().to_owned();
                let uri = request.uri().to_string();
                // The service asks for the signature of what says how the body is read.
                let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let headers: Vec<_> = kind.map(|kind| (CONTENT_TYPE.as_str(), kind)).into_iter().collect();
                let signable = SignableRequest::new(&method, &uri, headers.into_iter(), SignableBody::Bytes(body))?;
                let (instructions, _) = sign(signable, &params.into())?.into_parts();
                instructions.apply_to_request_http1x(request);
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the service compares the time that is signed with its own"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

async fn signing(settings: &Settings, loopback: bool) -> Result<Identity, anyhow::Error> {
    let chain = RegionProviderChain::first_try(settings.client.region.clone().map(Region::new))
        .or_default_provider()
        .or_else(Region::new("us-east-1"));
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(chain)
        .load()
        .await;
    let region = sdk.region().map_or("us-east-1", |region| region.as_ref()).to_owned();
    let credentials = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await,
        None => return Ok(Identity::Nobody),
    };
    match credentials {
        Ok(credentials) => Ok(Identity::Signing {
            identity: credentials.into(),
            region,
        }),
        // A service in development mode is on loopback and asks for none; any other refuses.
        Err(_) if loopback => Ok(Identity::Nobody),
        Err(error) => Err(anyhow::Error::new(error).context(
            Explained::new("there are no credentials to sign with").hint(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a file with an API token as BULLA_CLIENT__TOKEN_FILE",
            ),
        )),
    }
}

fn refusal(problem: &Problem) -> Explained {
    let Problem {
        code,
        detail,
        request_id,
    } = problem;
    let refused = Explained::new(format!("{code}: {detail}"));
    match code.as_str() {
        "unauthenticated" => {
            refused.hint("use the access key or the API token that bulla init or bulla principal printed")
        }
        "access_denied" => refused.hint("bulla policy explain says which statement decides"),
        "no_token_vault" => refused.hint("name a store of tokens to the service with BULLA_TOKENS__STORE"),
        "no_key_for_client" => refused.hint("make the client's key with bulla token client add"),
        "internal" => refused.hint(format!("the service's log has more under {request_id}")),
        _ => refused,
    }
}

/// Percent-encodes one part of a path, or a value of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
