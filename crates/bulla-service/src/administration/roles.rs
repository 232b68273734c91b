use std::sync::Arc;

use bulla_model::policy::{Policy, PolicyKind};
use bulla_model::{PrincipalArn, PrincipalName, Timestamp};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use super::holders::put_role;
use crate::bodies::{RoleBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::{Entry, RoleEntry};
use crate::limits::{members, range};
use crate::operations::put_key_policy::policy_shown;
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError};

/// A role to make.
#[derive(Debug, Clone)]
pub struct CreateRoleRequest {
    /// Its name.
    pub name: PrincipalName,
    /// Who may assume it, as IAM JSON.
    pub trust_policy: String,
    /// What its sessions last at most: 3,600 to 43,200 seconds.
    pub max_session_seconds: u32,
}

/// A role as described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDescription {
    /// Its ARN.
    pub arn: PrincipalArn,
    /// Its unique id, `AROA…`: of this role, and of none that is made later under its name.
    pub id: String,
    /// Who may assume it, as it was given.
    pub trust_policy: String,
    /// What its sessions last at most.
    pub max_session_seconds: u32,
    /// When it was made.
    pub created: Timestamp,
}

impl Service {
    /// Makes a role of the caller's account.
    ///
    /// # Errors
    /// `AlreadyExists`, `MalformedPolicyDocument`, `Validation`, `AccessDenied`.
    pub async fn create_role(&self, call: &Call, request: CreateRoleRequest) -> Result<RoleDescription, ServiceError> {
        self.core.run(call, &CreateRole(request)).await
    }

    /// Lists the roles of the caller's account.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn list_roles(&self, call: &Call) -> Result<Vec<RoleDescription>, ServiceError> {
        self.core.run(call, &ListRoles).await
    }

    /// Says who may assume a role; decides the very next attempt.
    ///
    /// # Errors
    /// `NotFound`, `MalformedPolicyDocument`, `AccessDenied`.
    pub async fn put_trust_policy(&self, call: &Call, arn: PrincipalArn, document: String) -> Result<(), ServiceError> {
        self.core.run(call, &PutTrustPolicy { arn, document }).await
    }

    /// Deletes a role; every session of it ends with it.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_role(&self, call: &Call, arn: PrincipalArn) -> Result<(), ServiceError> {
        self.core.run(call, &DeleteRole { arn }).await
    }
}

async fn authorise_role(
    decision: &mut Decision<'_>,
    action: &str,
    arn: &PrincipalArn,
) -> Result<Arc<RoleEntry>, ServiceError> {
    decision.authorise(action, arn.as_str())?;
    let unknown = || ServiceError::NotFound(format!("The role {arn} does not exist"));
    if arn.account() != *decision.account() {
        return Err(unknown());
    }
    decision.role_entry(arn.as_str()).await?.ok_or_else(unknown)
}

fn check_trust(document: &str) -> Result<(), ServiceError> {
    Policy::parse(PolicyKind::Trust, document)
        .map(drop)
        .map_err(|error| ServiceError::MalformedPolicyDocument(error.to_string()))
}

fn describe(role: &RoleEntry) -> RoleDescription {
    RoleDescription {
        arn: role.arn.clone(),
        id: role.id.clone(),
        trust_policy: role.body.trust.clone(),
        max_session_seconds: role.body.max_session_seconds,
        created: role.body.created,
    }
}

struct CreateRole(CreateRoleRequest);

impl Operation for CreateRole {
    type Response = RoleDescription;

    const EVENT: EventKind = EventKind {
        name: "CreateRole",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("name", self.0.name.as_str().into()),
            ("trustPolicy", policy_shown(&self.0.trust_policy)),
            ("maxSessionSeconds", self.0.max_session_seconds.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<RoleDescription, ServiceError> {
        let arn = PrincipalArn::role(decision.account(), &self.0.name);
        decision.authorise("bulla:CreateRole", arn.as_str())?;
        range("maxSessionSeconds", self.0.max_session_seconds, 3_600, 43_200)?;
        check_trust(&self.0.trust_policy)?;
        if decision.role_entry(arn.as_str()).await?.is_some() {
            return Err(ServiceError::AlreadyExists(format!("The role {arn} exists already")));
        }
        let body = RoleBody {
            version: VERSION,
            created: decision.now,
            trust: self.0.trust_policy.clone(),
            max_session_seconds: self.0.max_session_seconds,
            policies: Default::default(),
            tags: Default::default(),
        };
        put_role(decision, arn.as_str(), &body);
        let role = RoleEntry::new(arn, body).ok_or(ServiceError::Internal("a role that is not read"))?;
        decision.response = members([("arn", role.arn.as_str().into()), ("roleId", role.id.as_str().into())]);
        Ok(describe(&role))
    }
}

struct ListRoles;

impl Operation for ListRoles {
    type Response = Vec<RoleDescription>;

    const EVENT: EventKind = EventKind {
        name: "ListRoles",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<RoleDescription>, ServiceError> {
        decision.authorise("bulla:ListRoles", "*")?;
        let mut roles: Vec<RoleDescription> = Vec::new();
        loop {
            let after = roles.last().map(|last| last.arn.to_string());
            let filter = RowFilter::Owner(decision.account().as_str());
            let rows = &decision.core.rows;
            let page = rows.list(Table::Roles, filter, after.as_deref(), 500).await?;
            let full = page.len() == 500;
            roles.extend(page.iter().filter_map(|entry| match entry {
                Entry::Role(role) => Some(describe(role)),
                _ => None,
            }));
            if !full {
                return Ok(roles);
            }
        }
    }
}

struct PutTrustPolicy {
    arn: PrincipalArn,
    document: String,
}

impl Operation for PutTrustPolicy {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "PutTrustPolicy",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("arn", self.arn.as_str().into()),
            ("policyDocument", policy_shown(&self.document)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let role = authorise_role(decision, "bulla:PutTrustPolicy", &self.arn).await?;
        check_trust(&self.document)?;
        let body = RoleBody {
            trust: self.document.clone(),
            ..role.body.clone()
        };
        put_role(decision, self.arn.as_str(), &body);
        Ok(())
    }
}

struct DeleteRole {
    arn: PrincipalArn,
}

impl Operation for DeleteRole {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeleteRole",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let role = authorise_role(decision, "bulla:DeleteRole", &self.arn).await?;
        decision.delete(&role.row);
        Ok(())
    }
}
