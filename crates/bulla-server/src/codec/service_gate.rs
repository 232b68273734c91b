//! The gate of a codec in `bulla serve`: the service, with its principals, policies, grants and log.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_model::{BullaArn, KeyRef, Region};
use bulla_service::{Access, Call, Caller, Failure, Service, ServiceError};
use bulla_temporal::Namespace;
use serde_json::{Map, Value};

use super::bearer;
use super::gate::{Admission, CodecAccess, CodecOperation, Credentials, Gate, Refusal, Refused};

/// Decides by the service's policies, and records in its log.
pub struct ServiceGate {
    service: Service,
    region: Region,
    /// In development mode everybody is the administrator.
    development: bool,
}

impl ServiceGate {
    /// `region` is that of the namespaces' ARNs.
    #[must_use]
    pub fn new(service: Service, region: Region, development: bool) -> Self {
        Self {
            service,
            region,
            development,
        }
    }

    /// The accesses that a request is: one for each key of the service that it uses, one where it uses none.
    fn accesses(&self, call: &Call, asked: &CodecAccess<'_>) -> Result<Vec<Access>, Refusal> {
        let action = match asked.operation {
            CodecOperation::Encode => "bulla:EncodePayload",
            CodecOperation::Decode => "bulla:DecodePayload",
            CodecOperation::Rotate => "bulla:RotateCodec",
        };
        let event_name = asked.operation.event_name();
        let namespace = asked.namespace.map_or("*", bulla_temporal::Namespace::as_str);
        let resource = BullaArn::new(&self.region, call.caller.account(), "codec", &[namespace]);
        let read_only = asked.operation == CodecOperation::Decode;
        let mut access = Access::new(action, event_name, read_only, resource);
        access.context = asked.context.clone();
        access.cache_hit = (asked.usage.worked_on > 0).then_some(asked.usage.misses == 0);
        access.purpose = Some(bulla_temporal::PURPOSE.to_owned());
        access.parameters = Map::from_iter([
            ("namespace".to_owned(), Value::from(namespace)),
            ("payloadCount".to_owned(), Value::from(asked.usage.payloads)),
        ]);
        let usage = asked.usage;
        access.additional = Map::from_iter([
            ("payloadsWorkedOn".to_owned(), Value::from(usage.worked_on)),
            ("cacheHits".to_owned(), Value::from(usage.hits)),
            ("cacheMisses".to_owned(), Value::from(usage.misses)),
            ("keys".to_owned(), usage.keys.iter().map(String::as_str).collect()),
        ]);
        access.failure = asked.failure.map(|code| Failure {
            code: code.to_owned(),
            message: "the payloads were not handed out".to_owned(),
        });
        let mut names: Vec<&str> = usage.keys.iter().filter_map(|key| own_name(key)).collect();
        if names.is_empty() && usage.worked_on > 0 {
            names.extend(asked.key.filter(|(scheme, _)| *scheme == SCHEME).map(|(_, name)| name));
        }
        if names.is_empty() {
            return Ok(vec![access]);
        }
        let each = names.into_iter().map(|name| {
            let key = KeyRef::parse(name, &self.region).map_err(|_| Refusal::KeyRefused)?;
            let key = Some(key);
            Ok(Access { key, ..access.clone() })
        });
        each.collect()
    }
}

const SCHEME: &str = "bulla";

/// The name of a key of this service, out of its resolved form.
fn own_name(key: &str) -> Option<&str> {
    let name = key.strip_prefix(SCHEME)?.strip_prefix(':')?;
    let name = name.strip_prefix("//").unwrap_or(name);
    Some(name.strip_prefix('/').unwrap_or(name))
}

fn refusal(error: &ServiceError) -> Refusal {
    match error {
        ServiceError::UnrecognizedClient | ServiceError::ExpiredToken => Refusal::Unauthenticated,
        ServiceError::AccessDenied(_) => Refusal::Denied,
        ServiceError::NotFound(_)
        | ServiceError::Disabled(_)
        | ServiceError::InvalidState(_)
        | ServiceError::InvalidKeyUsage(_) => Refusal::KeyRefused,
        ServiceError::Throttled => Refusal::Throttled,
        _ => Refusal::Unavailable,
    }
}

