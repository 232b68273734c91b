use serde_json::{Map, Value};

use crate::call::CallerKind;
use crate::decision::{Decision, EventKind};
use crate::runner::{Operation, STS};
use crate::{Call, Service, ServiceError};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCallerIdentityResponse {
    /// The 12 digits of the caller's account.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The caller's unique id: `AIDA…`, `AROA…:<session name>`, the account for its root.
    pub user_id: String,
}

impl Service {
    /// `GetCallerIdentity`: tells who asks. It needs no permission, and no policy can deny it.
    ///
    /// # Errors
    /// `UnrecognizedClient`, `ExpiredToken`.
    pub async fn get_caller_identity(&self, call: &Call) -> Result<GetCallerIdentityResponse, ServiceError> {
        self.core.run(call, &GetCallerIdentity).await
    }
}

struct GetCallerIdentity;

impl Operation for GetCallerIdentity {
    type Response = GetCallerIdentityResponse;

    const EVENT: EventKind = EventKind {
        name: "GetCallerIdentity",
        source: STS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<GetCallerIdentityResponse, ServiceError> {
        let caller = &decision.call.caller;
        let user_id = match &caller.kind {
            CallerKind::Development | CallerKind::Operator | CallerKind::Service => caller.account().to_string(),
            _ => decision.principal_id().ok_or(ServiceError::UnrecognizedClient)?,
        };
        Ok(GetCallerIdentityResponse {
            account: caller.account().to_string(),
            arn: caller.arn().to_string(),
            user_id,
        })
    }
}
