use bulla_service::{Call, EncryptRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Flag, List, Pairs, Text, parse};
use super::validation::{Checks, KEY_ID, MAX_PLAINTEXT};
use super::wire::{Base64, Failure, Reply};

/// Answers `Encrypt`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.encrypt(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        ciphertext_blob: Base64(&response.ciphertext_blob),
        key_id: response.key_arn.as_str(),
        encryption_algorithm: response.encryption_algorithm.as_str(),
    };
    Reply::json(&output, response.ciphertext_blob.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    plaintext: Option<Blob>,
    encryption_context: Option<Pairs>,
    grant_tokens: Option<List<Text>>,
    encryption_algorithm: Option<Text>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<EncryptRequest, Failure> {
        let mut checks = Checks::default();
        let request = EncryptRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            plaintext: checks.required_blob("plaintext", self.plaintext, MAX_PLAINTEXT),
            encryption_context: checks.context("encryptionContext", self.encryption_context),
            grant_tokens: checks.grant_tokens(self.grant_tokens),
            encryption_algorithm: checks.algorithm("encryptionAlgorithm", self.encryption_algorithm),
            dry_run: checks.flag(self.dry_run),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    ciphertext_blob: Base64<'a>,
    key_id: &'a str,
    encryption_algorithm: &'a str,
}
