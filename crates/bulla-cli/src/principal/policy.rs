use std::path::PathBuf;

use bulla_model::{PrincipalArn, PrincipalName};
use bulla_service::{Call, Service};
use clap::Args;
use serde_json::json;

use super::Common;
use crate::key::read_policy;
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct PutPolicy {
    /// Name of the user
    name: PrincipalName,
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
    /// Name of the user
    name: PrincipalName,
    /// Name of the policy
    policy: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl PutPolicy {
    pub(super) async fn carry_out(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = PrincipalArn::user(call.caller.account(), &self.name);
        let document = read_policy(&self.document)?;
        Ok(service
            .put_principal_policy(call, arn, self.policy.clone(), document)
            .await?)
    }
}

impl PolicyNamed {
    pub(super) async fn print(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = PrincipalArn::user(call.caller.account(), &self.name);
        let document = service.principal_policy(call, arn, self.policy.clone()).await?;
        match self.common.output {
            Format::Json => output::json(&json!({ "PolicyName": self.policy, "PolicyDocument": document })),
            Format::Text => output::line(&document),
        }
    }

    pub(super) async fn delete(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = PrincipalArn::user(call.caller.account(), &self.name);
        Ok(service.delete_principal_policy(call, arn, self.policy.clone()).await?)
    }
}

/// Prints the names of a user's policies.
pub(super) async fn list(
    service: &Service,
    call: &Call,
    name: &PrincipalName,
    format: Format,
) -> Result<(), anyhow::Error> {
    let arn = PrincipalArn::user(call.caller.account(), name);
    let names = service.list_principal_policies(call, arn).await?;
    if format == Format::Json {
        return output::json(&json!({ "PolicyNames": names }));
    }
    let rows: Vec<_> = names.into_iter().map(|name| vec![name]).collect();
    output::table(&["POLICY"], &rows)
}
