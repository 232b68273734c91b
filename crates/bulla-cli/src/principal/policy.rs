use std::path::PathBuf;

use bulla_model::{AccountId, PrincipalArn, PrincipalName};
use bulla_service::{Call, Service};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::Common;
use crate::key::read_policy;
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct PutPolicy {
    /// Name of the user, role or group
    name: PrincipalName,
    /// Whether it is a user's name, a role's or a group's
    #[arg(long, value_enum, default_value_t)]
    of: Kind,
    /// Name of the policy: 1 to 128 letters, digits and +=,.@_-
    policy: String,
    /// The policy, as JSON; - is stdin
    #[arg(long, value_name = "FILE")]
    document: PathBuf,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyNamed {
    /// Name of the user, role or group
    name: PrincipalName,
    /// Whether it is a user's name, a role's or a group's
    #[arg(long, value_enum, default_value_t)]
    of: Kind,
    /// Name of the policy
    policy: String,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct ListPolicies {
    /// Name of the user, role or group
    name: PrincipalName,
    /// Whether it is a user's name, a role's or a group's
    #[arg(long, value_enum, default_value_t)]
    of: Kind,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What has policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Kind {
    /// A user
    #[default]
    User,
    /// A role
    Role,
    /// A group
    Group,
}

impl Kind {
    pub(super) fn arn(self, account: &AccountId, name: &PrincipalName) -> PrincipalArn {
        match self {
            Kind::User => PrincipalArn::user(account, name),
            Kind::Role => PrincipalArn::role(account, name),
            Kind::Group => PrincipalArn::group(account, name),
        }
    }
}

impl PutPolicy {
    pub(super) async fn carry_out(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = self.of.arn(call.caller.account(), &self.name);
        let document = read_policy(&self.document)?;
        Ok(service
            .put_principal_policy(call, arn, self.policy.clone(), document)
            .await?)
    }
}

impl PolicyNamed {
    pub(super) async fn print(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = self.of.arn(call.caller.account(), &self.name);
        let document = service.principal_policy(call, arn, self.policy.clone()).await?;
        match self.common.output {
            Format::Json => output::json(&json!({ "PolicyName": self.policy, "PolicyDocument": document })),
            Format::Text => output::line(&document),
        }
    }

    pub(super) async fn delete(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = self.of.arn(call.caller.account(), &self.name);
        Ok(service.delete_principal_policy(call, arn, self.policy.clone()).await?)
    }
}

impl ListPolicies {
    pub(super) async fn print(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = self.of.arn(call.caller.account(), &self.name);
        let names = service.list_principal_policies(call, arn).await?;
        if self.common.output == Format::Json {
            return output::json(&json!({ "PolicyNames": names }));
        }
        let rows: Vec<_> = names.into_iter().map(|name| vec![name]).collect();
        output::table(&["POLICY"], &rows)
    }
}
