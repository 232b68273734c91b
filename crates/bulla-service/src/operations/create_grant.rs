use std::sync::Arc;

use bulla_model::{GrantConstraints, GrantOperation, Operation as Asked, grant_principal};
use bulla_store::Table;
use serde_json::{Map, Value, json};

use crate::authorised::KeyForms;
use crate::bodies::{GrantBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::KeyEntry;
use crate::grants::{GrantEntry, MAX_GRANTS, seal_token};
use crate::limits::{members, shown};
use crate::row_ids::grant_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `CreateGrant` is asked.
#[derive(Debug, Clone)]
pub struct CreateGrantRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Who may use the key: an ARN, or an account's 12 digits.
    pub grantee_principal: String,
    /// Who may retire the grant.
    pub retiring_principal: Option<String>,
    /// For what; at least one, and not `CreateGrant` alone.
    pub operations: Vec<GrantOperation>,
    /// Under which encryption contexts.
    pub constraints: GrantConstraints,
    /// With it, the same request again answers the same grant.
    pub name: Option<String>,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `CreateGrant` answers.
#[derive(Debug, Clone)]
pub struct CreateGrantResponse {
    /// 64 hexadecimal digits.
    pub grant_id: Arc<str>,
    /// Names the grant to who has nothing else; another one each time.
    pub grant_token: String,
}

impl Service {
    /// Lets a principal use a key; decides the very next operation, on every node.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidGrantToken`, `Disabled`, `InvalidState`, `Validation`, `LimitExceeded`, `AccessDenied`, `DryRun`.
    pub async fn create_grant(
        &self,
        call: &Call,
        request: CreateGrantRequest,
    ) -> Result<CreateGrantResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for CreateGrantRequest {
    type Response = CreateGrantResponse;

    const EVENT: EventKind = EventKind {
        name: "CreateGrant",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        let operations: Vec<&str> = self.operations.iter().map(|operation| operation.as_str()).collect();
        members([
            ("keyId", shown(&self.key_id)),
            ("granteePrincipal", shown(&self.grantee_principal)),
            (
                "retiringPrincipal",
                self.retiring_principal.as_deref().map_or(Value::Null, shown),
            ),
            ("operations", operations.into()),
            ("constraints", constraints_shown(&self.constraints)),
            ("name", self.name.as_deref().map_or(Value::Null, shown)),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:CreateGrant", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::CreateGrant)?;
        let principal = |text: &str| {
            grant_principal(text)
                .map_err(|_| ServiceError::InvalidArn(format!("ARN does not refer to a valid principal: {text}")))
        };
        let body = GrantBody {
            version: VERSION,
            name: self.name.clone(),
            grantee: principal(&self.grantee_principal)?,
            retiring: self.retiring_principal.as_deref().map(principal).transpose()?,
            operations: self.operations(),
            constraints: self.constraints.clone(),
            created: decision.now,
            issuer: format!("arn:aws:iam::{}:root", decision.account()),
        };
        require_operations(&key.key, &body.operations, &body.constraints)?;
        require_within(decision, &key.key.row.id, &body.operations, &body.constraints).await?;
        let grants = decision.grants_of(&key.key.row.id).await?;
        // AWS's names have no such character; grants that the administration gives do.
        if self.name.as_ref().is_some_and(|name| name.starts_with('@')) {
            return Err(ServiceError::Validation(
                "The name of a grant begins with @.".to_owned(),
            ));
        }
        // Who gives a name may ask again.
        let same = |grant: &&Arc<GrantEntry>| {
            let made = GrantBody {
                created: body.created,
                ..grant.body.clone()
            };
            made == body
        };
        let existing = match &body.name {
            Some(_) => grants
                .of_grantee(&body.grantee)
                .find(same)
                .map(|grant| grant.id.clone()),
            None => None,
        };
        if existing.is_none() && grants.len() >= MAX_GRANTS {
            return Err(ServiceError::LimitExceeded(format!(
                "The number of grants on the key {} exceeds the limit of {MAX_GRANTS}",
                key.key.arn
            )));
        }
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        let grant_id = match existing {
            Some(id) => id,
            None => {
                let mut bytes = [0; 32];
                let drawn = decision.core.random.fill(&mut bytes);
                drawn.map_err(|_| ServiceError::Internal("the random generator failed"))?;
                let id: Arc<str> = hex::encode(bytes).into();
                decision.put(Table::Grants, &grant_row(&key.key.row.id, &id), &key.key.row.id, &body);
                id
            }
        };
        decision.response = members([("grantId", (*grant_id).into()), ("keyId", key.key.arn.as_str().into())]);
        Ok(CreateGrantResponse {
            grant_token: seal_token(decision, &grant_row(&key.key.row.id, &grant_id))?,
            grant_id,
        })
    }
}

impl CreateGrantRequest {
    /// In AWS's order, each once.
    fn operations(&self) -> Vec<GrantOperation> {
        let all = GrantOperation::ALL.iter().copied();
        all.filter(|operation| self.operations.contains(operation)).collect()
    }
}

/// Requires that the operations are of the key. The first text is AWS's; the others are not confirmed.
pub(crate) fn require_operations(
    key: &KeyEntry,
    operations: &[GrantOperation],
    constraints: &GrantConstraints,
) -> Result<(), ServiceError> {
    let (usage, spec) = (key.body.usage, key.body.spec);
    if operations == [GrantOperation::CreateGrant] {
        return Err(ServiceError::Validation(
            "Grants must not contain only the CreateGrant operation.".to_owned(),
        ));
    }
    if let Some(wrong) = operations.iter().find(|operation| !operation.is_of(usage, spec)) {
        return Err(ServiceError::Validation(format!(
            "The operation {wrong} is not supported by the key {} with key usage {usage} and key spec {spec}.",
            key.arn
        )));
    }
    let has_context = |operation: &GrantOperation| operation.has_context(spec);
    if !constraints.is_empty() && !operations.iter().any(has_context) {
        return Err(ServiceError::Validation(
            "Encryption context grant constraints are supported only on grant operations that include an encryption context."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Who may make grants by a grant passes on no more than one of his grants permits, under constraints as strict or stricter. The text is
/// not confirmed.
pub(crate) async fn require_within(
    decision: &mut Decision<'_>,
    key_row: &str,
    operations: &[GrantOperation],
    constraints: &GrantConstraints,
) -> Result<(), ServiceError> {
    let Some(by) = decision.grant.clone() else {
        return Ok(());
    };
    let grants = decision.grants_of(key_row).await?;
    let is_parent = |parent: &Arc<GrantEntry>| {
        let permitted = operations.iter().all(|operation| parent.permits(*operation));
        parent.permits(GrantOperation::CreateGrant) && permitted && constraints.are_within(&parent.body.constraints)
    };
    if grants.of_grantee(&by.body.grantee).any(is_parent) {
        return Ok(());
    }
    Err(ServiceError::AccessDenied(
        "The grant would permit more than the grant by which it is made.".to_owned(),
    ))
}

/// Constraints as an event shows them.
pub(crate) fn constraints_shown(constraints: &GrantConstraints) -> Value {
    if constraints.is_empty() {
        return Value::Null;
    }
    let shown = members([
        ("encryptionContextEquals", json!(constraints.equals)),
        ("encryptionContextSubset", json!(constraints.subset)),
    ]);
    Value::Object(shown)
}
