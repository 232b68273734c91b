use std::sync::Arc;

use bulla_model::{AliasArn, AliasName, AliasNameError, Operation as Asked};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::{AliasBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::{AliasEntry, KeyEntry};
use crate::limits::{members, shown};
use crate::row_ids::{RowKey, alias_row, aliases_set};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `CreateAlias` is asked.
#[derive(Debug, Clone)]
pub struct CreateAliasRequest {
    /// `alias/…`.
    pub alias_name: String,
    /// Key id or key ARN.
    pub target_key_id: String,
}

impl Service {
    /// Gives a key a name.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidAliasName`, `NotFound`, `LimitExceeded`, `InvalidState`, `AccessDenied`.
    pub async fn create_alias(&self, call: &Call, request: CreateAliasRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for CreateAliasRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "CreateAlias",
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
        decision.authorise("kms:CreateAlias", arn.as_str())?;
        let key = decision
            .authorise_key::<Self>("kms:CreateAlias", &self.target_key_id, KeyForms::KeysOnly)
            .await?;
        let row = alias_row(decision.account(), decision.region(), &name);
        if living_alias(decision, &row).await?.is_some() {
            return Err(ServiceError::AlreadyExists(format!(
                "An alias with the name {arn} already exists"
            )));
        }
        key.require_state(Asked::CreateAlias)?;
        require_room_for_alias(decision, &key.key).await?;
        let body = AliasBody {
            version: VERSION,
            target: key.key.id.clone(),
            created: decision.now,
            updated: decision.now,
        };
        decision.put(Table::Aliases, &row, &key.key.row.id, &body);
        decision.concerns(arn.as_str().into());
        Ok(())
    }
}

/// Reads an alias, unless its key is past its deletion date: it is gone with the key, swept or not.
pub(crate) async fn living_alias(
    decision: &mut Decision<'_>,
    row: &str,
) -> Result<Option<Arc<AliasEntry>>, ServiceError> {
    let Some(alias) = decision.alias(row).await? else {
        return Ok(None);
    };
    let key = decision.key(&alias.key_row).await?;
    let lives = key.is_some_and(|key| !key.is_gone(decision.now));
    Ok(lives.then_some(alias))
}

/// Reads the name of an alias that a caller may make, change or delete.
pub(crate) fn alias_name(text: &str) -> Result<AliasName, ServiceError> {
    let name: AliasName = text.parse().map_err(|error| match error {
        AliasNameError::NoPrefix => ServiceError::Validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
                .to_owned(),
        ),
        AliasNameError::Length if text.len() > 256 => ServiceError::Validation(format!(
            "1 validation error detected: Value '{text}' at 'aliasName' failed to satisfy constraint: Member must have length less \
             than or equal to 256"
        )),
        AliasNameError::Length => ServiceError::InvalidAliasName(format!("{text} is not a valid alias name")),
        AliasNameError::Character => ServiceError::Validation(format!(
            "1 validation error detected: Value '{text}' at 'aliasName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: ^[a-zA-Z0-9:/_-]+$"
        )),
    })?;
    if name.is_reserved() {
        return Err(ServiceError::InvalidAliasName(
            "Alias names that begin with alias/aws/ are reserved for AWS managed keys".to_owned(),
        ));
    }
    Ok(name)
}

/// Requires that a key has fewer than 50 aliases.
///
/// All aliases of the account and region are noted as read: whoever makes or moves one at the same time decides again.
pub(crate) async fn require_room_for_alias(decision: &mut Decision<'_>, key: &KeyEntry) -> Result<(), ServiceError> {
    let set = aliases_set(decision.account(), decision.region());
    decision.reads.push(RowKey::new(Table::Aliases, &set));
    let aliases = decision
        .core
        .rows
        .list(Table::Aliases, RowFilter::Owner(&key.row.id), None, ALIAS_LIMIT)
        .await?;
    if aliases.len() < ALIAS_LIMIT as usize {
        return Ok(());
    }
    Err(ServiceError::LimitExceeded(format!(
        "The key {} has {ALIAS_LIMIT} aliases, the most that a key can have",
        key.arn
    )))
}

/// Most aliases that a key can have.
const ALIAS_LIMIT: u32 = 50;
