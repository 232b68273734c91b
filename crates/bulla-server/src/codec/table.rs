//! The gate of a codec that runs alone: a small table of who may do what in which namespace.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::{constant_time_eq, sha256};
use bulla_model::Clock;
use bulla_temporal::{Namespace, NamespacePattern};

use super::bearer;
use super::gate::{Admission, CodecAccess, CodecOperation, Credentials, Gate, Refusal, Refused};
use super::jwt::{Issuer, JwksSource, TokenError, Tokens};

/// Decides by a table, and records in a file of lines.
#[derive(Debug)]
pub struct TableGate {
    /// No names are asked for: everybody is `anonymous`.
    open: bool,
    tokens: Vec<StaticToken>,
    issued: Option<Tokens>,
    allow: Vec<Allow>,
    sink: Arc<dyn AccessSink>,
    clock: Arc<dyn Clock>,
}

/// A token that does not change, known by its digest.
#[derive(Debug, Clone)]
pub struct StaticToken {
    /// Who shows it.
    pub principal: Arc<str>,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
}

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Allow {
    /// Who: a name, one that ends in `*`, or `*` alone.
    pub principal: String,
    /// In which namespaces.
    pub namespaces: Vec<NamespacePattern>,
    /// What.
    pub operations: Vec<CodecOperation>,
}

/// One line of the record.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessLine<'a> {
    /// When, in UTC.
    pub event_time: String,
    /// `EncodePayload`, `DecodePayload` or `RotateCodec`.
    pub event_name: &'static str,
    /// Who; `None` where nobody knows.
    pub principal: Option<&'a str>,
    /// Where from.
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: &'a str,
    /// Which request.
    #[serde(rename = "requestID")]
    pub request_id: &'a str,
    /// Of which namespace.
    pub namespace: Option<&'a str>,
    /// Payloads of the request.
    pub payload_count: usize,
    /// Those that were sealed or opened.
    pub worked_on: usize,
    /// The resolved keys.
    pub keys: Vec<&'a str>,
    /// Payloads whose data key was in memory.
    pub cache_hits: usize,
    /// Payloads that waited for a data key.
    pub cache_misses: usize,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<&'static str>,
    /// Requests that were refused since the last such line, of which there were too many for a line each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrecorded_refusals: Option<u64>,
}

/// Takes the record's lines.
///
/// # Contract
/// `write` returns `Ok` only when the line will outlast the process.
#[async_trait]
pub trait AccessSink: Send + Sync + fmt::Debug {
    /// Takes one line, which ends in a line feed.
    ///
    /// # Errors
    /// It was not taken; then nothing is handed out.
    async fn write(&self, line: Vec<u8>) -> std::io::Result<()>;
}

impl Allow {
    fn is_of(&self, principal: &str) -> bool {
        match self.principal.strip_suffix('*') {
            Some(beginning) => principal.starts_with(beginning),
            None => self.principal == principal,
        }
    }
}

impl TableGate {
    /// Asks for names: a static token, a token of an issuer, or a client's certificate; `allow` says what each may.
    #[must_use]
    pub fn new(
        tokens: Vec<StaticToken>,
        issuers: Vec<Issuer>,
        source: Arc<dyn JwksSource>,
        allow: Vec<Allow>,
        sink: Arc<dyn AccessSink>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let issued = (!issuers.is_empty()).then(|| Tokens::new(issuers, source, Arc::clone(&clock)));
        Self {
            open: false,
            tokens,
            issued,
            allow,
            sink,
            clock,
        }
    }

    /// Asks nobody who he is and lets everybody do everything. For one's own machine.
    #[must_use]
    pub fn open(sink: Arc<dyn AccessSink>, clock: Arc<dyn Clock>) -> Self {
        Self {
            open: true,
            tokens: Vec::new(),
            issued: None,
            allow: Vec::new(),
            sink,
            clock,
        }
    }

