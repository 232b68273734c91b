use bulla_model::EncapsulationAlgorithm;
use bulla_service::{Call, EncapsulateRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Flag, List, Text, parse};
use super::validation::{Checks, ENCAPSULATION_ALGORITHMS, KEY_ID};
use super::wire::{Base64, Failure, Reply};

/// Answers `Encapsulate`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.encapsulate(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        shared_secret: Base64::from(&response.shared_secret),
        shared_secret_ciphertext_blob: Base64(&response.shared_secret_ciphertext_blob),
        encapsulation_algorithm: response.encapsulation_algorithm.as_str(),
    };
    Reply::json(
        &output,
        response.shared_secret.len() + response.shared_secret_ciphertext_blob.len(),
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    encapsulation_algorithm: Option<Text>,
    grant_tokens: Option<List<Text>>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<EncapsulateRequest, Failure> {
        let mut checks = Checks::default();
        let request = EncapsulateRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
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
    shared_secret_ciphertext_blob: Base64<'a>,
    encapsulation_algorithm: &'static str,
}
