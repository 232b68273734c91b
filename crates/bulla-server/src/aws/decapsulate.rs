use bulla_model::EncapsulationAlgorithm;
use bulla_service::{Call, DecapsulateRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Flag, List, Text, parse};
use super::validation::{Checks, ENCAPSULATION_ALGORITHMS, KEY_ID, MAX_CIPHERTEXT};
use super::wire::{Base64, Failure, Reply};

/// Answers `Decapsulate`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.decapsulate(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        shared_secret: Base64::from(&response.shared_secret),
        encapsulation_algorithm: response.encapsulation_algorithm.as_str(),
    };
    Reply::json(&output, response.shared_secret.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    shared_secret_ciphertext_blob: Option<Blob>,
    encapsulation_algorithm: Option<Text>,
    grant_tokens: Option<List<Text>>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<DecapsulateRequest, Failure> {
        let mut checks = Checks::default();
        let request = DecapsulateRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            shared_secret_ciphertext_blob: checks.required_public_blob(
                "sharedSecretCiphertextBlob",
                self.shared_secret_ciphertext_blob,
                MAX_CIPHERTEXT,
            ),
            encapsulation_algorithm: checks.required_value(
                "encapsulationAlgorithm",
                self.encapsulation_algorithm,
                ENCAPSULATION_ALGORITHMS,
                EncapsulationAlgorithm::MlKem,
            ),
            grant_tokens: checks.grant_tokens(self.grant_tokens),
            dry_run: checks.flag(self.dry_run),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
    shared_secret: Base64<'a>,
    encapsulation_algorithm: &'static str,
}
