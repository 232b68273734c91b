use bulla_model::{EncryptionAlgorithm, MaterialId};
use bulla_service::{Call, DecryptRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Flag, List, Object, Pairs, Text, parse};
use super::validation::{Checks, KEY_ID, MAX_CIPHERTEXT, Recipient};
use super::wire::{Base64, Failure, Reply, as_text_if_any};

/// Answers `Decrypt`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.decrypt(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        plaintext: Base64::from(&response.plaintext),
        encryption_algorithm: response.encryption_algorithm.as_str(),
        key_material_id: (response.encryption_algorithm == EncryptionAlgorithm::SymmetricDefault)
            .then_some(response.key_material_id),
    };
    Reply::json(&output, response.plaintext.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    ciphertext_blob: Option<Blob>,
    encryption_context: Option<Pairs>,
    grant_tokens: Option<List<Text>>,
    key_id: Option<Text>,
    encryption_algorithm: Option<Text>,
    recipient: Option<Object<Recipient>>,
    dry_run: Option<Flag>,
    dry_run_modifiers: Option<List<Text>>,
}

impl Input {
    fn check(self) -> Result<DecryptRequest, Failure> {
        let mut checks = Checks::default();
        let dry_run = checks.flag(self.dry_run);
        let request = DecryptRequest {
            ciphertext_blob: checks.ciphertext(self.ciphertext_blob, MAX_CIPHERTEXT, dry_run, self.dry_run_modifiers),
            encryption_context: checks.context("encryptionContext", self.encryption_context),
            grant_tokens: checks.grant_tokens(self.grant_tokens),
            key_id: checks.text("keyId", self.key_id, &KEY_ID),
            encryption_algorithm: checks.algorithm("encryptionAlgorithm", self.encryption_algorithm),
            dry_run,
        };
        checks.recipient(self.recipient);
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
    plaintext: Base64<'a>,
    encryption_algorithm: &'a str,
    /// Symmetric keys only.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    key_material_id: Option<MaterialId>,
}
