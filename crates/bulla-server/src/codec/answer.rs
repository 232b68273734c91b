use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::{Context, Random};
use bulla_temporal::json::{self, Request as CodecRequest};
use bulla_temporal::{CodecError, Namespace, PayloadCodec, Usage};
use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT, VARY};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::bearer;
use super::cors::{Cors, Origin, Origins};
use super::encoding::{self, EncodingError};
use super::gate::{Admission, CodecAccess, CodecOperation, Credentials, Gate, Refusal};
use super::metrics::CodecMetrics;
use super::rates::Rates;
use super::refused::{Asked, Refusals};
use super::route::{self, Route};
use crate::body::{BodyError, BodyMemory, Share, read_body};
use crate::config::Limits;
use crate::request_id::RequestIds;
use crate::wiping::Wiped;

/// How the codec answers.
#[derive(Debug, Clone)]
pub struct CodecConfig {
    /// The namespace of requests that name none.
    pub default_namespace: Option<Namespace>,
    /// Whose pages may ask.
    pub origins: Origins,
    /// Whether browsers may send cookies and client certificates with that.
    pub credentials: bool,
    /// Requests a second of one principal, and as many at once; zero is no limit.
    pub rate_per_second: u32,
    /// Whether the names of namespaces are for who asks without a name too.
    pub open_statistics: bool,
    /// What one client can take; of the bodies, `body_bytes`, before and after decompression.
    pub limits: Limits,
}

impl Default for CodecConfig {
    fn default() -> Self {
        Self {
            default_namespace: None,
            origins: Origins::Listed(Vec::new()),
            credentials: false,
            rate_per_second: 1_000,
            open_statistics: false,
            limits: Limits {
                body_bytes: 8 * 1024 * 1024,
                // With payloads and answers, which are counted, within the 128 MiB of `deploy/codec`.
                body_memory_bytes: 48 * 1024 * 1024,
                ..Limits::default()
            },
        }
    }
}

/// The codec over HTTP.
pub struct Codec {
    pub(super) codec: Arc<PayloadCodec>,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) config: CodecConfig,
    cors: Cors,
    pub(super) rates: Rates,
    pub(super) metrics: CodecMetrics,
    pub(super) request_ids: RequestIds,
    pub(super) refusals: Refusals,
    body_memory: BodyMemory,
}

/// Who sent a request, as the connection knows it.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// The peer, whose bodies are bounded together.
    pub(crate) peer: IpAddr,
    pub(crate) source_ip: Arc<str>,
    /// Whether the client itself spoke TLS.
    pub(crate) secure_transport: bool,
    pub(crate) certificate: Option<Arc<str>>,
}

