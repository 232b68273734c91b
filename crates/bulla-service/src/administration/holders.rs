use std::collections::BTreeMap;
use std::sync::Arc;

use bulla_model::PrincipalArn;
use bulla_store::Table;

use crate::ServiceError;
use crate::bodies::{GroupBody, PrincipalBody, RoleBody};
use crate::decision::Decision;
use crate::entry::{GroupEntry, PrincipalEntry, RoleEntry};

/// What has identity policies: a user, a role, a group.
pub(super) enum Holder {
    User(Arc<PrincipalEntry>),
    Role(Arc<RoleEntry>),
    Group(Arc<GroupEntry>),
}

/// Finds a user, a role or a group of the caller's own account, if the caller may do `action` to it.
pub(super) async fn authorise_holder(
    decision: &mut Decision<'_>,
    action: &str,
    arn: &PrincipalArn,
) -> Result<Holder, ServiceError> {
    decision.authorise(action, arn.as_str())?;
    let own = arn.account() == *decision.account();
    let found = match own {
        true if arn.is_role() => decision.role_entry(arn.as_str()).await?.map(Holder::Role),
        true if arn.is_group() => decision.group(arn.as_str()).await?.map(Holder::Group),
        true => decision.principal(arn.as_str()).await?.map(Holder::User),
        false => None,
    };
    found.ok_or_else(|| ServiceError::NotFound(format!("The {} {arn} does not exist", kind(arn))))
}

/// What an ARN names, in a word.
pub(super) fn kind(arn: &PrincipalArn) -> &'static str {
    if arn.is_role() {
        "role"
    } else if arn.is_group() {
        "group"
    } else {
        "user"
    }
}

impl Holder {
    pub(super) fn policies(&self) -> &BTreeMap<String, String> {
        match self {
            Holder::User(user) => &user.body.policies,
            Holder::Role(role) => &role.body.policies,
            Holder::Group(group) => &group.body.policies,
        }
    }

    pub(super) fn tags(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Holder::User(user) => Some(&user.body.tags),
            Holder::Role(role) => Some(&role.body.tags),
            Holder::Group(_) => None,
        }
    }

    /// Leaves the row to be written with other policies.
    pub(super) fn put_policies(&self, decision: &mut Decision<'_>, policies: BTreeMap<String, String>) {
        match self {
            Holder::User(user) => {
                let body = PrincipalBody {
                    policies,
                    ..user.body.clone()
                };
                put_user(decision, &user.row.id, &body);
            }
            Holder::Role(role) => {
                let body = RoleBody {
                    policies,
                    ..role.body.clone()
                };
                put_role(decision, &role.row.id, &body);
            }
            Holder::Group(group) => {
                let body = GroupBody {
                    policies,
                    ..group.body.clone()
                };
                put_group(decision, &group.row.id, &body);
            }
        }
    }

    /// The same with other tags; groups have none.
    pub(super) fn put_tags(&self, decision: &mut Decision<'_>, tags: BTreeMap<String, String>) {
        match self {
            Holder::User(user) => {
                let body = PrincipalBody {
                    tags,
                    ..user.body.clone()
                };
                put_user(decision, &user.row.id, &body);
            }
            Holder::Role(role) => {
                let body = RoleBody {
                    tags,
                    ..role.body.clone()
                };
                put_role(decision, &role.row.id, &body);
            }
            Holder::Group(_) => {}
        }
    }
}

pub(super) fn put_user(decision: &mut Decision<'_>, arn: &str, body: &PrincipalBody) {
    let owner = decision.account().as_str();
    decision.put(Table::Principals, arn, owner, body);
}

pub(super) fn put_role(decision: &mut Decision<'_>, arn: &str, body: &RoleBody) {
    let owner = decision.account().as_str();
    decision.put(Table::Roles, arn, owner, body);
}

pub(super) fn put_group(decision: &mut Decision<'_>, arn: &str, body: &GroupBody) {
    let owner = decision.account().as_str();
    decision.put(Table::Groups, arn, owner, body);
}
