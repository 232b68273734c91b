use bulla_model::{PrincipalArn, PrincipalName, Role};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use super::groups::leave_groups;
use super::{draw_credentials, put_access_key};
use crate::bodies::{PrincipalBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::{Entry, PrincipalEntry};
use crate::limits::members;
use crate::runner::{BULLA, Operation};
use crate::{Call, CreatePrincipalResponse, PrincipalDescription, Service, ServiceError};

impl Service {
    /// Makes a user of the caller's account, with a first access key.
    ///
    /// # Errors
    /// `AlreadyExists`, `AccessDenied`.
    pub async fn create_principal(
        &self,
        call: &Call,
        name: PrincipalName,
        role: Role,
    ) -> Result<CreatePrincipalResponse, ServiceError> {
        self.core.run(call, &CreatePrincipal { name, role }).await
    }

    /// Lists the users of the caller's account.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn list_principals(&self, call: &Call) -> Result<Vec<PrincipalDescription>, ServiceError> {
        self.core.run(call, &ListPrincipals).await
    }

    /// Lets a user do what its role says, or nothing; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn set_principal_enabled(
        &self,
        call: &Call,
        arn: PrincipalArn,
        enabled: bool,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &SetPrincipalEnabled { arn, enabled }).await
    }

    /// Gives a user another role; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn set_principal_role(&self, call: &Call, arn: PrincipalArn, role: Role) -> Result<(), ServiceError> {
        self.core.run(call, &SetPrincipalRole { arn, role }).await
    }

    /// Deletes a user, its access keys and its API tokens.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_principal(&self, call: &Call, arn: PrincipalArn) -> Result<(), ServiceError> {
        self.core.run(call, &DeletePrincipal { arn }).await
    }
}

/// Finds a user of the caller's own account, if the caller may do `action` to it.
pub(super) async fn authorise_principal(
    decision: &mut Decision<'_>,
    action: &str,
    arn: &PrincipalArn,
) -> Result<std::sync::Arc<PrincipalEntry>, ServiceError> {
    decision.authorise(action, arn.as_str())?;
    let unknown = || ServiceError::NotFound(format!("The user {arn} does not exist"));
    if arn.account() != *decision.account() {
        return Err(unknown());
    }
    decision.principal(arn.as_str()).await?.ok_or_else(unknown)
}

struct CreatePrincipal {
    name: PrincipalName,
    role: Role,
}

impl Operation for CreatePrincipal {
    type Response = CreatePrincipalResponse;

    const EVENT: EventKind = EventKind {
        name: "CreatePrincipal",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("name", self.name.as_str().into()), ("role", self.role.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<CreatePrincipalResponse, ServiceError> {
        let arn = PrincipalArn::user(decision.account(), &self.name);
        decision.authorise("bulla:CreatePrincipal", arn.as_str())?;
        if decision.principal(arn.as_str()).await?.is_some() {
            return Err(ServiceError::AlreadyExists(format!("The user {arn} exists already")));
        }
        let body = PrincipalBody {
            version: VERSION,
            role: self.role,
            enabled: true,
            created: decision.now,
            policies: Default::default(),
            tags: Default::default(),
            groups: Default::default(),
        };
        decision.put(Table::Principals, arn.as_str(), decision.account().as_str(), &body);
        let credentials = draw_credentials(&*decision.core.random)?;
        put_access_key(decision, &arn, &credentials, decision.now).await?;
        decision.response = members([
            ("arn", arn.as_str().into()),
            ("accessKeyId", credentials.access_key_id.as_str().into()),
        ]);
        Ok(CreatePrincipalResponse {
            principal: describe(arn, &body),
            credentials,
        })
    }
}

struct ListPrincipals;

impl Operation for ListPrincipals {
    type Response = Vec<PrincipalDescription>;

    const EVENT: EventKind = EventKind {
        name: "ListPrincipals",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<PrincipalDescription>, ServiceError> {
        decision.authorise("bulla:ListPrincipals", "*")?;
        let mut principals: Vec<PrincipalDescription> = Vec::new();
        loop {
            let after = principals.last().map(|last| last.arn.to_string());
            let filter = RowFilter::Owner(decision.account().as_str());
            let page = decision
                .core
                .rows
                .list(Table::Principals, filter, after.as_deref(), 500)
                .await?;
            let full = page.len() == 500;
            for entry in page {
                if let Entry::Principal(entry) = entry {
                    let arn = entry
                        .row
                        .id
                        .parse()
                        .map_err(|_| ServiceError::Internal("a principal without an ARN"))?;
                    principals.push(describe(arn, &entry.body));
                }
            }
            if !full {
                return Ok(principals);
            }
        }
    }
}

struct SetPrincipalEnabled {
    arn: PrincipalArn,
    enabled: bool,
}

impl Operation for SetPrincipalEnabled {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "SetPrincipalEnabled",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into()), ("enabled", self.enabled.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let principal = authorise_principal(decision, "bulla:SetPrincipalEnabled", &self.arn).await?;
        let body = PrincipalBody {
            enabled: self.enabled,
            ..principal.body.clone()
        };
        decision.put(Table::Principals, self.arn.as_str(), self.arn.account().as_str(), &body);
        Ok(())
    }
}

struct SetPrincipalRole {
    arn: PrincipalArn,
    role: Role,
}

impl Operation for SetPrincipalRole {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "SetPrincipalRole",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into()), ("role", self.role.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let principal = authorise_principal(decision, "bulla:SetPrincipalRole", &self.arn).await?;
        let body = PrincipalBody {
            role: self.role,
            ..principal.body.clone()
        };
        decision.put(Table::Principals, self.arn.as_str(), self.arn.account().as_str(), &body);
        Ok(())
    }
}

struct DeletePrincipal {
    arn: PrincipalArn,
}

impl Operation for DeletePrincipal {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeletePrincipal",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let principal = authorise_principal(decision, "bulla:DeletePrincipal", &self.arn).await?;
        // A principal has two access keys and twenty tokens at most, so one page is all of them.
        let filter = RowFilter::Owner(self.arn.as_str());
        for access_key in decision.core.rows.list(Table::AccessKeys, filter, None, 500).await? {
            decision.delete(access_key.row());
        }
        for token in decision.core.rows.list(Table::ApiTokens, filter, None, 500).await? {
            decision.delete(token.row());
        }
        leave_groups(decision, &principal).await?;
        decision.delete(&principal.row);
        Ok(())
    }
}

fn describe(arn: PrincipalArn, body: &PrincipalBody) -> PrincipalDescription {
    PrincipalDescription {
        arn,
        role: body.role,
        enabled: body.enabled,
        created: body.created,
    }
}
