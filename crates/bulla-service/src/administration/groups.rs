use std::sync::Arc;

use bulla_model::{PrincipalArn, PrincipalName, Timestamp};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use super::holders::{put_group, put_user};
use super::principals::authorise_principal;
use crate::bodies::{GroupBody, PrincipalBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::{Entry, GroupEntry, PrincipalEntry};
use crate::limits::members;
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError};

/// Groups that a user can be in, as in IAM.
const LIMIT: usize = 10;

/// A group as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its ARN.
    pub arn: PrincipalArn,
    /// How many users are in it.
    pub members: u32,
    /// When it was made.
    pub created: Timestamp,
}

impl Service {
    /// Makes a group, whose policies its users have, too.
    ///
    /// # Errors
    /// `AlreadyExists`, `AccessDenied`.
    pub async fn create_group(&self, call: &Call, name: PrincipalName) -> Result<GroupDescription, ServiceError> {
        self.core.run(call, &CreateGroup { name }).await
    }

    /// Lists the groups of the caller's account.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn list_groups(&self, call: &Call) -> Result<Vec<GroupDescription>, ServiceError> {
        self.core.run(call, &ListGroups).await
    }

    /// Takes a user into a group, or out of it; decides the user's very next operation. What is so already stays so.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `LimitExceeded` from the 11th group on.
    pub async fn set_group_membership(
        &self,
        call: &Call,
        group: PrincipalArn,
        user: PrincipalArn,
        member: bool,
    ) -> Result<(), ServiceError> {
        let change = Membership { group, user };
        match member {
            true => self.core.run(call, &AddToGroup(change)).await,
            false => self.core.run(call, &RemoveFromGroup(change)).await,
        }
    }

    /// Deletes a group that has no users any more.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `InvalidState` where users are in it.
    pub async fn delete_group(&self, call: &Call, arn: PrincipalArn) -> Result<(), ServiceError> {
        self.core.run(call, &DeleteGroup { arn }).await
    }
}

async fn own_group(decision: &mut Decision<'_>, arn: &PrincipalArn) -> Result<Arc<GroupEntry>, ServiceError> {
    let unknown = || ServiceError::NotFound(format!("The group {arn} does not exist"));
    if arn.account() != *decision.account() {
        return Err(unknown());
    }
    decision.group(arn.as_str()).await?.ok_or_else(unknown)
}

/// Takes a user who is deleted out of his groups.
pub(super) async fn leave_groups(decision: &mut Decision<'_>, user: &PrincipalEntry) -> Result<(), ServiceError> {
    for arn in &user.body.groups {
        let lost = ServiceError::Internal("a user is in a group that is not there");
        let group = decision.group(arn).await?.ok_or(lost)?;
        put_members(decision, &group, group.body.members.saturating_sub(1));
    }
    Ok(())
}

fn put_members(decision: &mut Decision<'_>, group: &GroupEntry, members: u32) {
    let body = GroupBody {
        members,
        ..group.body.clone()
    };
    put_group(decision, &group.row.id, &body);
}

struct CreateGroup {
    name: PrincipalName,
}

impl Operation for CreateGroup {
    type Response = GroupDescription;

    const EVENT: EventKind = EventKind {
        name: "CreateGroup",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("name", self.name.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<GroupDescription, ServiceError> {
        let arn = PrincipalArn::group(decision.account(), &self.name);
        decision.authorise("bulla:CreateGroup", arn.as_str())?;
        if decision.group(arn.as_str()).await?.is_some() {
            return Err(ServiceError::AlreadyExists(format!("The group {arn} exists already")));
        }
        let body = GroupBody {
            version: VERSION,
            created: decision.now,
            members: 0,
            policies: Default::default(),
        };
        put_group(decision, arn.as_str(), &body);
        decision.response = members([("arn", arn.as_str().into())]);
        Ok(describe(arn, &body))
    }
}

struct ListGroups;

impl Operation for ListGroups {
    type Response = Vec<GroupDescription>;

    const EVENT: EventKind = EventKind {
        name: "ListGroups",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<GroupDescription>, ServiceError> {
        decision.authorise("bulla:ListGroups", "*")?;
        let mut groups: Vec<GroupDescription> = Vec::new();
        loop {
            let after = groups.last().map(|last| last.arn.to_string());
            let filter = RowFilter::Owner(decision.account().as_str());
            let rows = &decision.core.rows;
            let page = rows.list(Table::Groups, filter, after.as_deref(), 500).await?;
            let full = page.len() == 500;
            groups.extend(page.iter().filter_map(|entry| match entry {
                Entry::Group(group) => Some(describe(group.row.id.parse().ok()?, &group.body)),
                _ => None,
            }));
            if !full {
                return Ok(groups);
            }
        }
    }
}

/// A user in a group, or out of it.
struct Membership {
    group: PrincipalArn,
    user: PrincipalArn,
}

impl Membership {
    fn parameters(&self) -> Map<String, Value> {
        members([
            ("group", self.group.as_str().into()),
            ("user", self.user.as_str().into()),
        ])
    }

    async fn set(&self, decision: &mut Decision<'_>, action: &str, member: bool) -> Result<(), ServiceError> {
        decision.authorise(action, self.group.as_str())?;
        let group = own_group(decision, &self.group).await?;
        let user = authorise_principal(decision, action, &self.user).await?;
        let mut groups = user.body.groups.clone();
        let changed = match member {
            true => groups.insert(self.group.to_string()),
            false => groups.remove(self.group.as_str()),
        };
        if !changed {
            return Ok(());
        }
        if groups.len() > LIMIT {
            let message = format!("The user {} would be in more than {LIMIT} groups", self.user);
            return Err(ServiceError::LimitExceeded(message));
        }
        let body = PrincipalBody {
            groups,
            ..user.body.clone()
        };
        put_user(decision, self.user.as_str(), &body);
        let count = group.body.members;
        put_members(
            decision,
            &group,
            if member {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            },
        );
        Ok(())
    }
}

struct AddToGroup(Membership);

impl Operation for AddToGroup {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "AddToGroup",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        self.0.parameters()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        self.0.set(decision, "bulla:AddToGroup", true).await
    }
}

struct RemoveFromGroup(Membership);

impl Operation for RemoveFromGroup {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "RemoveFromGroup",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        self.0.parameters()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        self.0.set(decision, "bulla:RemoveFromGroup", false).await
    }
}

struct DeleteGroup {
    arn: PrincipalArn,
}

impl Operation for DeleteGroup {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeleteGroup",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        decision.authorise("bulla:DeleteGroup", self.arn.as_str())?;
        let group = own_group(decision, &self.arn).await?;
        if group.body.members > 0 {
            let message = format!("The group {} has {} users", self.arn, group.body.members);
            return Err(ServiceError::InvalidState(message));
        }
        decision.delete(&group.row);
        Ok(())
    }
}

fn describe(arn: PrincipalArn, body: &GroupBody) -> GroupDescription {
    GroupDescription {
        arn,
        members: body.members,
        created: body.created,
    }
}
