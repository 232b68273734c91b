use bulla_model::Operation as Asked;
use bulla_model::policy::default_key_policy;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::row_ids::parse_key_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GetKeyPolicy` is asked.
#[derive(Debug, Clone)]
pub struct GetKeyPolicyRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Only `default` is there.
    pub policy_name: Option<String>,
}

/// What `GetKeyPolicy` answers.
#[derive(Debug, Clone)]
pub struct GetKeyPolicyResponse {
    /// The document as it was given, or AWS's default one.
    pub policy: String,
    /// `default`.
    pub policy_name: &'static str,
}

impl Service {
    /// Tells a key's policy.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn get_key_policy(
        &self,
        call: &Call,
        request: GetKeyPolicyRequest,
    ) -> Result<GetKeyPolicyResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GetKeyPolicyRequest {
    type Response = GetKeyPolicyResponse;

    const EVENT: EventKind = EventKind {
        name: "GetKeyPolicy",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("policyName", self.policy_name.as_deref().map_or(Value::Null, shown)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:GetKeyPolicy", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::GetKeyPolicy)?;
        require_default(self.policy_name.as_deref())?;
        let policy = match &key.key.body.policy {
            Some(policy) => policy.clone(),
            None => {
                let (account, _, _) =
                    parse_key_row(&key.key.row.id).ok_or(ServiceError::Internal("a key row without a key id"))?;
                default_key_policy(&account)
            }
        };
        Ok(GetKeyPolicyResponse {
            policy,
            policy_name: DEFAULT,
        })
    }
}

/// The name of the only policy that a key has.
pub(crate) const DEFAULT: &str = "default";

/// Requires the name of the policy that is there; the text for others is not confirmed.
pub(crate) fn require_default(name: Option<&str>) -> Result<(), ServiceError> {
    match name {
        None | Some(DEFAULT) => Ok(()),
        Some(_) => Err(ServiceError::NotFound("No such policy exists".to_owned())),
    }
}