/// An answer that is no payloads: a status, and a sentence for people.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Codec {
    /// Puts a codec behind a gate.
    #[must_use]
    pub fn new(codec: Arc<PayloadCodec>, gate: Arc<dyn Gate>, config: CodecConfig, random: Arc<dyn Random>) -> Self {
        Self {
            cors: Cors {
                origins: config.origins.clone(),
                credentials: config.credentials,
            },
            rates: Rates::new(config.rate_per_second),
            metrics: CodecMetrics::default(),
            request_ids: RequestIds::new(random),
            refusals: Refusals::default(),
            body_memory: BodyMemory::new(&config.limits),
            codec,
            gate,
            config,
        }
    }

    /// The codec itself.
    #[must_use]
    pub fn payload_codec(&self) -> &Arc<PayloadCodec> {
        &self.codec
    }

    /// Answers one request; whatever comes out of it, a browser of an allowed origin may read it.
    pub(crate) async fn answer(&self, sender: &Sender, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let origin = self.cors.origin(&head.headers);
        let began = Instant::now();
        let route = Route::of(head.uri.path());
        let mut asked = Asked::default();
        let answered = self.page_of(sender, &head, body, &origin, &route, &mut asked).await;
        let mut response = match (answered, route.operation()) {
            (Ok(response), _) => response,
            (Err(problem), Some(operation)) if !asked.decided && head.method == Method::POST => {
                self.refuse(operation, sender, &asked, problem).await.into_response()
            }
            (Err(problem), _) => problem.into_response(),
        };
        if let Route::Code(operation, _) = route
            && head.method != Method::OPTIONS
        {
            self.metrics
                .count(operation, response.status().as_u16(), began.elapsed());
        }
        self.cors.mark(&origin, response.headers_mut());
        response
    }

    async fn page_of(
        &self,
        sender: &Sender,
        head: &Parts,
        body: Incoming,
        origin: &Origin,
        route: &Route<'_>,
        asked: &mut Asked,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        if Cors::is_preflight(&head.method, &head.headers) {
            // Before anybody is asked who he is: a browser sends no credentials with it.
            if *origin == Origin::Denied {
                return Err(foreign_origin());
            }
            let mut response = empty(StatusCode::NO_CONTENT);
            Cors::permit(origin, response.headers_mut());
            return Ok(response);
        }
        let read = matches!(head.method, Method::GET | Method::HEAD);
        match route {
            Route::Health if read => Ok(self.health()),
            Route::Ready if read => Ok(self.ready().await),
            Route::Metrics if read => Ok(self.metrics_page()),
            Route::Stats if read => Ok(self.stats(sender, head).await),
            Route::Health | Route::Ready | Route::Metrics | Route::Stats => Err(not_with("GET, HEAD")),
            // "`POST …/download` is answered 404."
            Route::Download | Route::Nothing => Err(Problem::new(StatusCode::NOT_FOUND, "no such page")),
            Route::Code(..) | Route::Rotate if head.method != Method::POST => Err(not_with("POST, OPTIONS")),
            // Nothing is done for a page that may not read the answer.
            _ if *origin == Origin::Denied => {
                asked.decided = true;
                Err(foreign_origin())
            }
            Route::Rotate => {
                let admission = self.admit(sender, head, asked).await?;
                let named = route::namespace_of_header(&head.headers);
                let namespace = named.map_err(|problem| Problem::new(StatusCode::BAD_REQUEST, problem))?;
                asked.decided = true;
                self.rotate(&admission, namespace.as_ref()).await
            }
            Route::Code(operation, of_path) => {
                let admission = self.admit(sender, head, asked).await?;
                let default = self.config.default_namespace.as_ref();
                let namespace = route::namespace(*of_path, &head.headers, default)
                    .map_err(|problem| Problem::new(StatusCode::BAD_REQUEST, problem))?;
                asked.namespace = Some(namespace.clone());
                self.code(*operation, &admission, &namespace, head, (sender.peer, body), asked)
                    .await
            }
        }
    }

    /// Finds out who asks, and whether he asks too often.
    async fn admit(&self, sender: &Sender, head: &Parts, asked: &mut Asked) -> Result<Admission, Problem> {
        let admission = self.authenticate(sender, head).await?;
        asked.admission = Some(admission.clone());
        if self.rates.admit(&admission.principal) {
            Ok(admission)
        } else {
            Err(Refusal::Throttled.into())
        }
    }

    pub(super) async fn authenticate(&self, sender: &Sender, head: &Parts) -> Result<Admission, Refusal> {
        let request_id = self.request_ids.next();
        let user_agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let credentials = Credentials {
            authorization: bearer::only_value(&head.headers, &AUTHORIZATION)?,
            certificate: sender.certificate.as_deref(),
            request_id: &request_id,
            source_ip: &sender.source_ip,
            secure_transport: sender.secure_transport,
            user_agent: user_agent.unwrap_or_default(),
        };
        self.gate.authenticate(&credentials).await
    }

    /// Reads, does what needs no key provider, decides, seals or opens the rest, records, and only then answers.
    async fn code(
        &self,
        operation: CodecOperation,
        admission: &Admission,
        namespace: &Namespace,
        head: &Parts,
        (peer, body): (IpAddr, Incoming),
        asked: &mut Asked,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let (request, share) = self.read(head, peer, body).await?;
        asked.decided = true;
        let (shape, count) = (request.shape, request.payloads.len());
        let prepared = match operation {
            CodecOperation::Encode => self.codec.prepare_encode(namespace, request.payloads).await,
            _ => self.codec.prepare_decode(namespace, request.payloads).await,
        };
        let usage = Usage {
            payloads: count,
            ..Usage::default()
        };
        let (context, key, usage) = match &prepared {
            Ok(work) => (work.context(), Some(work.sealing_key()), work.usage().clone()),
            Err(_) => (Context::empty(), None, usage),
        };
        let key = key.map(|(scheme, name)| (scheme, name.to_owned()));
        let mut access = CodecAccess {
            operation,
            namespace: Some(namespace),
            key: key.as_ref().map(|(scheme, name)| (*scheme, name.as_str())),
            context: &context,
            usage: &usage,
            failure: None,
        };
        let worked = match prepared {
            Ok(work) => {
                // What is new to memory takes the place of something else there.
                if usage.misses > 0 || work.is_new() {
                    self.gate.admit(admission, &access).await?;
                }
                work.finish().await
            }
            Err(error) => Err(error),
        };
        access.usage = worked.as_ref().map_or(&usage, |finished| &finished.usage);
        let written = worked
            .as_ref()
            .ok()
            .map(|finished| finished.write(shape).map(Wiped::new))
            .transpose();
        access.failure = match (&worked, &written) {
            (Err(error), _) => Some(failure_name(error)),
            (_, Err(_)) => Some("PayloadRefused"),
            _ => None,
        };
        // "durable in the audit log before its result leaves the process"
        self.gate.record(admission, &access).await?;
        worked.map_err(|error| self.problem(admission, &error))?;
        let written = written.map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error))?;
        let written = written.unwrap_or_else(|| Wiped::new(Vec::new()));
        Ok(payloads_page(head, written, share))
    }

    /// Reads a request, and takes its share of the memory for bodies: payloads and answer are in memory with it, and of many small
    /// payloads they are a multiple of it.
    async fn read(&self, head: &Parts, peer: IpAddr, body: Incoming) -> Result<(CodecRequest, Option<Share>), Problem> {
        let limits = &self.config.limits;
        let body = read_body(body, limits.body_bytes, limits.body_read, &self.body_memory, peer).await;
        let mut body = body.map_err(|error| match error {
            BodyError::TooLarge => too_large(limits.body_bytes),
            BodyError::Incomplete => Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        })?;
        let unpacked = encoding::unpack(&head.headers, &body, limits.body_bytes).map_err(|error| match error {
            EncodingError::Unknown => Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body may be compressed with gzip, or not at all",
            ),
            EncodingError::Broken => Problem::new(StatusCode::BAD_REQUEST, "the body is no gzip"),
            EncodingError::TooLarge => too_large(limits.body_bytes),
        })?;
        body.give_share_back();
        let json = unpacked.as_ref().map_or(&*body, AsRef::as_ref);
        let work_bytes = json.len() * 3 + json.iter().filter(|byte| **byte == b'{').count() * OBJECT_BYTES;
        let share = self.body_memory.hold(peer, work_bytes, limits.body_read).await;
        let share = share.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too much is under way"))?;
        let request = json::read(json).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?;
        Ok((request, share))
    }

    /// Renews the data keys of the namespace that `X-Namespace` names, else of all, for who may that in all.
    async fn rotate(
        &self,
        admission: &Admission,
        namespace: Option<&Namespace>,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let mut access = CodecAccess {
            operation: CodecOperation::Rotate,
            namespace,
            key: None,
            context: &Context::empty(),
            usage: &Usage::default(),
            failure: None,
        };
        self.gate.admit(admission, &access).await?;
        let renewed = self.codec.rotate(namespace).await;
        access.failure = renewed.as_ref().err().map(failure_name);
        self.gate.record(admission, &access).await?;
        let renewed = renewed.map_err(|error| self.problem(admission, &error))?;
        Ok(json_page(&serde_json::json!({ "renewed_data_keys": renewed })))
    }

    /// Logs what went wrong, and says of it what may be said.
    fn problem(&self, admission: &Admission, error: &CodecError) -> Problem {
        let (request, principal) = (&*admission.request_id, &*admission.principal);
        let cause: &dyn std::error::Error = error;
        match error {
            CodecError::UnknownNamespace(_) => {
                Problem::new(StatusCode::NOT_FOUND, "there is no key for this namespace")
            }
            CodecError::Payload { index, reason } => {
                tracing::info!(request, principal, error = cause, "a payload was refused");
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("payload {index}: {reason}"))
            }
            CodecError::TooManyKeys => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error),
            CodecError::KeyRefused(_) => {
                tracing::warn!(request, principal, error = cause, "a namespace's key can't be used");
                Refusal::KeyRefused.into()
            }
            _ => {
                tracing::warn!(request, principal, error = cause, "a namespace's key can't be reached");
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the namespace's key can't be reached now",
                )
            }
        }
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec")
            .field("codec", &self.codec)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl ToString) -> Self {
        Self {
            status,
            message: message.to_string(),
        }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let body = serde_json::json!({ "message": self.message }).to_string();
        let mut response = page(self.status, "application/json", body.into());
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let methods = self.message.rsplit(": ").next().unwrap_or_default();
                if let Ok(methods) = HeaderValue::from_str(methods) {
                    headers.insert(ALLOW, methods);
                }
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
            Refusal::Denied | Refusal::KeyRefused => StatusCode::FORBIDDEN,
            Refusal::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal)
    }
}

