//! Grants as Bulla's own administration gives them: one for each principal and key, or for every key. Giving it again changes it.

use std::sync::Arc;

use bulla_model::{GrantConstraints, GrantOperation, Operation as Asked, Timestamp, grant_principal};
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::authorised::{Authorised, KeyForms};
use crate::bodies::{GrantBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::grants::{GrantEntry, MAX_GRANTS};
use crate::limits::{members, shown};
use crate::operations::create_grant::{constraints_shown, require_operations, require_within};
use crate::row_ids::{every_key, grant_row};
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError};

/// What a grant that was given so is called, among those that `CreateGrant` made.
const NAME: &str = "bulla:given";

/// The grant that a principal is to have on a key.
#[derive(Debug, Clone)]
pub struct GiveGrantRequest {
    /// Key id or key ARN; `*` for every key of the caller's account in the region, those to come as well.
    pub key_id: String,
    /// The ARN of who is granted.
    pub grantee_principal: String,
    /// What he may; on every key, neither `CreateGrant` nor `RetireGrant`.
    pub operations: Vec<GrantOperation>,
    /// Under which encryption contexts.
    pub constraints: GrantConstraints,
}

/// Which grant that was given is meant.
#[derive(Debug, Clone)]
pub struct TakeGrantRequest {
    /// As it was given: key id or key ARN, or `*`.
    pub key_id: String,
    /// The ARN of who was granted.
    pub grantee_principal: String,
}

/// A grant that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenGrant {
    /// 64 hexadecimal digits; the same for as long as the grant is changed only.
    pub grant_id: Arc<str>,
    /// The ARN of who is granted.
    pub grantee_principal: String,
    /// In AWS's order.
    pub operations: Vec<GrantOperation>,
    /// Its constraints.
    pub constraints: GrantConstraints,
    /// When it was given first.
    pub created: Timestamp,
}

impl Service {
    /// Gives a principal the one grant on a key that Bulla's administration keeps for him, or changes it; decides the very next operation.
    ///
    /// A grant on every key says what an identity policy could: it counts for keys whose policies leave the decision to the account.
    ///
    /// # Errors
    /// `Validation`, `InvalidArn`, `NotFound`, `InvalidState`, `LimitExceeded`, `AccessDenied`.
    pub async fn give_grant(&self, call: &Call, request: GiveGrantRequest) -> Result<GivenGrant, ServiceError> {
        self.core.run(call, &request).await
    }

    /// Takes that grant back; decides the very next operation.
    ///
    /// # Errors
    /// `InvalidArn`, `NotFound`, `InvalidState`, `AccessDenied`.
    pub async fn take_grant(&self, call: &Call, request: TakeGrantRequest) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }

    /// Lists the grants on every key of the caller's account in the region, in order of ids.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn list_grants_on_every_key(&self, call: &Call) -> Result<Vec<GivenGrant>, ServiceError> {
        self.core.run(call, &ListGrantsOnEveryKey).await
    }
}

impl Operation for GiveGrantRequest {
    type Response = GivenGrant;

