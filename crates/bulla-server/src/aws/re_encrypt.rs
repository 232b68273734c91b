use bulla_model::{EncryptionAlgorithm, MaterialId};
use bulla_service::{Call, ReEncryptRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Flag, List, Pairs, Text, parse};
use super::validation::{Checks, KEY_ID, MAX_CIPHERTEXT};
use super::wire::{Base64, Failure, Reply, as_text_if_any};

/// Answers `ReEncrypt`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.re_encrypt(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        ciphertext_blob: Base64(&response.ciphertext_blob),
        source_key_id: response.source_key_arn.as_str(),
        key_id: response.destination_key_arn.as_str(),
        source_encryption_algorithm: response.source_encryption_algorithm.as_str(),
        destination_encryption_algorithm: response.destination_encryption_algorithm.as_str(),
        source_key_material_id: (response.source_encryption_algorithm == EncryptionAlgorithm::SymmetricDefault)
            .then_some(response.source_key_material_id),
        destination_key_material_id: (response.destination_encryption_algorithm
            == EncryptionAlgorithm::SymmetricDefault)
            .then_some(response.destination_key_material_id),
    };
    Reply::json(&output, response.ciphertext_blob.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    ciphertext_blob: Option<Blob>,
    source_encryption_context: Option<Pairs>,
    source_key_id: Option<Text>,
    destination_key_id: Option<Text>,
    destination_encryption_context: Option<Pairs>,
    source_encryption_algorithm: Option<Text>,
    destination_encryption_algorithm: Option<Text>,
    grant_tokens: Option<List<Text>>,
    dry_run: Option<Flag>,
    dry_run_modifiers: Option<List<Text>>,
}

impl Input {
    fn check(self) -> Result<ReEncryptRequest, Failure> {
        let mut checks = Checks::default();
        let dry_run = checks.flag(self.dry_run);
        let request = ReEncryptRequest {
            ciphertext_blob: checks.ciphertext(self.ciphertext_blob, MAX_CIPHERTEXT, dry_run, self.dry_run_modifiers),
            source_encryption_context: checks.context("sourceEncryptionContext", self.source_encryption_context),
            source_key_id: checks.text("sourceKeyId", self.source_key_id, &KEY_ID),
            destination_key_id: checks.required_text("destinationKeyId", self.destination_key_id, &KEY_ID),
            destination_encryption_context: checks
                .context("destinationEncryptionContext", self.destination_encryption_context),
            source_encryption_algorithm: checks
                .algorithm("sourceEncryptionAlgorithm", self.source_encryption_algorithm),
            destination_encryption_algorithm: checks
                .algorithm("destinationEncryptionAlgorithm", self.destination_encryption_algorithm),
            grant_tokens: checks.grant_tokens(self.grant_tokens),
            dry_run,
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    ciphertext_blob: Base64<'a>,
    source_key_id: &'a str,
    key_id: &'a str,
    source_encryption_algorithm: &'a str,
    destination_encryption_algorithm: &'a str,
    /// Symmetric keys only.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    source_key_material_id: Option<MaterialId>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    destination_key_material_id: Option<MaterialId>,
}
