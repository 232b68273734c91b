//! A server on the loopback interface that keeps every request and answers as a closure says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_kms_aws::{AwsConfig, AwsRegion, StaticCredentials};
use serde_json::{Value, json};

pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
pub(crate) const DATA_KEY: [u8; 32] = *b"thirty-two bytes of a secret key";

/// A server, and what it was asked; it stops with its test.
pub(crate) struct FakeAws {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    headers: HeaderMap,
    pub(crate) body: String,
    /// How many came before it.
    pub(crate) nth: usize,
}

/// What to answer.
pub(crate) enum Answer {
    Json(u16, Value),
    Text(u16, String),
    /// A token of the instance's metadata service.
    ImdsToken,
    /// Nothing, ever.
    Hang,
}

type Respond = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// `GenerateDataKey` of KMS, `AssumeRole` of STS, or the path.
    pub(crate) fn operation(&self) -> String {
        let target = self.header("x-amz-target");
        if let Some((_, operation)) = target.split_once('.') {
            return operation.to_owned();
        }
        self.form("Action").unwrap_or_else(|| self.path.clone())
    }

    /// A field of STS's form encoding, with the characters that the tests use decoded.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let field = self
            .body
            .split('&')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
        Some(
            field
                .replace("%3A", ":")
                .replace("%2F", "/")
                .replace("%40", "@")
                .replace("%3D", "="),
        )
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The access key that signed it.
    pub(crate) fn access_key(&self) -> String {
        let rest = self
            .header("authorization")
            .split_once("Credential=")
            .map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_owned()
    }
}

impl FakeAws {
    pub(crate) async fn start(respond: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let state = (Arc::clone(&seen), Arc::new(respond) as Respond);
        let app = Router::new().fallback(answer).with_state(state);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.seen().iter().map(Seen::operation).collect()
    }

    /// A configuration for this server, with credentials and short times.
    pub(crate) fn config(&self) -> AwsConfig {
        config(&self.url)
    }
}

pub(crate) fn config(url: &str) -> AwsConfig {
    AwsConfig {
        endpoint_url: Some(url.to_owned()),
        regions: vec![AwsRegion::parse(REGION).unwrap()],
        credentials: Some(StaticCredentials::new("AKIDBASE", "a secret", None)),
        connect_timeout: Duration::from_millis(500),
        attempt_timeout: Duration::from_secs(2),
        operation_timeout: Duration::from_secs(5),
        max_attempts: 1,
        ..AwsConfig::default()
    }
}

type Fake = (Arc<Mutex<Vec<Seen>>>, Respond);

async fn answer(
    State((seen, respond)): State<Fake>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = {
        let mut seen = seen.lock().unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let request = Seen {
            method,
            path: uri.path().to_owned(),
            headers,
            body,
            nth: seen.len(),
        };
        seen.push(request.clone());
        request
    };
    match respond(&request) {
        Answer::Json(status, value) => {
            let headers = [
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amzn-requestid", "request-1"),
            ];
            (StatusCode::from_u16(status).unwrap(), headers, value.to_string()).into_response()
        }
        Answer::Text(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Answer::ImdsToken => ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "imds-token").into_response(),
        Answer::Hang => std::future::pending().await,
    }
}

/// AWS's form of an error of KMS.
pub(crate) fn kms_error(code: &str) -> Answer {
    let status = if code.starts_with("KMSInternal") { 500 } else { 400 };
    Answer::Json(
        status,
        json!({ "__type": code, "message": format!("told so by the test: {code}") }),
    )
}

/// AWS's form of an error of STS.
pub(crate) fn sts_error(status: u16, code: &str) -> Answer {
    Answer::Text(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
        ),
    )
}

/// Answers every operation as a working KMS with one key, and STS's as one whose sessions last till 2099.
pub(crate) fn working(arn: &str) -> impl Fn(&Seen) -> Answer + Send + Sync + use<> {
    let arn = arn.to_owned();
    move |request| works(request, &arn, "2099-01-01T00:00:00Z")
}

/// As [`working`], with sessions that end when told; the n-th session's access key is `ASIA<n>`.
pub(crate) fn works(request: &Seen, arn: &str, expiration: &str) -> Answer {
    match request.operation().as_str() {
        "GenerateDataKey" => Answer::Json(
            200,
            json!({ "KeyId": arn, "Plaintext": STANDARD.encode(DATA_KEY), "CiphertextBlob": STANDARD.encode("wrapped") }),
        ),
        "GenerateDataKeyWithoutPlaintext" | "Encrypt" => Answer::Json(
            200,
            json!({ "KeyId": arn, "CiphertextBlob": STANDARD.encode("wrapped") }),
        ),
        "Decrypt" => Answer::Json(200, json!({ "KeyId": arn, "Plaintext": STANDARD.encode(DATA_KEY) })),
        "DescribeKey" => Answer::Json(200, json!({ "KeyMetadata": metadata(arn) })),
        "GetCallerIdentity" => Answer::Text(
            200,
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/test</Arn>\
             <UserId>AID</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
                .to_owned(),
        ),
        operation @ ("AssumeRole" | "AssumeRoleWithWebIdentity") => session(operation, request.nth, expiration),
        other => Answer::Text(404, format!("the fake knows no {other}")),
    }
}

pub(crate) fn metadata(arn: &str) -> Value {
    json!({
        "Arn": arn, "KeyId": arn.rsplit_once('/').unwrap().1, "Enabled": true, "KeyState": "Enabled",
        "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT",
    })
}

fn session(operation: &str, nth: usize, expiration: &str) -> Answer {
    Answer::Text(
        200,
        format!(
            "<{operation}Response><{operation}Result><Credentials><AccessKeyId>ASIA{nth}</AccessKeyId>\
             <SecretAccessKey>s</SecretAccessKey><SessionToken>token-{nth}</SessionToken>\
             <Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId>\
             <Arn>arn:aws:sts::123456789012:assumed-role/r/x</Arn></AssumedRoleUser></{operation}Result></{operation}Response>"
        ),
    )
}
