use bulla_model::grant_principal;
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use super::list_grants::describe;
use crate::decision::{Decision, EventKind};
use crate::entry::Entry;
use crate::limits::{self, members, shown};
use crate::row_ids::parse_key_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Grant, ListGrantsResponse, Service, ServiceError, pages};

/// What `ListRetirableGrants` is asked.
#[derive(Debug, Clone)]
pub struct ListRetirableGrantsRequest {
    /// Whose grants: a principal of the caller's account.
    pub retiring_principal: String,
    /// Most entries to answer, 1 to 100.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

impl Service {
    /// Lists the grants of the region, of every account's keys, that a principal may retire.
    ///
    /// # Errors
    /// `InvalidArn`, `InvalidMarker`, `AccessDenied`.
    pub async fn list_retirable_grants(
        &self,
        call: &Call,
        request: ListRetirableGrantsRequest,
    ) -> Result<ListGrantsResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ListRetirableGrantsRequest {
    type Response = ListGrantsResponse;

    const EVENT: EventKind = EventKind {
        name: "ListRetirableGrants",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("retiringPrincipal", shown(&self.retiring_principal)),
            ("limit", self.limit.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        decision.authorise("kms:ListRetirableGrants", "*")?;
        let limit = limits::page(self.limit, 50, 100)?;
        let mut after = pages::place("retirable", self.marker.as_deref())?;
        let invalid = || {
            ServiceError::InvalidArn(format!(
                "ARN does not refer to a valid principal: {}",
                self.retiring_principal
            ))
        };
        let principal = grant_principal(&self.retiring_principal).map_err(|_| invalid())?;
        if !principal.contains(&format!("::{}:", decision.account())) {
            return Err(ServiceError::AccessDenied(format!(
                "User: {} is not authorized to perform: kms:ListRetirableGrants on resource: {principal} because no identity-based \
                 policy allows the kms:ListRetirableGrants action",
                decision.call.caller.arn()
            )));
        }
        let mut grants: Vec<Grant> = Vec::new();
        // A marker names the last grant that was shown, and none of those between, which are others' and of other accounts.
        let mut last_shown = None;
        loop {
            let rows = &decision.core.rows;
            let page = rows.list(Table::Grants, RowFilter::All, after.as_deref(), 1000).await?;
            let full = page.len() == 1000;
            for entry in page {
                let Entry::Grant(grant) = entry else { continue };
                let of_region =
                    parse_key_row(&grant.key_row).is_some_and(|(_, region, _)| region == *decision.region());
                let wanted = of_region && grant.body.retiring.as_deref() == Some(&*principal);
                after = Some(grant.row.id.to_string());
                if !wanted {
                    continue;
                }
                if grants.len() == limit {
                    let next_marker = last_shown.map(|last: String| pages::marker("retirable", &last));
                    return Ok(ListGrantsResponse { grants, next_marker });
                }
                last_shown = after.clone();
                grants.push(describe(&grant)?);
            }
            if !full {
                return Ok(ListGrantsResponse {
                    grants,
                    next_marker: None,
                });
            }
        }
    }
}
