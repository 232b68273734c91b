use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bulla_model::{Operation as Asked, Tag};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError, pages};

/// What `ListResourceTags` is asked.
#[derive(Debug, Clone)]
pub struct ListResourceTagsRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Most tags to answer, 1 to 50.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// What `ListResourceTags` answers.
#[derive(Debug, Clone)]
pub struct ListResourceTagsResponse {
    /// In order of keys.
    pub tags: Vec<Tag>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

impl Service {
    /// Lists the tags of a key.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidMarker`, `Validation`, `AccessDenied`.
    pub async fn list_resource_tags(
        &self,
        call: &Call,
        request: ListResourceTagsRequest,
    ) -> Result<ListResourceTagsResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ListResourceTagsRequest {
    type Response = ListResourceTagsResponse;

    const EVENT: EventKind = EventKind {
        name: "ListResourceTags",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id)), ("limit", self.limit.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let limit = limits::page(self.limit, 50, 50)?;
        let after = match pages::place("tags", self.marker.as_deref())? {
            Some(last) => Some(URL_SAFE_NO_PAD.decode(last).map_err(|_| ServiceError::InvalidMarker)?),
            None => None,
        };
        let key = decision
            .authorise_key::<Self>("kms:ListResourceTags", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::ListResourceTags)?;
        let mut tags = key.key.body.tags.clone();
        tags.sort_unstable();
        tags.retain(|tag| after.as_ref().is_none_or(|after| tag.key.as_bytes() > after.as_slice()));
        let more = tags.len() > limit;
        tags.truncate(limit);
        // Encoded: a tag's key may have any character, a marker not.
        let next_marker = match tags.last() {
            Some(last) if more => Some(pages::marker("tags", &URL_SAFE_NO_PAD.encode(&last.key))),
            _ => None,
        };
        Ok(ListResourceTagsResponse { tags, next_marker })
    }
}
