use bulla_service::{Call, DescribeCustomKeyStoresRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Text, parse};
use super::validation::{CUSTOM_KEY_STORE_ID, CUSTOM_KEY_STORE_NAME, Checks, MARKER};
use super::wire::{Failure, Reply};

/// Answers `DescribeCustomKeyStores`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .describe_custom_key_stores(call, parse::<Input>(body)?.check()?)
        .await?;
    Reply::json(
        &Output {
            custom_key_stores: [],
            truncated: false,
        },
        0,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    custom_key_store_id: Option<Text>,
    custom_key_store_name: Option<Text>,
    limit: Option<Number>,
    marker: Option<Text>,
}

impl Input {
    fn check(self) -> Result<DescribeCustomKeyStoresRequest, Failure> {
        let mut checks = Checks::default();
        let request = DescribeCustomKeyStoresRequest {
            custom_key_store_id: checks.text("customKeyStoreId", self.custom_key_store_id, &CUSTOM_KEY_STORE_ID),
            custom_key_store_name: checks.text(
                "customKeyStoreName",
                self.custom_key_store_name,
                &CUSTOM_KEY_STORE_NAME,
            ),
            limit: checks.number("limit", self.limit, 1, 1000),
            marker: checks.text("marker", self.marker, &MARKER),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    custom_key_stores: [(); 0],
    truncated: bool,
}
