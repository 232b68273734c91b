use aws_sdk_kms::Client;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Common;
use super::service::explain;
use crate::output::{self, Format};

/// Manages the aliases of keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Alias {
    /// Names a key
    Create(AliasFor),
    /// Lets a name stand for another key
    Update(AliasFor),
    /// Deletes a name; the key stays
    Delete(AliasNamed),
    /// Lists all names
    List(Common),
}

#[derive(Debug, Args)]
pub(crate) struct AliasFor {
    /// The name, with or without alias/ before it
    name: String,
    /// Key id or key ARN
    key: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct AliasNamed {
    /// The name, with or without alias/ before it
    name: String,
    #[command(flatten)]
    common: Common,
}

impl Alias {
    pub(super) fn common(&self) -> &Common {
        match self {
            Alias::Create(alias) | Alias::Update(alias) => &alias.common,
            Alias::Delete(alias) => &alias.common,
            Alias::List(common) => common,
        }
    }

    pub(super) async fn carry_out(&self, client: &Client, endpoint: &str, format: Format) -> Result<(), anyhow::Error> {
        match self {
            Alias::Create(alias) => {
                let request = client
                    .create_alias()
                    .alias_name(alias_name(&alias.name))
                    .target_key_id(&alias.key);
                request.send().await.map(drop).map_err(|error| explain(error, endpoint))
            }
            Alias::Update(alias) => {
                let request = client
                    .update_alias()
                    .alias_name(alias_name(&alias.name))
                    .target_key_id(&alias.key);
                request.send().await.map(drop).map_err(|error| explain(error, endpoint))
            }
            Alias::Delete(alias) => {
                let request = client.delete_alias().alias_name(alias_name(&alias.name));
                request.send().await.map(drop).map_err(|error| explain(error, endpoint))
            }
            Alias::List(_) => {
                let mut pages = client.list_aliases().into_paginator().send();
                let (mut rows, mut list) = (Vec::new(), Vec::new());
                while let Some(page) = pages.next().await {
                    for alias in page.map_err(|error| explain(error, endpoint))?.aliases() {
                        let cell = |text: Option<&str>| text.unwrap_or_default().to_owned();
                        rows.push(vec![
                            cell(alias.alias_name()),
                            cell(alias.target_key_id()),
                            cell(alias.alias_arn()),
                        ]);
                        list.push(json!({
                            "AliasName": alias.alias_name(),
                            "AliasArn": alias.alias_arn(),
                            "TargetKeyId": alias.target_key_id(),
                        }));
                    }
                }
                match format {
                    Format::Json => output::json(&json!({ "Aliases": list })),
                    Format::Text => output::table(&["NAME", "KEY", "ARN"], &rows),
                }
            }
        }
    }
}

/// A name as AWS writes it.
pub(super) fn alias_name(name: &str) -> String {
    if name.starts_with("alias/") {
        name.to_owned()
    } else {
        format!("alias/{name}")
    }
}