    const EVENT: EventKind = EventKind {
        name: "GiveGrant",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        let operations: Vec<Value> = self
            .operations
            .iter()
            .map(|operation| operation.as_str().into())
            .collect();
        members([
            ("keyId", shown(&self.key_id)),
            ("granteePrincipal", shown(&self.grantee_principal)),
            ("operations", operations.into()),
            ("constraints", constraints_shown(&self.constraints)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<GivenGrant, ServiceError> {
        let asked = GrantOperation::ALL.iter().copied();
        let operations: Vec<_> = asked.filter(|operation| self.operations.contains(operation)).collect();
        let on = Place::<Self>::find(decision, "kms:CreateGrant", Asked::CreateGrant, &self.key_id).await?;
        let grantee = principal(&self.grantee_principal)?;
        if operations.is_empty() {
            return Err(ServiceError::Validation(
                "A grant has at least one operation.".to_owned(),
            ));
        }
        match &on.key {
            Some(key) => {
                require_operations(&key.key, &operations, &self.constraints)?;
                require_within(decision, &on.row, &operations, &self.constraints).await?;
            }
            None => require_everywhere(&operations)?,
        }
        let grants = decision.grants_of(&on.row).await?;
        let before = grants.of_grantee(&grantee).find(is_given).cloned();
        if before.is_none() && grants.len() >= MAX_GRANTS {
            return Err(ServiceError::LimitExceeded(format!(
                "There would be more than {MAX_GRANTS} grants on {}",
                self.key_id
            )));
        }
        let body = GrantBody {
            version: VERSION,
            name: Some(NAME.to_owned()),
            grantee,
            retiring: None,
            operations,
            constraints: self.constraints.clone(),
            created: before.as_ref().map_or(decision.now, |before| before.body.created),
            issuer: format!("arn:aws:iam::{}:root", decision.account()),
        };
        let grant_id: Arc<str> = match &before {
            Some(before) => before.id.clone(),
            None => {
                let mut bytes = [0; 32];
                let drawn = decision.core.random.fill(&mut bytes);
                drawn.map_err(|_| ServiceError::Internal("the random generator failed"))?;
                hex::encode(bytes).into()
            }
        };
        if before.is_none_or(|before| before.body != body) {
            decision.put(Table::Grants, &grant_row(&on.row, &grant_id), &on.row, &body);
        }
        decision.response = members([("grantId", (*grant_id).into())]);
        Ok(GivenGrant {
            grant_id,
            grantee_principal: body.grantee,
            operations: body.operations,
            constraints: body.constraints,
            created: body.created,
        })
    }
}

impl Operation for TakeGrantRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "TakeGrant",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("granteePrincipal", shown(&self.grantee_principal)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let on = Place::<Self>::find(decision, "kms:RevokeGrant", Asked::RevokeGrant, &self.key_id).await?;
        let grantee = principal(&self.grantee_principal)?;
        let grants = decision.grants_of(&on.row).await?;
        let Some(grant) = grants.of_grantee(&grantee).find(is_given) else {
            return Err(ServiceError::NotFound(format!(
                "There is no grant on {} that was given to {grantee}",
                self.key_id
            )));
        };
        decision.delete(&grant.row);
        decision.response = members([("grantId", (*grant.id).into())]);
        Ok(())
    }
}

struct ListGrantsOnEveryKey;

impl Operation for ListGrantsOnEveryKey {
    type Response = Vec<GivenGrant>;

    const EVENT: EventKind = EventKind {
        name: "ListGrantsOnEveryKey",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<GivenGrant>, ServiceError> {
        let on = Place::<Self>::find(decision, "kms:ListGrants", Asked::ListGrants, "*").await?;
        let grants = decision.grants_of(&on.row).await?;
        let given = grants.in_order().into_iter().map(|grant| GivenGrant {
            grant_id: grant.id.clone(),
            grantee_principal: grant.body.grantee.clone(),
            operations: grant.body.operations.clone(),
            constraints: grant.body.constraints.clone(),
            created: grant.body.created,
        });
        Ok(given.collect())
    }
}

/// What a grant is on.
struct Place<O> {
    /// The row id of the key, or of every key.
    row: Arc<str>,
    /// `None` for every key.
    key: Option<Authorised<O>>,
}

impl<O: Operation> Place<O> {
    /// Finds the key, or every key, if the caller may do `action` to it.
    async fn find(decision: &mut Decision<'_>, action: &str, asked: Asked, named: &str) -> Result<Self, ServiceError> {
        if named == "*" {
            let (account, region) = (decision.account(), decision.region());
            decision.authorise(action, &format!("arn:aws:kms:{region}:{account}:key/*"))?;
            return Ok(Self {
                row: every_key(account, region).into(),
                key: None,
            });
        }
        let key: Authorised<O> = decision.authorise_key(action, named, KeyForms::KeysOnly).await?;
        key.require_state(asked)?;
        Ok(Self {
            row: key.key.row.id.clone(),
            key: Some(key),
        })
    }
}

fn is_given(grant: &&Arc<GrantEntry>) -> bool {
    grant.body.name.as_deref() == Some(NAME)
}

fn principal(text: &str) -> Result<String, ServiceError> {
    grant_principal(text)
        .map_err(|_| ServiceError::InvalidArn(format!("ARN does not refer to a valid principal: {text}")))
}

/// What a grant on every key can permit: what can be done to a key, and not what is done to grants.
fn require_everywhere(operations: &[GrantOperation]) -> Result<(), ServiceError> {
    let of_grants =
        |operation: &&GrantOperation| matches!(operation, GrantOperation::CreateGrant | GrantOperation::RetireGrant);
    if let Some(wrong) = operations.iter().find(of_grants) {
        return Err(ServiceError::Validation(format!(
            "A grant on every key can't have the operation {wrong}."
        )));
    }
    if operations.is_empty() {
        return Err(ServiceError::Validation(
            "A grant has at least one operation.".to_owned(),
        ));
    }
    Ok(())
}