/// An answer's bytes, which hold their share of the memory for bodies until they are written.
struct Shared {
    bytes: Wiped,
    _share: Option<Share>,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

fn failure_name(error: &CodecError) -> &'static str {
    match error {
        CodecError::UnknownNamespace(_) => "UnknownNamespace",
        CodecError::Payload { .. } | CodecError::TooManyKeys => "PayloadRefused",
        CodecError::KeyRefused(_) => "KeyRefused",
        _ => "KeyUnavailable",
    }
}

fn payloads_page(head: &Parts, written: Wiped, share: Option<Share>) -> Response<Full<Bytes>> {
    let packed = encoding::pack(&head.headers, written.as_ref());
    let is_packed = packed.is_some();
    let body = Bytes::from_owner(Shared {
        bytes: packed.map_or(written, Wiped::new),
        _share: share,
    });
    let mut response = page(StatusCode::OK, "application/json", body);
    if is_packed {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

pub(super) fn page(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn json_page(value: &serde_json::Value) -> Response<Full<Bytes>> {
    page(StatusCode::OK, "application/json", value.to_string().into())
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn foreign_origin() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "pages of this origin may not ask")
}

fn not_with(methods: &str) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this page takes: {methods}"))
}

fn too_large(limit_bytes: usize) -> Problem {
    let message = format!("the body is longer than {limit_bytes} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// What a JSON object of a request is counted as beside its length: a payload's record, and the text of its metadata in the answer.
const OBJECT_BYTES: usize = 1024;

/// How long a codec's readiness may take to be found out.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(2);
