use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `UpdateKeyDescription` is asked.
#[derive(Debug, Clone)]
pub struct UpdateKeyDescriptionRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// At most 8,192 characters.
    pub description: String,
}

impl Service {
    /// Replaces a key's description.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn update_key_description(
        &self,
        call: &Call,
        request: UpdateKeyDescriptionRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for UpdateKeyDescriptionRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "UpdateKeyDescription",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("description", shown(&self.description)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::text("description", &self.description, 0, 8192)?;
        let key = decision
            .authorise_key::<Self>("kms:UpdateKeyDescription", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::UpdateKeyDescription)?;
        let body = KeyBody {
            description: self.description.clone(),
            ..key.key.body.clone()
        };
        decision.put_key(&key.key, &body);
        Ok(())
    }
}
