//! Grants as Bulla's own administration gives them: one for each principal and key, or for every key. Giving it again changes it.

use std::sync::Arc;

use bulla_model::{GrantConstraints, GrantOperation, KeyArn, Operation as Asked, Timestamp, grant_principal};
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::authorised::{Authorised, KeyForms};
use crate::bodies::{GrantBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::grants::{GrantEntry, MAX_GRANTS};
use crate::limits::{self, members, shown};
use crate::operations::create_grant::{constraints_shown, require_operations, require_within};
use crate::row_ids::{every_key, grant_row};
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError, pages};

/// What a grant that was given so is called, among those that `CreateGrant` made: no name that `CreateGrant` takes.
const NAME: &str = "@given";

/// What pages of them are called in markers.
const LIST: &str = "given-grants";

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

/// Which grants that were given are to be listed.
#[derive(Debug, Clone)]
pub struct ListGivenGrantsRequest {
    /// Key id or key ARN; `*` for those on every key.
    pub key_id: String,
    /// Most entries to answer, 1 to 1,000; 100 if absent.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// A page of grants that were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenGrants {
    /// In order of ids.
    pub grants: Vec<GivenGrant>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

/// A grant that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenGrant {
    /// The key's ARN; `None` for every key.
    pub key_arn: Option<KeyArn>,
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
    /// Of one key it takes `kms:CreateGrant` on that key; of every key `bulla:GiveGrant` on `arn:aws:kms:<region>:<account>:key/*`.
    /// A grant on every key says what an identity policy could: it counts for keys whose policies leave the decision to the account.
    ///
    /// # Errors
    /// `Validation`, `InvalidArn`, `NotFound`, `InvalidState`, `LimitExceeded`, `AccessDenied`.
    pub async fn give_grant(&self, call: &Call, request: GiveGrantRequest) -> Result<GivenGrant, ServiceError> {
        self.core.run(call, &request).await
    }

    /// Takes that grant back and tells what it was; decides the very next operation.
    ///
    /// # Errors
    /// `InvalidArn`, `NotFound`, `InvalidState`, `AccessDenied`.
    pub async fn take_grant(&self, call: &Call, request: TakeGrantRequest) -> Result<GivenGrant, ServiceError> {
        self.core.run(call, &request).await
    }

    /// Lists the grants that were given on a key, or on every key of the caller's account in the region.
    ///
    /// # Errors
    /// `Validation`, `InvalidMarker`, `InvalidArn`, `NotFound`, `InvalidState`, `AccessDenied`.
    pub async fn list_given_grants(
        &self,
        call: &Call,
        request: ListGivenGrantsRequest,
    ) -> Result<GivenGrants, ServiceError> {
        self.core.run(call, &request).await
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
        let actions = ["bulla:GiveGrant", "kms:CreateGrant"];
        let on = Place::<Self>::find(decision, actions, Asked::CreateGrant, &self.key_id).await?;
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
            None => require_everywhere(&operations, &grantee)?,
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
            key_arn: on.key_arn(),
            grant_id,
            grantee_principal: body.grantee,
            operations: body.operations,
            constraints: body.constraints,
            created: body.created,
        })
    }
}

impl Operation for TakeGrantRequest {
    type Response = GivenGrant;

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

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<GivenGrant, ServiceError> {
        let actions = ["bulla:TakeGrant", "kms:RevokeGrant"];
        let on = Place::<Self>::find(decision, actions, Asked::RevokeGrant, &self.key_id).await?;
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
        Ok(on.describe(grant))
    }
}

impl Operation for ListGivenGrantsRequest {
    type Response = GivenGrants;

    const EVENT: EventKind = EventKind {
        name: "ListGivenGrants",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id)), ("limit", self.limit.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<GivenGrants, ServiceError> {
        let limit = limits::page(self.limit, 100, 1000)?;
        let after = pages::place(LIST, self.marker.as_deref())?;
        let actions = ["bulla:ListGivenGrants", "kms:ListGrants"];
        let on = Place::<Self>::find(decision, actions, Asked::ListGrants, &self.key_id).await?;
        let grants = decision.grants_of(&on.row).await?;
        let wanted =
            |grant: &&Arc<GrantEntry>| is_given(grant) && after.as_deref().is_none_or(|after| *grant.id > *after);
        let mut rest = grants.in_order().into_iter().filter(wanted);
        let page: Vec<GivenGrant> = rest.by_ref().take(limit).map(|grant| on.describe(grant)).collect();
        let last = page.last().filter(|_| rest.next().is_some());
        Ok(GivenGrants {
            next_marker: last.map(|last| pages::marker(LIST, &last.grant_id)),
            grants: page,
        })
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
    /// Finds every key if the caller may do the first action, or the key if he may do the second to it.
    ///
    /// Every key is not one key more: no statement about a single key would deny it, so what allows the use of `CreateGrant` on many keys
    /// does not allow this.
    async fn find(
        decision: &mut Decision<'_>,
        [action, on_key]: [&str; 2],
        asked: Asked,
        named: &str,
    ) -> Result<Self, ServiceError> {
        if named == "*" {
            let (account, region) = (decision.account(), decision.region());
            decision.authorise(action, &format!("arn:aws:kms:{region}:{account}:key/*"))?;
            return Ok(Self {
                row: every_key(account, region).into(),
                key: None,
            });
        }
        let key: Authorised<O> = decision.authorise_key(on_key, named, KeyForms::KeysOnly).await?;
        key.require_state(asked)?;
        Ok(Self {
            row: key.key.row.id.clone(),
            key: Some(key),
        })
    }

    fn key_arn(&self) -> Option<KeyArn> {
        self.key.as_ref().map(|key| key.key.arn.clone())
    }

    fn describe(&self, grant: &GrantEntry) -> GivenGrant {
        GivenGrant {
            key_arn: self.key_arn(),
            grant_id: grant.id.clone(),
            grantee_principal: grant.body.grantee.clone(),
            operations: grant.body.operations.clone(),
            constraints: grant.body.constraints.clone(),
            created: grant.body.created,
        }
    }
}

fn is_given(grant: &&Arc<GrantEntry>) -> bool {
    grant.body.name.as_deref() == Some(NAME)
}

fn principal(text: &str) -> Result<String, ServiceError> {
    grant_principal(text)
        .map_err(|_| ServiceError::InvalidArn(format!("ARN does not refer to a valid principal: {text}")))
}

/// What a grant on every key can permit, what can be done to a key and not what is done to grants; and to whom: an account has every key of its own.
fn require_everywhere(operations: &[GrantOperation], grantee: &str) -> Result<(), ServiceError> {
    if grantee.ends_with(":root") {
        return Err(ServiceError::Validation(
            "A grant on every key is to a user or a role.".to_owned(),
        ));
    }
    let of_grants =
        |operation: &&GrantOperation| matches!(operation, GrantOperation::CreateGrant | GrantOperation::RetireGrant);
    if let Some(wrong) = operations.iter().find(of_grants) {
        return Err(ServiceError::Validation(format!(
            "A grant on every key can't have the operation {wrong}."
        )));
    }
    Ok(())
}
