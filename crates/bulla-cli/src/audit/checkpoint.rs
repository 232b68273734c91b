use bulla_audit::KeyChain;
use clap::Args;
use serde_json::json;

use super::{Log, OpenLog};
use crate::failure::{CommandResult, Explained, Outcome};
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    #[command(flatten)]
    pub(super) log: Log,
    /// text is the signed note itself
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Checkpoint {
    pub(super) fn run(&self, log: &OpenLog) -> CommandResult {
        let keys = KeyChain::new(log.trusted.clone());
        let checkpoint = keys.verify_checkpoint(&log.head.checkpoint).map_err(|error| {
            anyhow::Error::new(error).context(
                Explained::new("the newest checkpoint is not signed by the log's key")
                    .hint("bulla audit verify names what was changed"),
            )
        })?;
        match self.output {
            Format::Text => output::bytes(log.head.checkpoint.as_bytes())?,
            Format::Json => output::json(&json!({
                "Origin": checkpoint.origin,
                "Size": checkpoint.size,
                "MetadataRevision": checkpoint.metadata_revision,
                "Note": log.head.checkpoint,
            }))?,
        }
        Ok(Outcome::Done)
    }
}
