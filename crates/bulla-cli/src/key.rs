//! `bulla key`: keys of a running service, of AWS KMS, and signing keys in files.

mod alias;
mod create;
mod delete;
mod describe;
mod grant;
mod import;
mod list;
mod local;
mod policy;
mod public_key;
mod replicate;
mod rotate;
pub(crate) mod service;
mod tag;

use clap::{Args, Subcommand, ValueEnum};

pub(crate) use self::policy::read_policy;

use crate::failure::{CommandResult, Explained, Outcome};
use crate::output::Format;
use crate::process;
use crate::settings::{Environment, Flags, Settings};

/// Manages keys of a running service or of AWS KMS, signing with the AWS credential chain.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Makes a key
    Create(create::Create),
    /// Lists all keys
    List(Common),
    /// Describes one key: where it is, how old, whether it is time to rotate it
    Describe(describe::Describe),
    /// Prints the public half of a key
    #[command(name = "public-key")]
    Public(Named),
    /// Manages the aliases of keys
    #[command(subcommand)]
    Alias(alias::Alias),
    /// Manages the tags of a key
    #[command(subcommand)]
    Tag(tag::Tag),
    /// Manages the policy of a key: who may do what with it
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Manages the grants of a key: what single principals may do with it
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Lets a key be used again
    Enable(Named),
    /// Refuses every use of a key
    Disable(Named),
    /// Gives a key new material now, or at intervals; what was sealed before still opens
    Rotate(rotate::Rotate),
    /// Imports material into a key that was made without
    Import(Box<import::Import>),
    /// Makes replicas of a multi-Region key in other regions
    Replicate(replicate::Replicate),
    /// Deletes a key after a waiting period, and what is sealed under it with it
    Delete(delete::Delete),
    /// Stops a deletion during its waiting period; the key is disabled then
    CancelDeletion(Named),
}

/// Who holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Provider {
    /// A running service of this program
    #[default]
    Bulla,
    /// AWS KMS, or what speaks its API at --endpoint
    AwsKms,
    /// A file of this machine; for signing keys
    Local,
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Who holds the key
    #[arg(long, value_enum, default_value_t)]
    pub(crate) provider: Provider,
    /// The service; default: $BULLA_ENDPOINT, else http://127.0.0.1:4599; with --provider aws-kms AWS's own
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Region of the keys; default: the AWS chain's, else us-east-1 unless with --provider aws-kms
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Key id, key ARN, alias/name or alias ARN
    key: String,
    #[command(flatten)]
    common: Common,
}

impl Common {
    /// The flags that were given.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::default();
        flags.set("client.endpoint", self.endpoint.clone());
        flags.set("client.region", self.region.clone());
        flags
    }
}

impl Key {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let common = self.common();
        let settings = Settings::load(environment, None, &common.flags())?;
        if common.provider == Provider::Local {
            return self.run_locally().map(|()| Outcome::Done);
        }
        process::runtime(Some(1))?.block_on(async {
            let service = service::Service::new(common, &settings).await?;
            self.carry_out(&service).await.map(|()| Outcome::Done)
        })
    }

    fn common(&self) -> &Common {
        match self {
            Key::Create(create) => &create.common,
            Key::List(common) => common,
            Key::Describe(describe) => &describe.common,
            Key::Public(named) | Key::Enable(named) | Key::Disable(named) | Key::CancelDeletion(named) => &named.common,
            Key::Rotate(rotate) => &rotate.common,
            Key::Import(import) => &import.common,
            Key::Replicate(replicate) => &replicate.common,
            Key::Delete(delete) => &delete.common,
            Key::Alias(alias) => alias.common(),
            Key::Tag(tag) => tag.common(),
            Key::Policy(policy) => policy.common(),
            Key::Grant(grant) => grant.common(),
        }
    }

    async fn carry_out(&self, service: &service::Service) -> Result<(), anyhow::Error> {
        let (client, place, format) = (&service.client, service.place.as_str(), self.common().output);
        match self {
            Key::Create(create) => create.carry_out(service).await,
            Key::List(_) => list::list(client, place, format).await,
            Key::Describe(describe) => describe.carry_out(service).await,
            Key::Public(named) => public_key::carry_out(&service.provider, &named.key, format)
                .await
                .map_err(|error| service.explain(error))?,
            Key::Enable(named) => {
                let done = client.enable_key().key_id(&named.key).send().await;
                done.map(drop).map_err(|error| service::explain(error, place))
            }
            Key::Disable(named) => {
                let done = client.disable_key().key_id(&named.key).send().await;
                done.map(drop).map_err(|error| service::explain(error, place))
            }
            Key::Rotate(rotate) => rotate.carry_out(service).await,
            Key::Import(import) => import.carry_out(client, place).await,
            Key::Replicate(replicate) => replicate.carry_out(service).await,
            Key::Delete(delete) => delete.carry_out(client, place).await,
            Key::CancelDeletion(named) => {
                let done = client.cancel_key_deletion().key_id(&named.key).send().await;
                done.map(drop).map_err(|error| service::explain(error, place))
            }
            Key::Alias(alias) => alias.carry_out(client, place, format).await,
            Key::Tag(tag) => tag.carry_out(client, place).await,
            Key::Policy(policy) => policy.carry_out(client, place).await,
            Key::Grant(grant) => grant.carry_out(client, place).await,
        }
    }

    fn run_locally(&self) -> Result<(), anyhow::Error> {
        match self {
            Key::Create(create) => create.locally(),
            Key::Public(named) => local::print_public_key(&named.key, named.common.output),
            _ => Err(
                Explained::misuse("a key in a file is a file: list, copy and delete it as one")
                    .hint("--provider local goes with key create and key public-key")
                    .into(),
            ),
        }
    }
}
