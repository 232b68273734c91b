use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use super::list_grants::require_grant_id;
use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::row_ids::grant_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `RevokeGrant` is asked.
#[derive(Debug, Clone)]
pub struct RevokeGrantRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// 64 hexadecimal digits.
    pub grant_id: String,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

impl Service {
    /// Ends a grant; decides the very next operation, on every node.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidGrantId`, `InvalidState`, `AccessDenied`, `DryRun`.
    pub async fn revoke_grant(&self, call: &Call, request: RevokeGrantRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for RevokeGrantRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "RevokeGrant",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("grantId", shown(&self.grant_id)),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:RevokeGrant", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::RevokeGrant)?;
        require_grant_id(&self.grant_id)?;
        let row = grant_row(&key.key.row.id, &self.grant_id);
        let grant = decision.grant(&row).await?.ok_or_else(|| no_grant(&self.grant_id))?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        decision.delete(&grant.row);
        decision.response = members([("keyId", key.key.arn.as_str().into())]);
        Ok(())
    }
}

/// There is no such grant; the text is not confirmed.
pub(crate) fn no_grant(id: &str) -> ServiceError {
    ServiceError::NotFound(format!("Grant ID {id} not found"))
}
