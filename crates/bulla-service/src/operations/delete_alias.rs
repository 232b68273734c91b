use bulla_model::AliasArn;
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::create_alias::{alias_name, living_alias};
use crate::row_ids::alias_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `DeleteAlias` is asked.
#[derive(Debug, Clone)]
pub struct DeleteAliasRequest {
    /// `alias/…`.
    pub alias_name: String,
}

impl Service {
    /// Deletes an alias; its key stays.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_alias(&self, call: &Call, request: DeleteAliasRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DeleteAliasRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeleteAlias",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("aliasName", shown(&self.alias_name))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let name = alias_name(&self.alias_name)?;
        let arn = AliasArn::new(decision.region(), decision.account(), &name);
        decision.authorise("kms:DeleteAlias", arn.as_str())?;
        let row = alias_row(decision.account(), decision.region(), &name);
        let alias = living_alias(decision, &row)
            .await?
            .ok_or_else(|| ServiceError::NotFound(format!("Alias {arn} is not found.")))?;
        // "kms:DeleteAlias on the alias, on the KMS key that the alias is for."
        decision
            .authorise_row::<Self>("kms:DeleteAlias", &alias.key_row)
            .await?;
        decision.delete(&alias.row);
        decision.concerns(arn.as_str().into());
        Ok(())
    }
}
