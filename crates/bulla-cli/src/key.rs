use aws_config::BehaviorVersion;
use aws_config::meta::region::RegionProviderChain;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Region;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::types::KeyMetadata;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::failure::{CommandResult, Explained, Outcome};
use crate::output::{self, Format};
use crate::process;
use crate::settings::{Environment, Flags, Settings};

/// Manages keys of a running service, signing with the AWS credential chain.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Makes a symmetric key
    Create(Create),
    /// Lists all keys
    List(Common),
    /// Describes one key
    Describe(Named),
    /// Manages the aliases of keys
    #[command(subcommand)]
    Alias(Alias),
    /// Lets a key be used again
    Enable(Named),
    /// Refuses every use of a key
    Disable(Named),
    /// Gives a key new material now, or at intervals; what was sealed before still opens
    Rotate(Rotate),
    /// Deletes a key after a waiting period, and what is sealed under it with it
    Delete(Delete),
    /// Stops a deletion during its waiting period; the key is disabled then
    CancelDeletion(Named),
}

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
pub(crate) struct Common {
    /// The service; default: $BULLA_ENDPOINT, else http://127.0.0.1:4599
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Region of the keys; default: the AWS chain's, else us-east-1
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What the key is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// A name for it, with or without alias/ before it
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Key id, key ARN, alias/name or alias ARN
    key: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Key id or key ARN
    key: String,
    /// Rotates every so many days instead, 90 to 2560
    #[arg(long, value_name = "DAYS", conflicts_with = "never")]
    every_days: Option<i32>,
    /// Stops rotating at intervals instead
    #[arg(long)]
    never: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Key id or key ARN
    key: String,
    /// Days until the key is gone, 7 to 30
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pending_window_days: i32,
    #[command(flatten)]
    common: Common,
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

impl Key {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let common = self.common();
        let mut flags = Flags::default();
        flags.set("client.endpoint", common.endpoint.clone());
        flags.set("client.region", common.region.clone());
        let settings = Settings::load(environment, None, &flags)?;
        process::runtime(Some(1))?.block_on(async {
            let client = client(&settings).await;
            self.carry_out(&client, settings.endpoint())
                .await
                .map(|()| Outcome::Done)
        })
    }

    fn common(&self) -> &Common {
        match self {
            Key::Create(create) => &create.common,
            Key::List(common) | Key::Alias(Alias::List(common)) => common,
            Key::Describe(named) | Key::Enable(named) | Key::Disable(named) | Key::CancelDeletion(named) => {
                &named.common
            }
            Key::Rotate(rotate) => &rotate.common,
            Key::Delete(delete) => &delete.common,
            Key::Alias(Alias::Create(alias) | Alias::Update(alias)) => &alias.common,
            Key::Alias(Alias::Delete(alias)) => &alias.common,
        }
    }

    async fn carry_out(&self, client: &Client, endpoint: &str) -> Result<(), anyhow::Error> {
        let format = self.common().output;
        match self {
            Key::Create(create) => {
                let made = client.create_key().description(&create.description).send().await;
                let made = made.map_err(|error| explain(error, endpoint))?;
                let Some(metadata) = made.key_metadata() else {
                    return Err(no_answer().into());
                };
                if let Some(alias) = &create.alias {
                    let named = client
                        .create_alias()
                        .alias_name(alias_name(alias))
                        .target_key_id(metadata.key_id());
                    named.send().await.map_err(|error| explain(error, endpoint))?;
                }
                print_key(format, metadata)
            }
            Key::List(_) => list(client, endpoint, format).await,
            Key::Describe(named) => {
                let told = client.describe_key().key_id(&named.key).send().await;
                let told = told.map_err(|error| explain(error, endpoint))?;
                print_key(format, told.key_metadata().ok_or_else(no_answer)?)
            }
            Key::Enable(named) => {
                let done = client.enable_key().key_id(&named.key).send().await;
                done.map(drop).map_err(|error| explain(error, endpoint))
            }
            Key::Disable(named) => {
                let done = client.disable_key().key_id(&named.key).send().await;
                done.map(drop).map_err(|error| explain(error, endpoint))
            }
            Key::Rotate(rotate) => rotate.carry_out(client, endpoint).await,
            Key::Delete(delete) => {
                let request = client.schedule_key_deletion().key_id(&delete.key);
                let done = request.pending_window_in_days(delete.pending_window_days).send().await;
                let done = done.map_err(|error| explain(error, endpoint))?;
                let date = done.deletion_date().map(ToString::to_string);
                match format {
                    Format::Json => output::json(&json!({ "KeyId": done.key_id(), "DeletionDate": date })),
                    Format::Text => output::line(&format!("gone on {}", date.unwrap_or_default())),
                }
            }
            Key::CancelDeletion(named) => {
                let done = client.cancel_key_deletion().key_id(&named.key).send().await;
                done.map(drop).map_err(|error| explain(error, endpoint))
            }
            Key::Alias(alias) => alias.carry_out(client, endpoint, format).await,
        }
    }
}

