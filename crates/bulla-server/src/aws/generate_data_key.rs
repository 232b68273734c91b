use bulla_model::MaterialId;
use bulla_service::{Call, GenerateDataKeyRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Flag, List, Number, Object, Pairs, Text, parse};
use super::validation::{Checks, KEY_ID, Recipient};
use super::wire::{Base64, Failure, Reply, as_text};

/// Answers `GenerateDataKey`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.generate_data_key(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        ciphertext_blob: Base64(&response.ciphertext_blob),
        plaintext: Base64::from(&response.plaintext),
        key_id: response.key_arn.as_str(),
        key_material_id: response.key_material_id,
    };
    Reply::json(&output, response.ciphertext_blob.len() + response.plaintext.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    encryption_context: Option<Pairs>,
    number_of_bytes: Option<Number>,
    key_spec: Option<Text>,
    grant_tokens: Option<List<Text>>,
    recipient: Option<Object<Recipient>>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<GenerateDataKeyRequest, Failure> {
        let mut checks = Checks::default();
        let request = GenerateDataKeyRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            encryption_context: checks.context("encryptionContext", self.encryption_context),
            number_of_bytes: checks.number("numberOfBytes", self.number_of_bytes, 1, 1024),
            key_spec: checks.data_key_spec("keySpec", self.key_spec),
            grant_tokens: checks.grant_tokens(self.grant_tokens),
            dry_run: checks.flag(self.dry_run),
        };
        checks.recipient(self.recipient);
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    ciphertext_blob: Base64<'a>,
    plaintext: Base64<'a>,
    key_id: &'a str,
    #[serde(serialize_with = "as_text")]
    key_material_id: MaterialId,
}
