use std::sync::Arc;

use bulla_model::{GrantConstraints, GrantOperation, KeyArn, KeyId, Operation as Asked, Timestamp};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::grants::GrantEntry;
use crate::limits::{self, members, shown};
use crate::row_ids::parse_key_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError, pages};

/// What `ListGrants` is asked.
#[derive(Debug, Clone)]
pub struct ListGrantsRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Only this grant.
    pub grant_id: Option<String>,
    /// Only grants to this principal.
    pub grantee_principal: Option<String>,
    /// Most entries to answer, 1 to 100.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// What `ListGrants` and `ListRetirableGrants` answer.
#[derive(Debug, Clone)]
pub struct ListGrantsResponse {
    /// In order of ids.
    pub grants: Vec<Grant>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

/// A grant as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The key's ARN; AWS's member is called `KeyId`.
    pub key_arn: KeyArn,
    /// The key's id.
    pub key_id: KeyId,
    /// 64 hexadecimal digits.
    pub grant_id: Arc<str>,
    /// As it was given.
    pub name: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// The ARN of who is granted.
    pub grantee_principal: String,
    /// The ARN of who may retire it.
    pub retiring_principal: Option<String>,
    /// The ARN of the root of the account that made it.
    pub issuing_account: String,
    /// In AWS's order.
    pub operations: Vec<GrantOperation>,
    /// Its constraints.
    pub constraints: GrantConstraints,
}

impl Service {
    /// Lists the grants of a key.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidGrantId`, `InvalidMarker`, `InvalidState`, `AccessDenied`.
    pub async fn list_grants(
        &self,
        call: &Call,
        request: ListGrantsRequest,
    ) -> Result<ListGrantsResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ListGrantsRequest {
    type Response = ListGrantsResponse;

    const EVENT: EventKind = EventKind {
        name: "ListGrants",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("grantId", self.grant_id.as_deref().map_or(Value::Null, shown)),
            (
                "granteePrincipal",
                self.grantee_principal.as_deref().map_or(Value::Null, shown),
            ),
            ("limit", self.limit.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let limit = limits::page(self.limit, 50, 100)?;
        let after = pages::place("grants", self.marker.as_deref())?;
        let key = decision
            .authorise_key::<Self>("kms:ListGrants", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::ListGrants)?;
        let grants = decision.grants_of(&key.key.row.id).await?;
        if let Some(id) = &self.grant_id {
            require_grant_id(id)?;
        }
        let wanted = |grant: &&Arc<GrantEntry>| {
            self.grant_id.as_deref().is_none_or(|id| *grant.id == *id)
                && self
                    .grantee_principal
                    .as_deref()
                    .is_none_or(|grantee| grant.body.grantee == grantee)
                && after.as_deref().is_none_or(|after| *grant.id > *after)
        };
        let mut page: Vec<Grant> = Vec::new();
        let mut next_marker = None;
        for grant in grants.in_order().into_iter().filter(wanted) {
            if page.len() == limit {
                next_marker = page.last().map(|last| pages::marker("grants", &last.grant_id));
                break;
            }
            page.push(describe(grant)?);
        }
        Ok(ListGrantsResponse {
            grants: page,
            next_marker,
        })
    }
}

/// Requires the form of a grant id; the text is not confirmed.
pub(crate) fn require_grant_id(id: &str) -> Result<(), ServiceError> {
    if id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(ServiceError::InvalidGrantId(format!(
        "Invalid grant ID {}",
        shown(id).as_str().unwrap_or_default()
    )))
}

pub(crate) fn describe(grant: &GrantEntry) -> Result<Grant, ServiceError> {
    let (account, region, key_id) =
        parse_key_row(&grant.key_row).ok_or(ServiceError::Internal("a key row without a key id"))?;
    let body = &grant.body;
    Ok(Grant {
        key_arn: KeyArn::new(&region, &account, &key_id),
        key_id,
        grant_id: grant.id.clone(),
        name: body.name.clone(),
        created: body.created,
        grantee_principal: body.grantee.clone(),
        retiring_principal: body.retiring.clone(),
        issuing_account: body.issuer.clone(),
        operations: body.operations.clone(),
        constraints: body.constraints.clone(),
    })
}