    async fn principal(&self, credentials: &Credentials<'_>) -> Result<Arc<str>, Refusal> {
        if self.open {
            return Ok("anonymous".into());
        }
        let Some(authorization) = credentials.authorization else {
            let digest = credentials.certificate.ok_or(Refusal::Unauthenticated)?;
            return Ok(format!("x509/{digest}").into());
        };
        let token = bearer::token(authorization).ok_or(Refusal::Unauthenticated)?;
        let digest = sha256(token.as_bytes());
        let mut found = None;
        for known in &self.tokens {
            // All of them, so that the time says nothing of which.
            if constant_time_eq(&known.sha256, &digest) {
                found = Some(Arc::clone(&known.principal));
            }
        }
        match (found, &self.issued) {
            (Some(principal), _) => Ok(principal),
            (None, Some(issued)) if Tokens::is_one(token) => {
                issued.principal(token).await.map_err(|error| match error {
                    TokenError::Refused => Refusal::Unauthenticated,
                    TokenError::NoKeys => Refusal::Unavailable,
                })
            }
            _ => Err(Refusal::Unauthenticated),
        }
    }

    fn allows(&self, principal: &str, access: &CodecAccess<'_>) -> bool {
        self.open
            || self.allow.iter().any(|row| {
                let who = row.is_of(principal);
                let mut patterns = row.namespaces.iter();
                // Without a name, all are meant: a row for some does not do.
                let namespace = match access.namespace {
                    Some(namespace) => patterns.any(|pattern| pattern.matches(namespace)),
                    None => patterns.any(NamespacePattern::matches_all),
                };
                who && namespace && row.operations.contains(&access.operation)
            })
    }

    async fn write(
        &self,
        admission: &Admission,
        access: &CodecAccess<'_>,
        error_code: Option<&'static str>,
    ) -> Result<(), Refusal> {
        let usage = access.usage;
        self.put(&AccessLine {
            event_time: self.clock.now().to_string(),
            event_name: access.operation.event_name(),
            principal: Some(&admission.principal),
            source_ip_address: &admission.source_ip,
            request_id: &admission.request_id,
            namespace: access.namespace.map(Namespace::as_str),
            payload_count: usage.payloads,
            worked_on: usage.worked_on,
            keys: usage.keys.iter().map(String::as_str).collect(),
            cache_hits: usage.hits,
            cache_misses: usage.misses,
            error_code,
            unrecorded_refusals: None,
        })
        .await
    }

    async fn put(&self, line: &AccessLine<'_>) -> Result<(), Refusal> {
        let written = serde_json::to_vec(line).map(|mut line| {
            line.push(b'\n');
            line
        });
        let written = match written {
            Ok(line) => self.sink.write(line).await,
            Err(error) => Err(error.into()),
        };
        written.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "an access was not recorded");
            Refusal::Unavailable
        })
    }
}

#[async_trait]
impl Gate for TableGate {
    async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Admission, Refusal> {
        Ok(Admission {
            principal: self.principal(credentials).await?,
            call: None,
            request_id: Arc::clone(credentials.request_id),
            source_ip: Arc::clone(credentials.source_ip),
        })
    }

    async fn admit(&self, admission: &Admission, access: &CodecAccess<'_>) -> Result<(), Refusal> {
        if self.allows(&admission.principal, access) {
            return Ok(());
        }
        self.write(admission, access, Some("AccessDenied")).await?;
        Err(Refusal::Denied)
    }

    async fn record(&self, admission: &Admission, access: &CodecAccess<'_>) -> Result<(), Refusal> {
        // Decides, too: a request that needs no key provider comes here at once.
        self.admit(admission, access).await?;
        self.write(admission, access, access.failure).await
    }

    async fn refuse(&self, refused: &Refused<'_>) -> Result<(), Refusal> {
        self.put(&AccessLine {
            event_time: self.clock.now().to_string(),
            event_name: refused.operation.event_name(),
            principal: refused.admission.map(|admission| &*admission.principal),
            source_ip_address: refused.source_ip,
            request_id: refused
                .admission
                .map_or(refused.request_id, |admission| &admission.request_id),
            namespace: refused.namespace.map(Namespace::as_str),
            payload_count: 0,
            worked_on: 0,
            keys: Vec::new(),
            cache_hits: 0,
            cache_misses: 0,
            error_code: Some(refused.code),
            unrecorded_refusals: (refused.unrecorded > 0).then_some(refused.unrecorded),
        })
        .await
    }

    async fn may_see(&self, admission: &Admission, namespaces: &[Namespace]) -> Vec<bool> {
        let sees = |namespace: &Namespace| {
            let mut rows = self.allow.iter().filter(|row| row.is_of(&admission.principal));
            self.open || rows.any(|row| row.namespaces.iter().any(|pattern| pattern.matches(namespace)))
        };
        namespaces.iter().map(sees).collect()
    }

    async fn ready(&self) -> bool {
        true
    }
}
