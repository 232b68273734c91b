use bulla_model::{KeyState, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `DisableKey` is asked.
#[derive(Debug, Clone)]
pub struct DisableKeyRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

impl Service {
    /// Makes a key refuse every use; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn disable_key(&self, call: &Call, request: DisableKeyRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DisableKeyRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DisableKey",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:DisableKey", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::DisableKey)?;
        if key.key.body.state != KeyState::Disabled {
            let body = KeyBody {
                state: KeyState::Disabled,
                ..key.key.body.clone()
            };
            decision.put_key(&key.key, &body);
        }
        decision.response = members([("keyId", key.key.arn.as_str().into())]);
        Ok(())
    }
}
