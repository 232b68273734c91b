use aws_sdk_kms::Client;
use clap::Args;
use serde_json::json;

use super::Common;
use super::service::explain;
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Key id or key ARN
    key: String,
    /// Days until the key is gone, 7 to 30
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pending_window_days: i32,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Delete {
    pub(super) async fn carry_out(&self, client: &Client, place: &str) -> Result<(), anyhow::Error> {
        let request = client.schedule_key_deletion().key_id(&self.key);
        let done = request.pending_window_in_days(self.pending_window_days).send().await;
        let done = done.map_err(|error| explain(error, place))?;
        let date = done.deletion_date().map(ToString::to_string);
        match self.common.output {
            Format::Json => output::json(&json!({ "KeyId": done.key_id(), "DeletionDate": date })),
            Format::Text => output::line(&format!("gone on {}", date.unwrap_or_default())),
        }
    }
}
