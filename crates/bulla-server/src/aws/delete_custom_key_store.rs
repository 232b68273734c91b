use bulla_service::{Call, DeleteCustomKeyStoreRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Text, parse};
use super::validation::{CUSTOM_KEY_STORE_ID, Checks};
use super::wire::{Failure, Reply};

/// Answers `DeleteCustomKeyStore`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .delete_custom_key_store(call, parse::<Input>(body)?.check()?)
        .await?;
    // An output without members.
    Reply::json(&Output {}, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    custom_key_store_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<DeleteCustomKeyStoreRequest, Failure> {
        let mut checks = Checks::default();
        let request = DeleteCustomKeyStoreRequest {
            custom_key_store_id: checks.required_text(
                "customKeyStoreId",
                self.custom_key_store_id,
                &CUSTOM_KEY_STORE_ID,
            ),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
struct Output {}
