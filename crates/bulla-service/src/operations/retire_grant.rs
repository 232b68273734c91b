use std::sync::Arc;

use bulla_model::policy::Reason;
use bulla_model::{GrantOperation, KeyRef, NamedKey, Operation as Asked};
use serde_json::{Map, Value};

use super::list_grants::require_grant_id;
use super::revoke_grant::no_grant;
use crate::authorised::require_state_of;
use crate::decision::{Decision, EventKind};
use crate::entry::KeyEntry;
use crate::grants::{GrantEntry, open_token};
use crate::limits::{members, shown};
use crate::row_ids::{grant_row, key_row};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `RetireGrant` is asked: a token, or a key and a grant id.
#[derive(Debug, Clone)]
pub struct RetireGrantRequest {
    /// A token of the grant.
    pub grant_token: Option<String>,
    /// The key's ARN or id.
    pub key_id: Option<String>,
    /// 64 hexadecimal digits.
    pub grant_id: Option<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

impl Service {
    /// Ends a grant, by who was named to do so; decides the very next operation, on every node.
    ///
    /// # Errors
    /// `Validation`, `NotFound`, `InvalidArn`, `InvalidGrantToken`, `InvalidGrantId`, `InvalidState`, `AccessDenied`, `DryRun`.
    pub async fn retire_grant(&self, call: &Call, request: RetireGrantRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for RetireGrantRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "RetireGrant",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", self.key_id.as_deref().map_or(Value::Null, shown)),
            ("grantId", self.grant_id.as_deref().map_or(Value::Null, shown)),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let row = self.grant_row(decision)?;
        let id = row.rsplit('/').next().unwrap_or_default().to_owned();
        // A token is of one region, as the key is.
        let here = |row: &str| row.split('/').nth(1) == Some(decision.region().as_str());
        let found = if here(&row) { find(decision, &row).await? } else { None };
        let Some((grant, key)) = found else {
            return Err(no_grant(&id));
        };
        // Who has nothing to do with the grant learns nothing of it.
        if !may_retire(decision, &grant, &key).await? {
            if key.arn.as_str().split(':').nth(4) != Some(decision.account().as_str()) {
                return Err(no_grant(&id));
            }
            decision.concerns(key.arn.shared());
            decision.authorise_on("kms:RetireGrant", &key).await?;
        }
        decision.concerns(key.arn.shared());
        require_state_of(&key, key.state(decision.now), Asked::RetireGrant)?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        decision.delete(&grant.row);
        decision.response = members([("keyId", key.arn.as_str().into()), ("grantId", id.into())]);
        Ok(())
    }
}

impl RetireGrantRequest {
    /// The row id of the grant that is meant. The text for too few members is not confirmed.
    fn grant_row(&self, decision: &Decision<'_>) -> Result<String, ServiceError> {
        match (&self.grant_token, &self.key_id, &self.grant_id) {
            (Some(token), None, None) => open_token(decision, token),
            (None, Some(key), Some(id)) => {
                let reference = KeyRef::parse(key, decision.region())?;
                let NamedKey::Key(key) = reference.named else {
                    return Err(ServiceError::InvalidArn(
                        "Key Aliases are not supported for this operation.".to_owned(),
                    ));
                };
                require_grant_id(id)?;
                let account = reference.account.unwrap_or_else(|| decision.account().clone());
                Ok(grant_row(&key_row(&account, decision.region(), &key), id))
            }
            _ => Err(ServiceError::Validation(
                "You must specify either a grant token, or both a key ID and a grant ID".to_owned(),
            )),
        }
    }
}

async fn find(
    decision: &mut Decision<'_>,
    row: &str,
) -> Result<Option<(Arc<GrantEntry>, Arc<KeyEntry>)>, ServiceError> {
    let Some(grant) = decision.grant(row).await? else {
        return Ok(None);
    };
    let key = decision
        .key(&grant.key_row)
        .await?
        .filter(|key| !key.is_gone(decision.now));
    Ok(key.map(|key| (grant, key)))
}

/// Whether the grant itself lets the caller retire it: the retiring principal; the grantee, where the operation is granted; the root of the
/// account that made it. An explicit denial of the key's policy or of the caller's own stands above that.
async fn may_retire(decision: &mut Decision<'_>, grant: &GrantEntry, key: &KeyEntry) -> Result<bool, ServiceError> {
    let caller = decision.call.caller.arn().as_str();
    let body = &grant.body;
    let named = body.retiring.as_deref() == Some(caller)
        || body.issuer == caller
        || (body.grantee == caller && grant.permits(GrantOperation::RetireGrant));
    if !named || decision.is_denied("kms:RetireGrant", key).await? {
        return Ok(false);
    }
    decision.note(&Reason::Grant(grant.id.to_string()));
    Ok(true)
}
