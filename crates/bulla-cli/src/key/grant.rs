use std::collections::HashMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{GrantConstraints, GrantOperation};
use clap::{Args, Subcommand};
use serde_json::json;

use super::service::explain;
use super::{Common, Named, tag};
use crate::output::{self, Format};

/// Manages the grants of a key: what single principals may do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Grant {
    /// Lets a principal use a key
    Create(Box<Create>),
    /// Lists the grants of a key
    List(Named),
    /// Takes a grant back; for who manages the key
    Revoke(Of),
    /// Gives a grant up; for who was named to, or has it
    Retire(Of),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Key id or key ARN
    key: String,
    /// Who may: the ARN of a principal
    #[arg(long, value_name = "ARN")]
    grantee: String,
    /// What he may: Decrypt, Encrypt, GenerateDataKey, Sign, …; may be given several times
    #[arg(long = "operation", required = true, value_name = "OPERATION")]
    operations: Vec<String>,
    /// Who may give the grant up, besides
    #[arg(long, value_name = "ARN")]
    retiring: Option<String>,
    /// A name for it; a second grant of the same name and contents is the first
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only under encryption contexts that have this pair; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag::pair, conflicts_with = "context_equals")]
    context_subset: Vec<(String, String)>,
    /// Only under the encryption context of exactly these pairs; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag::pair)]
    context_equals: Vec<(String, String)>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Key id or key ARN; an ARN to retire
    key: String,
    /// The grant's id
    grant: String,
    #[command(flatten)]
    common: Common,
}

impl Grant {
    pub(super) fn common(&self) -> &Common {
        match self {
            Grant::Create(create) => &create.common,
            Grant::List(named) => &named.common,
            Grant::Revoke(of) | Grant::Retire(of) => &of.common,
        }
    }

    pub(super) async fn carry_out(&self, client: &Client, place: &str) -> Result<(), anyhow::Error> {
        match self {
            Grant::Create(create) => create.carry_out(client, place).await,
            Grant::List(named) => list(named, client, place).await,
            Grant::Revoke(of) => {
                let request = client.revoke_grant().key_id(&of.key).grant_id(&of.grant);
                request.send().await.map(drop).map_err(|error| explain(error, place))
            }
            Grant::Retire(of) => {
                let request = client.retire_grant().key_id(&of.key).grant_id(&of.grant);
                request.send().await.map(drop).map_err(|error| explain(error, place))
            }
        }
    }
}

impl Create {
    async fn carry_out(&self, client: &Client, place: &str) -> Result<(), anyhow::Error> {
        let pairs =
            |pairs: &[(String, String)]| (!pairs.is_empty()).then(|| pairs.iter().cloned().collect::<HashMap<_, _>>());
        let (subset, equals) = (pairs(&self.context_subset), pairs(&self.context_equals));
        let constraints = (subset.is_some() || equals.is_some()).then(|| {
            GrantConstraints::builder()
                .set_encryption_context_subset(subset)
                .set_encryption_context_equals(equals)
                .build()
        });
        let operations = self
            .operations
            .iter()
            .map(|operation| GrantOperation::from(operation.as_str()));
        let request = client
            .create_grant()
            .key_id(&self.key)
            .grantee_principal(&self.grantee)
            .set_operations(Some(operations.collect()))
            .set_retiring_principal(self.retiring.clone())
            .set_name(self.name.clone())
            .set_constraints(constraints);
        let made = request.send().await.map_err(|error| explain(error, place))?;
        match self.common.output {
            Format::Json => output::json(&json!({ "GrantId": made.grant_id(), "GrantToken": made.grant_token() })),
            Format::Text => output::line(&format!("grant id     {}", made.grant_id().unwrap_or_default())),
        }
    }
}

async fn list(named: &Named, client: &Client, place: &str) -> Result<(), anyhow::Error> {
    let mut pages = client.list_grants().key_id(&named.key).into_paginator().send();
    let (mut rows, mut grants) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        for grant in page.map_err(|error| explain(error, place))?.grants() {
            let operations: Vec<_> = grant.operations().iter().map(|operation| operation.as_str()).collect();
            let cell = |text: Option<&str>| text.unwrap_or_default().to_owned();
            rows.push(vec![
                cell(grant.grant_id()),
                cell(grant.grantee_principal()),
                operations.join(","),
            ]);
            grants.push(json!({
                "GrantId": grant.grant_id(),
                "Name": grant.name(),
                "GranteePrincipal": grant.grantee_principal(),
                "RetiringPrincipal": grant.retiring_principal(),
                "Operations": operations,
                "CreationDate": grant.creation_date().map(ToString::to_string),
            }));
        }
    }
    match named.common.output {
        Format::Json => output::json(&json!({ "Grants": grants })),
        Format::Text => output::table(&["GRANT ID", "GRANTEE", "OPERATIONS"], &rows),
    }
}
