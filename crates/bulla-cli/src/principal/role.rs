use std::path::PathBuf;

use bulla_model::{PrincipalArn, PrincipalName};
use bulla_service::{Call, CreateRoleRequest, RoleDescription, Service};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Common, Named};
use crate::key::read_policy;
use crate::output::{self, Format};

/// Manages roles, which callers assume for a time.
#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Makes a role; what it may do, put-policy --of role says
    Create(Create),
    /// Lists the roles
    List(Common),
    /// Says who may assume a role
    PutTrustPolicy(PutTrustPolicy),
    /// Prints who may assume a role
    GetTrustPolicy(Named),
    /// Deletes a role and ends its sessions
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the role: 1 to 64 letters, digits and +=,.@_-
    name: PrincipalName,
    /// Who may assume it, as JSON; - is stdin
    #[arg(long, value_name = "FILE")]
    trust_policy: PathBuf,
    /// What its sessions last at most, 3600 to 43200
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    max_session_duration: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct PutTrustPolicy {
    /// Name of the role
    name: PrincipalName,
    /// Who may assume it, as JSON; - is stdin
    #[arg(long, value_name = "FILE")]
    document: PathBuf,
    #[command(flatten)]
    common: Common,
}

impl RoleCommand {
    pub(super) fn common(&self) -> &Common {
        match self {
            RoleCommand::Create(create) => &create.common,
            RoleCommand::List(common) => common,
            RoleCommand::PutTrustPolicy(put) => &put.common,
            RoleCommand::GetTrustPolicy(named) | RoleCommand::Delete(named) => &named.common,
        }
    }

    pub(super) async fn carry_out(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = |name: &PrincipalName| PrincipalArn::role(service.account(), name);
        let format = self.common().output;
        match self {
            RoleCommand::Create(create) => {
                let request = CreateRoleRequest {
                    name: create.name.clone(),
                    trust_policy: read_policy(&create.trust_policy)?,
                    max_session_seconds: create.max_session_duration,
                };
                let made = service.create_role(call, request).await?;
                match format {
                    Format::Json => output::json(&described(&made)),
                    Format::Text => output::line(made.arn.as_str()),
                }
            }
            RoleCommand::List(_) => {
                let all = service.list_roles(call).await?;
                if format == Format::Json {
                    let list: Vec<_> = all.iter().map(described).collect();
                    return output::json(&json!({ "Roles": list }));
                }
                let row = |one: &RoleDescription| {
                    let longest = format!("{} s", one.max_session_seconds);
                    vec![
                        one.arn.name().to_owned(),
                        one.id.clone(),
                        longest,
                        one.created.to_string(),
                        one.arn.to_string(),
                    ]
                };
                let rows: Vec<_> = all.iter().map(row).collect();
                output::table(&["NAME", "ID", "LONGEST SESSION", "CREATED", "ARN"], &rows)
            }
            RoleCommand::PutTrustPolicy(put) => {
                let document = read_policy(&put.document)?;
                Ok(service.put_trust_policy(call, arn(&put.name), document).await?)
            }
            RoleCommand::GetTrustPolicy(named) => {
                let arn = arn(&named.name);
                let all = service.list_roles(call).await?;
                let found = all.iter().find(|one| one.arn == arn);
                let role = found.ok_or_else(|| anyhow::anyhow!("the role {arn} does not exist"))?;
                match format {
                    Format::Json => output::json(&described(role)),
                    Format::Text => output::line(&role.trust_policy),
                }
            }
            RoleCommand::Delete(named) => Ok(service.delete_role(call, arn(&named.name)).await?),
        }
    }
}

fn described(role: &RoleDescription) -> serde_json::Value {
    json!({
        "Arn": role.arn,
        "RoleId": role.id,
        "AssumeRolePolicyDocument": role.trust_policy,
        "MaxSessionDuration": role.max_session_seconds,
        "Created": role.created.to_string(),
    })
}
