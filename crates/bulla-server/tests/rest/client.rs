//! Requests to `/v1`, by a bearer token, by a signature, or by nobody.

use aws_lc_rs::{digest, hmac};
use bulla_model::{PrincipalArn, Role};
use bulla_service::{Call, Caller};
use serde_json::{Value, json};

use crate::harness::{Answer, Harness, NOW, REGION};

/// A user with an API token.
pub(crate) struct User {
    pub(crate) arn: PrincipalArn,
    pub(crate) token: String,
}

pub(crate) fn operator(h: &Harness) -> Call {
    Call {
        caller: Caller::operator(h.service.account().clone()),
        region: REGION.parse().unwrap(),
        request_id: "setup".into(),
        source_ip: "in-process".into(),
        user_agent: "".into(),
        secure_transport: true,
    }
}

impl User {
    pub(crate) async fn new(h: &Harness, name: &str, role: Role) -> Self {
        let operator = operator(h);
        let made = h
            .service
            .create_principal(&operator, name.parse().unwrap(), role)
            .await
            .unwrap();
        let arn = made.principal.arn;
        let token = h.service.create_api_token(&operator, arn.clone(), None).await.unwrap();
        Self {
            arn,
            token: String::from_utf8(token.token.expose_secret().to_vec()).unwrap(),
        }
    }

    /// Gives the user one identity policy of one statement.
    pub(crate) async fn give(&self, h: &Harness, statement: Value) {
        let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        h.service
            .put_principal_policy(&operator(h), self.arn.clone(), "given".to_owned(), document)
            .await
            .unwrap();
    }

    pub(crate) async fn get(&self, h: &Harness, path: &str) -> Answer {
        request(h, "GET", path, &self.header(), "").await
    }

    pub(crate) async fn post(&self, h: &Harness, path: &str, body: &Value) -> Answer {
        self.send(h, "POST", path, body).await
    }

    /// Sends a request with a body, unless that is null.
    pub(crate) async fn send(&self, h: &Harness, method: &str, path: &str, body: &Value) -> Answer {
        match body {
            Value::Null => request(h, method, path, &self.header(), "").await,
            body => {
                let headers = format!("{}Content-Type: application/json\r\n", self.header());
                request(h, method, path, &headers, &body.to_string()).await
            }
        }
    }

    pub(crate) fn header(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }
}

pub(crate) async fn request(h: &Harness, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let (address, length) = (h.address, body.len());
    let text =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    h.raw(text.as_bytes()).await
}

/// The headers of a request that the administrator signs for a service.
pub(crate) fn signed(h: &Harness, service: &str, method: &str, path: &str, query: &str) -> String {
    let credentials = &h.initialised.credentials;
    let (address, day) = (h.address, &NOW[..8]);
    let hash = |bytes: &[u8]| hex::encode(digest::digest(&digest::SHA256, bytes));
    // Paths are encoded once more than they are sent, as for every service but S3.
    let path = path.replace('%', "%25");
    let canonical = format!(
        "{method}\n{path}\n{query}\nhost:{address}\nx-amz-date:{NOW}\n\nhost;x-amz-date\n{}",
        hash(b"")
    );
    let scope = format!("{day}/{REGION}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{NOW}\n{scope}\n{}", hash(canonical.as_bytes()));
    let mut key = [b"AWS4", credentials.secret_access_key.expose_secret()].concat();
    for part in [day, REGION, service, "aws4_request"] {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes());
        key = mac.as_ref().to_vec();
    }
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
    format!(
        "X-Amz-Date: {NOW}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-date, Signature={}\r\n",
        credentials.access_key_id,
        hex::encode(signature)
    )
}

/// Checks that an answer is a problem of this kind, and gives it.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    let body = answer.json();
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{body}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    body
}

/// The newest events, the newest last.
pub(crate) async fn events(h: &Harness) -> Vec<Value> {
    let rows = h.service.read_audit_events(&operator(h), 0, 10_000).await.unwrap();
    rows.iter()
        .map(|row| serde_json::from_slice(&row.event).unwrap())
        .collect()
}

/// The newest event of a name.
pub(crate) async fn newest(h: &Harness, name: &str) -> Value {
    let events = events(h).await;
    let found = events.into_iter().rev().find(|event| event["eventName"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}
