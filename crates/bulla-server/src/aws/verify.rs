use bulla_model::{MessageType, SigningAlgorithm};
use bulla_service::{Call, Service, VerifyRequest};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Flag, List, Text, parse};
use super::validation::{Checks, KEY_ID, MAX_CIPHERTEXT, MAX_PLAINTEXT, MESSAGE_TYPES, SIGNING_ALGORITHMS};
use super::wire::{Failure, Reply};

/// Answers `Verify`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.verify(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        signature_valid: true,
        signing_algorithm: response.signing_algorithm.as_str(),
    };
    Reply::json(&output, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    message: Option<Blob>,
    message_type: Option<Text>,
    signature: Option<Blob>,
    signing_algorithm: Option<Text>,
    grant_tokens: Option<List<Text>>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<VerifyRequest, Failure> {
        let mut checks = Checks::default();
        let request = VerifyRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            message: checks.required_blob("message", self.message, MAX_PLAINTEXT),
            message_type: checks.value("messageType", self.message_type, MESSAGE_TYPES, MessageType::Raw),
            signature: checks.required_public_blob("signature", self.signature, MAX_CIPHERTEXT),
            signing_algorithm: checks.required_value(
                "signingAlgorithm",
                self.signing_algorithm,
                SIGNING_ALGORITHMS,
                SigningAlgorithm::Sm2Dsa,
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
    signature_valid: bool,
    signing_algorithm: &'static str,
}
