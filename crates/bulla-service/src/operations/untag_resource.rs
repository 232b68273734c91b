use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `UntagResource` is asked.
#[derive(Debug, Clone)]
pub struct UntagResourceRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Keys of tags; those that the KMS key has not are nothing to it.
    pub tag_keys: Vec<String>,
}

impl Service {
    /// Removes tags from a key.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn untag_resource(&self, call: &Call, request: UntagResourceRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for UntagResourceRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "UntagResource",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        let keys = self.tag_keys.iter().take(50).map(|key| shown(key));
        members([("keyId", shown(&self.key_id)), ("tagKeys", keys.collect())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:UntagResource", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::UntagResource)?;
        let mut tags = key.key.body.tags.clone();
        tags.retain(|tag| !self.tag_keys.contains(&tag.key));
        if tags != key.key.body.tags {
            let body = KeyBody {
                tags,
                ..key.key.body.clone()
            };
            decision.put_key(&key.key, &body);
        }
        Ok(())
    }
}