impl Rotate {
    async fn carry_out(&self, client: &Client, endpoint: &str) -> Result<(), anyhow::Error> {
        if self.never {
            let done = client.disable_key_rotation().key_id(&self.key).send().await;
            return done.map(drop).map_err(|error| explain(error, endpoint));
        }
        if let Some(days) = self.every_days {
            let request = client
                .enable_key_rotation()
                .key_id(&self.key)
                .rotation_period_in_days(days);
            return request.send().await.map(drop).map_err(|error| explain(error, endpoint));
        }
        let done = client.rotate_key_on_demand().key_id(&self.key).send().await;
        done.map(drop).map_err(|error| explain(error, endpoint))
    }
}

impl Alias {
    async fn carry_out(&self, client: &Client, endpoint: &str, format: Format) -> Result<(), anyhow::Error> {
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

async fn list(client: &Client, endpoint: &str, format: Format) -> Result<(), anyhow::Error> {
    let mut pages = client.list_keys().into_paginator().send();
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        for key in page.map_err(|error| explain(error, endpoint))?.keys() {
            let told = client
                .describe_key()
                .key_id(key.key_id().unwrap_or_default())
                .send()
                .await;
            let told = told.map_err(|error| explain(error, endpoint))?;
            let metadata = told.key_metadata().ok_or_else(no_answer)?;
            rows.push(vec![
                metadata.key_id().to_owned(),
                state(metadata),
                metadata.description().unwrap_or_default().to_owned(),
            ]);
            keys.push(document(metadata));
        }
    }
    match format {
        Format::Json => output::json(&json!({ "Keys": keys })),
        Format::Text => output::table(&["KEY ID", "STATE", "DESCRIPTION"], &rows),
    }
}

async fn client(settings: &Settings) -> Client {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(settings.endpoint());
    loader = match settings.client.region.clone() {
        Some(region) => loader.region(Region::new(region)),
        None => loader.region(RegionProviderChain::default_provider().or_else("us-east-1")),
    };
    Client::new(&loader.load().await)
}

fn alias_name(name: &str) -> String {
    if name.starts_with("alias/") {
        name.to_owned()
    } else {
        format!("alias/{name}")
    }
}

fn print_key(format: Format, metadata: &KeyMetadata) -> Result<(), anyhow::Error> {
    if format == Format::Json {
        return output::json(&document(metadata));
    }
    let date = |date: Option<&aws_sdk_kms::primitives::DateTime>| date.map(ToString::to_string).unwrap_or_default();
    let mut text = format!(
        "key id       {}\narn          {}\nstate        {}\ncreated      {}\n",
        metadata.key_id(),
        metadata.arn().unwrap_or_default(),
        state(metadata),
        date(metadata.creation_date()),
    );
    if let Some(description) = metadata.description().filter(|text| !text.is_empty()) {
        text.push_str(&format!(
            "description  {}\n",
            description.replace(char::is_control, "\u{fffd}")
        ));
    }
    if metadata.deletion_date().is_some() {
        text.push_str(&format!("gone on      {}\n", date(metadata.deletion_date())));
    }
    output::bytes(text.as_bytes())
}

fn document(metadata: &KeyMetadata) -> Value {
    json!({
        "KeyId": metadata.key_id(),
        "Arn": metadata.arn(),
        "KeyState": metadata.key_state().map(|state| state.as_str()),
        "Enabled": metadata.enabled(),
        "Description": metadata.description(),
        "KeySpec": metadata.key_spec().map(|spec| spec.as_str()),
        "KeyUsage": metadata.key_usage().map(|usage| usage.as_str()),
        "CreationDate": metadata.creation_date().map(ToString::to_string),
        "DeletionDate": metadata.deletion_date().map(ToString::to_string),
    })
}

fn state(metadata: &KeyMetadata) -> String {
    metadata
        .key_state()
        .map(|state| state.as_str().to_owned())
        .unwrap_or_default()
}

fn no_answer() -> Explained {
    Explained::new("the service's answer lacks the key").hint("is this the endpoint of a key service")
}

fn explain<E, R>(error: SdkError<E, R>, endpoint: &str) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if let Some(refusal) = error.as_service_error() {
        let code = refusal.code().unwrap_or("an error without a name");
        let what = match refusal.message() {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        };
        let mut explained = Explained::new(what);
        if matches!(
            code,
            "UnrecognizedClientException" | "InvalidSignatureException" | "IncompleteSignatureException"
        ) {
            explained = explained.hint("use the access key that bulla init or bulla principal printed");
        }
        return explained.into();
    }
    let explained = match &error {
        SdkError::ConstructionFailure(_) => Explained::new("the request can't be signed").hint(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile; a service started with --dev accepts any",
        ),
        SdkError::TimeoutError(_) => Explained::new(format!("the service at {endpoint} did not answer in time")),
        SdkError::DispatchFailure(failure) if failure.is_other() => Explained::new(
            "there are no credentials to sign with",
        )
        .hint(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile; a service started with --dev accepts any",
        ),
        SdkError::DispatchFailure(_) => Explained::new(format!("the service at {endpoint} can't be reached"))
            .hint("start it with bulla serve, or name another with --endpoint or BULLA_ENDPOINT"),
        _ => Explained::new(format!("the answer of {endpoint} is not that of a key service")),
    };
    anyhow::Error::new(error).context(explained)
}
