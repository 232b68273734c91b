use std::sync::Arc;

use bulla_model::{PrincipalArn, Region};
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::assume_role::{Begin, begin, check, duration, role_of};
use crate::operations::put_key_policy::policy_shown;
use crate::runner::{Operation, STS};
use crate::{AssumeRoleRequest, AssumeRoleResponse, Call, Caller, Service, ServiceError};

/// A request that nobody signed, and where it came from.
#[derive(Debug, Clone)]
pub struct Unsigned {
    /// As of a call that is signed.
    pub region: Region,
    /// The same.
    pub request_id: Arc<str>,
    /// The same.
    pub source_ip: Arc<str>,
    /// The same.
    pub user_agent: Arc<str>,
    /// The same.
    pub secure_transport: bool,
}

/// A role that was assumed by a token.
#[derive(Debug)]
pub struct AssumeRoleWithWebIdentityResponse {
    /// The role and its credentials.
    pub assumed: AssumeRoleResponse,
    /// The token's issuer.
    pub provider: String,
    /// The token's audience.
    pub audience: String,
    /// The token's `sub`.
    pub subject: String,
}

impl Service {
    /// `AssumeRoleWithWebIdentity`: gives who has a token of a configured issuer credentials of a role whose trust policy names it.
    ///
    /// Of the request, session tags, external id and source identity must be empty; who stands behind the token, that says itself. Refused tokens are counted and recorded in aggregate.
    ///
    /// # Errors
    /// `InvalidIdentityToken`, `ExpiredIdentityToken`, `IdpCommunication`; `AccessDenied` (also where there is no such role),
    /// `Validation`, `MalformedPolicyDocument`, `PackedPolicyTooLarge`.
    pub async fn assume_role_with_web_identity(
        &self,
        from: Unsigned,
        mut request: AssumeRoleRequest,
        token: &str,
    ) -> Result<AssumeRoleWithWebIdentityResponse, ServiceError> {
        let core = &self.core;
        let identity = match core.issuers.verify(token, core.clock.now()).await {
            Ok(identity) => Arc::new(identity),
            Err(error) => {
                let error = ServiceError::from(error);
                self.record_authentication_failure(error.code(), &from.source_ip);
                return Err(error);
            }
        };
        request.source_identity.clone_from(&identity.source_identity);
        // Where no such session can be, the root of the service's account stands for it in the refusal's event.
        let role: Option<PrincipalArn> = request.role_arn.parse().ok().filter(PrincipalArn::is_role);
        let session = role.and_then(|role| PrincipalArn::session(&role, &request.role_session_name));
        let session = session.unwrap_or_else(|| PrincipalArn::root(&core.account));
        let call = Call {
            caller: Caller::by_web_identity(core.account.clone(), session, identity.clone()),
            region: from.region,
            request_id: from.request_id,
            source_ip: from.source_ip,
            user_agent: from.user_agent,
            secure_transport: from.secure_transport,
        };
        let assumed = core.run(&call, &AssumeRoleWithWebIdentity { request }).await?;
        Ok(AssumeRoleWithWebIdentityResponse {
            assumed,
            provider: identity.provider.clone(),
            audience: identity.audiences.first().cloned().unwrap_or_default(),
            subject: identity.subject.clone(),
        })
    }
}

struct AssumeRoleWithWebIdentity {
    request: AssumeRoleRequest,
}

impl Operation for AssumeRoleWithWebIdentity {
    type Response = AssumeRoleResponse;

    const EVENT: EventKind = EventKind {
        name: "AssumeRoleWithWebIdentity",
        source: STS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        let request = &self.request;
        members([
            ("roleArn", shown(&request.role_arn)),
            ("roleSessionName", shown(&request.role_session_name)),
            ("policy", request.policy.as_deref().map_or(Value::Null, policy_shown)),
            ("durationSeconds", request.duration_seconds.into()),
            (
                "sourceIdentity",
                request.source_identity.as_deref().map_or(Value::Null, shown),
            ),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<AssumeRoleResponse, ServiceError> {
        let request = &self.request;
        check(request)?;
        let action = "sts:AssumeRoleWithWebIdentity";
        let role = role_of(decision, action, &request.role_arn).await?;
        decision.authorise_role(action, &role)?;
        decision.concerns(role.arn.as_str().into());
        if request.source_identity.is_some() {
            decision.authorise_role("sts:SetSourceIdentity", &role)?;
        }
        let begin_with = Begin {
            request,
            duration: duration(request.duration_seconds, &role, false)?,
            source_identity: request.source_identity.clone(),
        };
        begin(decision, &role, &begin_with, Default::default(), Default::default())
    }
}
