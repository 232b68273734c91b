use bulla_model::{Operation as Asked, Tag};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::create_key::{check_tags, shown_tags};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `TagResource` is asked.
#[derive(Debug, Clone)]
pub struct TagResourceRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Tags to add, or to give another value: each key once, none under `aws:`.
    pub tags: Vec<Tag>,
}

impl Service {
    /// Adds tags to a key, and gives those that it has another value.
    ///
    /// # Errors
    /// `Tag`, `NotFound`, `InvalidArn`, `InvalidState`, `LimitExceeded` above 50 tags, `AccessDenied`.
    pub async fn tag_resource(&self, call: &Call, request: TagResourceRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for TagResourceRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "TagResource",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id)), ("tags", shown_tags(&self.tags))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        check_tags(&self.tags)?;
        let key = decision
            .authorise_key::<Self>("kms:TagResource", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::TagResource)?;
        let mut tags = key.key.body.tags.clone();
        for tag in &self.tags {
            match tags.iter_mut().find(|known| known.key == tag.key) {
                Some(known) => known.value.clone_from(&tag.value),
                None => tags.push(tag.clone()),
            }
        }
        if tags.len() > Tag::MAX_PER_KEY {
            return Err(ServiceError::LimitExceeded(format!(
                "The key {} would have more than {} tags",
                key.key.arn,
                Tag::MAX_PER_KEY
            )));
        }
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
