use bulla_model::{KeyArn, KeyId};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::entry::Entry;
use crate::limits::{self, members};
use crate::row_ids::keys_owner;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError, pages};

/// What `ListKeys` is asked.
#[derive(Debug, Clone)]
pub struct ListKeysRequest {
    /// Most entries to answer, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// What `ListKeys` answers.
#[derive(Debug, Clone)]
pub struct ListKeysResponse {
    /// In order of ids.
    pub keys: Vec<(KeyId, KeyArn)>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

impl Service {
    /// Lists the keys of the caller's account and region.
    ///
    /// # Errors
    /// `InvalidMarker`, `AccessDenied`.
    pub async fn list_keys(&self, call: &Call, request: ListKeysRequest) -> Result<ListKeysResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ListKeysRequest {
    type Response = ListKeysResponse;

    const EVENT: EventKind = EventKind {
        name: "ListKeys",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("limit", self.limit.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        decision.authorise("kms:ListKeys", "*")?;
        let limit = limits::page(self.limit, 100, 1000)?;
        let owner = keys_owner(decision.account(), decision.region());
        let mut after = match pages::place("keys", self.marker.as_deref())? {
            Some(last) => Some(last.parse::<KeyId>().map_err(|_| ServiceError::InvalidMarker)?),
            None => None,
        };
        let mut keys: Vec<(KeyId, KeyArn)> = Vec::new();
        // Keys past their deletion date are not there any more, so a page may need several reads.
        let more = 'pages: loop {
            let row = after.as_ref().map(|id| format!("{owner}/{id}"));
            let wanted = u32::try_from(limit + 1 - keys.len()).unwrap_or(1).min(1000);
            let page = decision
                .core
                .rows
                .list(Table::Keys, RowFilter::Owner(&owner), row.as_deref(), wanted)
                .await?;
            let full = page.len() == wanted as usize;
            for entry in page {
                let Entry::Key(key) = entry else { continue };
                after = Some(key.id.clone());
                if key.is_gone(decision.now) {
                    continue;
                }
                if keys.len() == limit {
                    break 'pages true;
                }
                keys.push((key.id.clone(), key.arn.clone()));
            }
            if !full {
                break false;
            }
        };
        let next_marker = if more {
            keys.last().map(|(id, _)| pages::marker("keys", id.as_str()))
        } else {
            None
        };
        Ok(ListKeysResponse { keys, next_marker })
    }
}
