use bulla_model::{PrincipalArn, PrincipalName};
use bulla_service::{Call, GroupDescription, Service};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Common, Named};
use crate::output::{self, Format};

/// Manages groups, whose policies their users have, too.
#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// Makes a group; what its users may do, put-policy --of group says
    Create(Named),
    /// Lists the groups
    List(Common),
    /// Takes a user into a group
    Add(Member),
    /// Takes a user out of a group
    Remove(Member),
    /// Deletes a group that has no users
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Member {
    /// Name of the group
    group: PrincipalName,
    /// Name of the user
    user: PrincipalName,
    #[command(flatten)]
    common: Common,
}

impl Group {
    pub(super) fn common(&self) -> &Common {
        match self {
            Group::Create(named) | Group::Delete(named) => &named.common,
            Group::List(common) => common,
            Group::Add(member) | Group::Remove(member) => &member.common,
        }
    }

    pub(super) async fn carry_out(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        match self {
            Group::Create(named) => {
                let made = service.create_group(call, named.name.clone()).await?;
                match named.common.output {
                    Format::Json => output::json(&described(&made)),
                    Format::Text => output::line(made.arn.as_str()),
                }
            }
            Group::List(common) => {
                let all = service.list_groups(call).await?;
                if common.output == Format::Json {
                    let list: Vec<_> = all.iter().map(described).collect();
                    return output::json(&json!({ "Groups": list }));
                }
                let row = |one: &GroupDescription| {
                    let (name, users) = (one.arn.name().to_owned(), one.members.to_string());
                    vec![name, users, one.created.to_string(), one.arn.to_string()]
                };
                let rows: Vec<_> = all.iter().map(row).collect();
                output::table(&["NAME", "USERS", "CREATED", "ARN"], &rows)
            }
            Group::Add(member) => member.set(service, call, true).await,
            Group::Remove(member) => member.set(service, call, false).await,
            Group::Delete(named) => {
                let arn = PrincipalArn::group(service.account(), &named.name);
                Ok(service.delete_group(call, arn).await?)
            }
        }
    }
}

impl Member {
    async fn set(&self, service: &Service, call: &Call, member: bool) -> Result<(), anyhow::Error> {
        let group = PrincipalArn::group(service.account(), &self.group);
        let user = PrincipalArn::user(service.account(), &self.user);
        Ok(service.set_group_membership(call, group, user, member).await?)
    }
}

fn described(group: &GroupDescription) -> serde_json::Value {
    json!({"Arn": group.arn, "Users": group.members, "Created": group.created.to_string()})
}