#[async_trait]
impl Gate for ServiceGate {
    async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Admission, Refusal> {
        let caller = if self.development {
            Caller::dev_admin(self.service.account().clone())
        } else {
            let token = credentials.authorization.and_then(bearer::token);
            let Some(token) = token else {
                let missing = "MissingAuthenticationTokenException";
                self.service
                    .record_authentication_failure(missing, credentials.source_ip);
                return Err(Refusal::Unauthenticated);
            };
            let found = self.service.authenticate_bearer(token, credentials.source_ip).await;
            found.map_err(|error| refusal(&error))?
        };
        Ok(Admission {
            principal: caller.arn().to_string().into(),
            request_id: Arc::clone(credentials.request_id),
            source_ip: Arc::clone(credentials.source_ip),
            call: Some(Call {
                caller,
                region: self.region.clone(),
                request_id: Arc::clone(credentials.request_id),
                source_ip: Arc::clone(credentials.source_ip),
                user_agent: credentials.user_agent.into(),
                secure_transport: credentials.secure_transport,
            }),
        })
    }

    async fn admit(&self, admission: &Admission, access: &CodecAccess<'_>) -> Result<(), Refusal> {
        let call = admission.call.as_ref().ok_or(Refusal::Unauthenticated)?;
        for access in self.accesses(call, access)? {
            self.service
                .precheck(call, &access)
                .await
                .map_err(|error| refusal(&error))?;
        }
        Ok(())
    }

    async fn record(&self, admission: &Admission, access: &CodecAccess<'_>) -> Result<(), Refusal> {
        let call = admission.call.as_ref().ok_or(Refusal::Unauthenticated)?;
        let mut accesses = self.accesses(call, access)?;
        if accesses.len() == 1
            && let Some(access) = accesses.pop()
        {
            let done = self.service.access(call, access).await;
            return done.map(drop).map_err(|error| refusal(&error));
        }
        // All or none: where one is denied, nothing is handed out, and there is no event that says so.
        for access in &accesses {
            let allowed = self.service.precheck(call, access).await;
            allowed.map_err(|error| refusal(&error))?;
        }
        let done = self.service.access_all(call, &accesses).await;
        let each = done.map_err(|error| refusal(&error))?;
        each.into_iter()
            .try_for_each(|done| done.map(drop))
            .map_err(|error| refusal(&error))
    }

    async fn refuse(&self, refused: &Refused<'_>) -> Result<(), Refusal> {
        // Strangers are counted where their tokens are looked at.
        let Some(call) = refused.admission.and_then(|admission| admission.call.as_ref()) else {
            return Ok(());
        };
        let event = bulla_service::Refusal {
            operation: refused.operation.event_name(),
            event_source: "bulla",
            read_only: refused.operation == CodecOperation::Decode,
            code: refused.code,
        };
        let recorded = self.service.record_refusal(call, event).await;
        recorded.map_err(|error| refusal(&error))
    }

    /// One decision for all of them: each would be an event.
    async fn may_see(&self, admission: &Admission, namespaces: &[Namespace]) -> Vec<bool> {
        let Some(call) = admission.call.as_ref() else {
            return Vec::new();
        };
        let resource = BullaArn::new(&self.region, call.caller.account(), "codec", &["*"]);
        let access = Access::new("bulla:DescribeCodec", "DescribeCodec", true, resource);
        let allowed = self.service.access(call, access).await.is_ok();
        vec![allowed; namespaces.len()]
    }

    async fn ready(&self) -> bool {
        self.service.ready().await.is_ok()
    }
}

impl fmt::Debug for ServiceGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceGate")
            .field("region", &self.region)
            .field("development", &self.development)
            .finish_non_exhaustive()
    }
}
