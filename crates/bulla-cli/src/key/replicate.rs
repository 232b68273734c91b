use clap::Args;
use serde_json::json;

use super::service::Service;
use super::{Common, alias};
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Replicate {
    /// Key id or key ARN of the primary key
    key: String,
    /// Regions of the new replicas
    #[arg(required = true, value_name = "REGION")]
    regions: Vec<String>,
    /// A name for each replica in its region, with or without alias/ before it
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Replicate {
    pub(super) async fn carry_out(&self, service: &Service) -> Result<(), anyhow::Error> {
        let alias = self.alias.as_deref().map(alias::alias_name);
        let made = service
            .provider
            .replicate(&self.key, &self.regions, alias.as_deref())
            .await;
        let made = made.map_err(|error| service.explain(error))?;
        match self.common.output {
            Format::Json => output::json(&json!({ "Replicas": made })),
            Format::Text => output::bytes(made.iter().map(|arn| format!("{arn}\n")).collect::<String>().as_bytes()),
        }
    }
}
