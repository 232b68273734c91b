use bulla_service::{Call, GenerateRandomRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Object, Text, parse};
use super::validation::{CUSTOM_KEY_STORE_ID, Checks, Recipient};
use super::wire::{Base64, Failure, Reply};

/// Answers `GenerateRandom`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.generate_random(call, parse::<Input>(body)?.check()?).await?;
    Reply::json(
        &Output {
            plaintext: Base64::from(&response.plaintext),
        },
        response.plaintext.len(),
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    number_of_bytes: Option<Number>,
    custom_key_store_id: Option<Text>,
    recipient: Option<Object<Recipient>>,
}

impl Input {
    fn check(self) -> Result<GenerateRandomRequest, Failure> {
        let mut checks = Checks::default();
        let number_of_bytes = checks.required_number("numberOfBytes", self.number_of_bytes, 1, 1024);
        if checks
            .text("customKeyStoreId", self.custom_key_store_id, &CUSTOM_KEY_STORE_ID)
            .is_some()
        {
            checks.not_built_yet("Custom key stores are not built yet.");
        }
        checks.recipient(self.recipient);
        checks.finish(GenerateRandomRequest { number_of_bytes })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    plaintext: Base64<'a>,
}
