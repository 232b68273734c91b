use bulla_model::{AliasArn, KeySpec, Operation as Asked};
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::{AliasBody, KeyBody};
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::create_alias::{alias_name, living_alias, require_room_for_alias};
use crate::row_ids::alias_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `UpdateAlias` is asked.
#[derive(Debug, Clone)]
pub struct UpdateAliasRequest {
    /// `alias/…`.
    pub alias_name: String,
    /// Key id or key ARN.
    pub target_key_id: String,
}

impl Service {
    /// Points an existing alias at another key of the same kind.
    ///
    /// # Errors
    /// `NotFound`, `LimitExceeded`, `InvalidState`, `AccessDenied`.
    pub async fn update_alias(&self, call: &Call, request: UpdateAliasRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for UpdateAliasRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "UpdateAlias",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("aliasName", shown(&self.alias_name)),
            ("targetKeyId", shown(&self.target_key_id)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let name = alias_name(&self.alias_name)?;
        let arn = AliasArn::new(decision.region(), decision.account(), &name);
        decision.authorise("kms:UpdateAlias", arn.as_str())?;
        let row = alias_row(decision.account(), decision.region(), &name);
        let alias = living_alias(decision, &row)
            .await?
            .ok_or_else(|| ServiceError::NotFound(format!("Alias {arn} is not found.")))?;
        let key = decision
            .authorise_key::<Self>("kms:UpdateAlias", &self.target_key_id, KeyForms::KeysOnly)
            .await?;
        // "kms:UpdateAlias on the alias, on the current KMS key, on the new KMS key."
        let current = decision
            .authorise_row::<Self>("kms:UpdateAlias", &alias.key_row)
            .await?;
        key.require_state(Asked::UpdateAlias)?;
        require_same_kind(&current.key.body, &key.key.body)?;
        if alias.key_row != key.key.row.id {
            require_room_for_alias(decision, &key.key).await?;
        }
        let body = AliasBody {
            target: key.key.id.clone(),
            updated: decision.now,
            ..alias.body.clone()
        };
        decision.put(Table::Aliases, &row, &key.key.row.id, &body);
        decision.concerns(arn.as_str().into());
        Ok(())
    }
}

/// "The current and new KMS key must be the same type (both symmetric or both asymmetric or both HMAC), and they must have the same key
/// usage." The message is not confirmed.
fn require_same_kind(current: &KeyBody, new: &KeyBody) -> Result<(), ServiceError> {
    let kind = |key: &KeyBody| (key.spec == KeySpec::SymmetricDefault, key.spec.is_hmac(), key.usage);
    if kind(current) == kind(new) {
        return Ok(());
    }
    Err(ServiceError::Validation(format!(
        "An alias cannot move from a key of spec {} and usage {} to one of spec {} and usage {}.",
        current.spec, current.usage, new.spec, new.usage
    )))
}
