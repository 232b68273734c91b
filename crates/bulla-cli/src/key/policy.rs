use std::path::PathBuf;

use anyhow::Context as _;
use aws_sdk_kms::Client;
use clap::{Args, Subcommand};
use serde_json::json;

use super::service::explain;
use super::{Common, Named};
use crate::failure::Explained;
use crate::output::{self, Format};
use crate::streams;

/// AWS's limit of a key policy, 32 KiB.
const MAX_POLICY_BYTES: usize = 32 * 1024;

/// Manages the policy of a key: who may do what with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Prints the policy of a key
    Get(Named),
    /// Puts a policy in the place of the one that a key has
    Put(Put),
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// Key id or key ARN
    key: String,
    /// The policy, as JSON; - is stdin
    #[arg(long, value_name = "FILE")]
    document: PathBuf,
    /// Puts it even if it leaves nobody who could put another
    #[arg(long)]
    allow_lockout: bool,
    #[command(flatten)]
    common: Common,
}

impl Policy {
    pub(super) fn common(&self) -> &Common {
        match self {
            Policy::Get(named) => &named.common,
            Policy::Put(put) => &put.common,
        }
    }

    pub(super) async fn carry_out(&self, client: &Client, place: &str) -> Result<(), anyhow::Error> {
        match self {
            Policy::Get(named) => {
                let told = client
                    .get_key_policy()
                    .key_id(&named.key)
                    .policy_name("default")
                    .send()
                    .await;
                let told = told.map_err(|error| explain(error, place))?;
                let policy = told.policy().unwrap_or_default();
                match named.common.output {
                    Format::Json => output::json(&json!({ "PolicyName": "default", "Policy": policy })),
                    Format::Text => output::line(policy),
                }
            }
            Policy::Put(put) => {
                let policy = read_policy(&put.document)?;
                let request = client
                    .put_key_policy()
                    .key_id(&put.key)
                    .policy_name("default")
                    .policy(policy);
                let request = request.set_bypass_policy_lockout_safety_check(put.allow_lockout.then_some(true));
                request.send().await.map(drop).map_err(|error| explain(error, place))
            }
        }
    }
}

/// Reads a policy, as far as that it is JSON; the service says what is wrong within.
pub(crate) fn read_policy(path: &std::path::Path) -> Result<String, anyhow::Error> {
    let input = (path.as_os_str() != "-").then_some(path);
    let bytes = streams::read(input, MAX_POLICY_BYTES, "and no key policy is")?;
    let text = std::str::from_utf8(&bytes).context("reading the policy")?;
    let not_json = |error| anyhow::Error::new(error).context(Explained::misuse("the policy is not JSON"));
    serde_json::from_str::<serde_json::Value>(text).map_err(not_json)?;
    Ok(text.to_owned())
}
