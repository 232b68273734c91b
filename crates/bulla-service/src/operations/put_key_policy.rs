use bulla_model::Operation as Asked;
use bulla_model::policy::{MAX_DOCUMENT_BYTES, Policy, PolicyKind};
use serde_json::{Map, Value};

use super::get_key_policy::require_default;
use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::call::CallerKind;
use crate::decision::{Decision, EventKind};
use crate::entry::KeyEntry;
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `PutKeyPolicy` is asked.
#[derive(Debug, Clone)]
pub struct PutKeyPolicyRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Only `default` can be written.
    pub policy_name: Option<String>,
    /// An IAM JSON document of at most 32 KiB.
    pub policy: String,
    /// Take the policy even if it lets the caller never change it again.
    pub bypass_policy_lockout_safety_check: bool,
}

impl Service {
    /// Gives a key another policy; decides the very next operation.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`, `LimitExceeded`, `NotFound`, `InvalidArn`, `InvalidState`, `Validation`, `AccessDenied`.
    pub async fn put_key_policy(&self, call: &Call, request: PutKeyPolicyRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for PutKeyPolicyRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "PutKeyPolicy",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("policyName", self.policy_name.as_deref().map_or(Value::Null, shown)),
            ("policy", policy_shown(&self.policy)),
            (
                "bypassPolicyLockoutSafetyCheck",
                self.bypass_policy_lockout_safety_check.into(),
            ),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:PutKeyPolicy", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::PutKeyPolicy)?;
        if self.policy_name.as_deref() == Some("AWS_RAM") {
            return Err(ServiceError::Validation(
                "The AWS_RAM policy can only be managed by the RAM service.".to_owned(),
            ));
        }
        require_default(self.policy_name.as_deref())?;
        let policy = parse_key_policy(&self.policy)?;
        if !self.bypass_policy_lockout_safety_check {
            require_way_back(decision, &key.key, &policy).await?;
        }
        let body = KeyBody {
            policy: Some(self.policy.clone()),
            ..key.key.body.clone()
        };
        decision.put_key(&key.key, &body);
        Ok(())
    }
}

/// Parses a key policy. The text for one that is too long is not confirmed.
pub(crate) fn parse_key_policy(document: &str) -> Result<Policy, ServiceError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(ServiceError::LimitExceeded(format!(
            "The key policy exceeds the limit of {MAX_DOCUMENT_BYTES} bytes"
        )));
    }
    Policy::parse(PolicyKind::Key, document).map_err(|error| ServiceError::MalformedPolicyDocument(error.to_string()))
}

/// Requires that the caller may write the policy once more under `policy`.
pub(crate) async fn require_way_back(
    decision: &mut Decision<'_>,
    key: &KeyEntry,
    policy: &Policy,
) -> Result<(), ServiceError> {
    if matches!(decision.call.caller.kind, CallerKind::Service) {
        return Ok(());
    }
    if decision.decide_on("kms:PutKeyPolicy", key, policy).await?.is_allowed() {
        return Ok(());
    }
    Err(ServiceError::MalformedPolicyDocument(
        "The new key policy will not allow you to update the key policy in the future.".to_owned(),
    ))
}

/// What an event shows of a policy: all of it, which may have 32 KiB.
pub(crate) fn policy_shown(policy: &str) -> Value {
    match policy.len() {
        0..=MAX_DOCUMENT_BYTES => policy.into(),
        _ => shown(policy),
    }
}
