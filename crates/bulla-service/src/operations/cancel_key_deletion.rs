use bulla_model::{KeyArn, KeyOrigin, KeyState, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::imported::Imported;
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `CancelKeyDeletion` is asked.
#[derive(Debug, Clone)]
pub struct CancelKeyDeletionRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

/// What `CancelKeyDeletion` answers.
#[derive(Debug, Clone)]
pub struct CancelKeyDeletionResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
}

impl Service {
    /// Keeps a key that was to be deleted; it is disabled then.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn cancel_key_deletion(
        &self,
        call: &Call,
        request: CancelKeyDeletionRequest,
    ) -> Result<CancelKeyDeletionResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for CancelKeyDeletionRequest {
    type Response = CancelKeyDeletionResponse;

    const EVENT: EventKind = EventKind {
        name: "CancelKeyDeletion",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:CancelKeyDeletion", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::CancelKeyDeletion)?;
        let lacks_material = key.key.body.origin == KeyOrigin::External
            && Imported::read(decision, &key.key).await?.is_missing(decision.now);
        // AWS leaves the key disabled: whoever scheduled its deletion meant it to be used no more. Without its material it waits for
        // that first.
        let state = if lacks_material {
            KeyState::PendingImport
        } else {
            KeyState::Disabled
        };
        let body = KeyBody {
            state,
            deletion_date: None,
            pending_window_days: None,
            ..key.key.body.clone()
        };
        decision.put_key(&key.key, &body);
        decision.response = members([("keyId", key.key.arn.as_str().into())]);
        Ok(CancelKeyDeletionResponse {
            key_arn: key.key.arn.clone(),
        })
    }
}
