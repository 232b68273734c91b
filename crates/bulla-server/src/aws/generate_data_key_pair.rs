use bulla_model::{DataKeyPairSpec, MaterialId};
use bulla_service::{Call, GenerateDataKeyPairRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Flag, List, Object, Pairs, Text, parse};
use super::validation::{Checks, DATA_KEY_PAIR_SPECS, KEY_ID, Recipient};
use super::wire::{Base64, Failure, Reply, as_text};

/// Answers `GenerateDataKeyPair`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .generate_data_key_pair(call, parse::<Input>(body)?.check()?)
        .await?;
    let output = Output {
        private_key_ciphertext_blob: Base64(&response.private_key_ciphertext_blob),
        private_key_plaintext: Base64::from(&response.private_key_plaintext),
        public_key: Base64(&response.public_key),
        key_id: response.key_arn.as_str(),
        key_pair_spec: response.key_pair_spec.as_str(),
        key_material_id: response.key_material_id,
    };
    Reply::json(
        &output,
        2 * response.private_key_ciphertext_blob.len() + response.public_key.len(),
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    encryption_context: Option<Pairs>,
    key_id: Option<Text>,
    key_pair_spec: Option<Text>,
    grant_tokens: Option<List<Text>>,
    recipient: Option<Object<Recipient>>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<GenerateDataKeyPairRequest, Failure> {
        let mut checks = Checks::default();
        let request = GenerateDataKeyPairRequest {
            encryption_context: checks.context("encryptionContext", self.encryption_context),
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            key_pair_spec: checks.required_value(
                "keyPairSpec",
                self.key_pair_spec,
                DATA_KEY_PAIR_SPECS,
                DataKeyPairSpec::Sm2,
            ),
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
    private_key_ciphertext_blob: Base64<'a>,
    private_key_plaintext: Base64<'a>,
    public_key: Base64<'a>,
    key_id: &'a str,
    key_pair_spec: &'static str,
    #[serde(serialize_with = "as_text")]
    key_material_id: MaterialId,
}
