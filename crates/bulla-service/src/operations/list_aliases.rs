use bulla_model::{AliasArn, AliasName, KeyId, Operation as Asked, Timestamp};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::entry::Entry;
use crate::limits::{self, members, shown};
use crate::row_ids::keys_owner;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError, pages};

/// What `ListAliases` is asked.
#[derive(Debug, Clone)]
pub struct ListAliasesRequest {
    /// Only aliases of this key: a key id or key ARN.
    pub key_id: Option<String>,
    /// Most entries to answer, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// What `ListAliases` answers.
#[derive(Debug, Clone)]
pub struct ListAliasesResponse {
    /// In order of names.
    pub aliases: Vec<AliasEntry>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

/// An alias as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasEntry {
    /// `AliasName`.
    pub name: AliasName,
    /// `AliasArn`.
    pub arn: AliasArn,
    /// `TargetKeyId`.
    pub target_key_id: KeyId,
    /// `CreationDate`.
    pub created: Timestamp,
    /// `LastUpdatedDate`.
    pub updated: Timestamp,
}

impl Service {
    /// Lists the aliases of the caller's account and region.
    ///
    /// # Errors
    /// `NotFound`, `InvalidMarker`, `AccessDenied`.
    pub async fn list_aliases(
        &self,
        call: &Call,
        request: ListAliasesRequest,
    ) -> Result<ListAliasesResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ListAliasesRequest {
    type Response = ListAliasesResponse;

    const EVENT: EventKind = EventKind {
        name: "ListAliases",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", self.key_id.as_deref().map_or(Value::Null, shown)),
            ("limit", self.limit.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let limit = limits::page(self.limit, 50, 100)?;
        let after = match pages::place("aliases", self.marker.as_deref())? {
            Some(last) => Some(last.parse::<AliasName>().map_err(|_| ServiceError::InvalidMarker)?),
            None => None,
        };
        let (account, region) = (decision.account(), decision.region());
        let prefix = format!("{}/", keys_owner(account, region));
        let after = format!("{prefix}{}", after.as_ref().map_or("", AliasName::as_str));
        let key = match &self.key_id {
            Some(key_id) => {
                let key = decision
                    .authorise_key::<Self>("kms:ListAliases", key_id, KeyForms::KeysOnly)
                    .await?;
                key.require_state(Asked::ListAliases)?;
                Some(key.key)
            }
            None => {
                decision.authorise("kms:ListAliases", "*")?;
                None
            }
        };
        let filter = key.as_ref().map_or(RowFilter::All, |key| RowFilter::Owner(&key.row.id));
        let page = decision
            .core
            .rows
            .list(Table::Aliases, filter, Some(&after), limit as u32 + 1)
            .await?;
        let mut aliases = Vec::with_capacity(page.len().min(limit));
        let mut next_marker = None;
        for entry in page {
            let Entry::Alias(alias) = entry else { continue };
            let Some(name) = alias
                .row
                .id
                .strip_prefix(&prefix)
                .and_then(|name| name.parse::<AliasName>().ok())
            else {
                break;
            };
            if aliases.len() == limit {
                next_marker = aliases
                    .last()
                    .map(|last: &AliasEntry| pages::marker("aliases", last.name.as_str()));
                break;
            }
            aliases.push(AliasEntry {
                arn: AliasArn::new(region, account, &name),
                name,
                target_key_id: alias.body.target.clone(),
                created: alias.body.created,
                updated: alias.body.updated,
            });
        }
        Ok(ListAliasesResponse { aliases, next_marker })
    }
}
