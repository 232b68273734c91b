use bulla_kms::KeyProvider as _;
use clap::Args;

use super::Common;
use super::service::{Service, explain};

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
    pub(super) common: Common,
}

impl Rotate {
    pub(super) async fn carry_out(&self, service: &Service) -> Result<(), anyhow::Error> {
        let (client, place) = (&service.client, service.place.as_str());
        if self.never {
            let done = client.disable_key_rotation().key_id(&self.key).send().await;
            return done.map(drop).map_err(|error| explain(error, place));
        }
        if let Some(days) = self.every_days {
            let request = client
                .enable_key_rotation()
                .key_id(&self.key)
                .rotation_period_in_days(days);
            return request.send().await.map(drop).map_err(|error| explain(error, place));
        }
        service
            .provider
            .rotate(&self.key)
            .await
            .map_err(|error| service.explain(error))
    }
}
