use bulla_tokens::ClientId;
use clap::Args;
use serde_json::{Value, json};

use crate::failure::Explained;
use crate::key::service::{Service, explain};
use crate::key::{Common, Provider};
use crate::output::{self, Format};
use crate::rest::Rest;
use crate::settings::Settings;
use crate::token::list;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// What the aliases of clients' keys are
    #[arg(long, value_name = "TEMPLATE", default_value = "alias/tokens-{client}")]
    alias: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl List {
    pub(super) async fn run(&self, settings: &Settings) -> Result<(), anyhow::Error> {
        let (before, after) = self.alias.split_once("{client}").ok_or_else(|| {
            Explained::misuse("the names of clients can't be read out of such aliases")
                .hint("give a template with {client}")
        })?;
        let service = Service::new(&self.common, settings).await?;
        // Tokens are in a vault of Bulla's; keys in AWS alone say nothing of them.
        let vault = match self.common.provider {
            Provider::Bulla => Some(Rest::new(settings).await?),
            Provider::AwsKms | Provider::Local => None,
        };
        let mut clients = Vec::new();
        for alias in aliases(&service).await? {
            let client = alias.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            let Some(client) = client.filter(|client| ClientId::new(*client).is_ok()) else {
                continue;
            };
            clients.push(describe(&service, vault.as_ref(), &alias, client).await?);
        }
        if self.common.output == Format::Json {
            return output::json(&json!({"Clients": clients}));
        }
        let row = |client: &Value| {
            ["Client", "KeyArn", "State", "Tokens"]
                .map(|member| match &client[member] {
                    Value::String(text) => text.clone(),
                    Value::Number(count) => count.to_string(),
                    _ => "-".to_owned(),
                })
                .to_vec()
        };
        output::table(
            &["CLIENT", "KEY", "STATE", "TOKENS"],
            &clients.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

async fn describe(service: &Service, vault: Option<&Rest>, alias: &str, client: &str) -> Result<Value, anyhow::Error> {
    let described = service.client.describe_key().key_id(alias).send().await;
    let described = described.map_err(|error| explain(error, &service.place))?;
    let key = described.key_metadata();
    // Of a key that is disabled no token can be listed.
    let tokens = match vault {
        Some(rest) => list::all(rest, client, None).await.ok(),
        None => None,
    };
    Ok(json!({
        "Client": client,
        "KeyArn": key.and_then(|key| key.arn()),
        "State": key.and_then(|key| key.key_state()).map(|state| state.as_str()),
        "Tokens": tokens.map(|(tokens, unreadable)| tokens.len() + unreadable.len()),
    }))
}

async fn aliases(service: &Service) -> Result<Vec<String>, anyhow::Error> {
    let mut pages = service.client.list_aliases().into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(alias) = pages.next().await {
        let alias = alias.map_err(|error| explain(error, &service.place))?;
        names.extend(alias.alias_name().map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
