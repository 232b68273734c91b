use bulla_model::KeyAgreementAlgorithm;
use bulla_service::{Call, DeriveSharedSecretRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Flag, List, Object, Text, parse};
use super::validation::{Checks, KEY_AGREEMENT_ALGORITHMS, KEY_ID, MAX_PUBLIC_KEY, Recipient};
use super::wire::{Base64, Failure, Reply};

/// Answers `DeriveSharedSecret`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .derive_shared_secret(call, parse::<Input>(body)?.check()?)
        .await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        shared_secret: Base64::from(&response.shared_secret),
        key_agreement_algorithm: response.key_agreement_algorithm.as_str(),
        key_origin: response.key_origin.as_str(),
    };
    Reply::json(&output, response.shared_secret.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    key_agreement_algorithm: Option<Text>,
    public_key: Option<Blob>,
    grant_tokens: Option<List<Text>>,
    dry_run: Option<Flag>,
    recipient: Option<Object<Recipient>>,
}

impl Input {
    fn check(self) -> Result<DeriveSharedSecretRequest, Failure> {
        let mut checks = Checks::default();
        let request = DeriveSharedSecretRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            key_agreement_algorithm: checks.required_value(
                "keyAgreementAlgorithm",
                self.key_agreement_algorithm,
                KEY_AGREEMENT_ALGORITHMS,
                KeyAgreementAlgorithm::Ecdh,
            ),
            public_key: checks.required_public_blob("publicKey", self.public_key, MAX_PUBLIC_KEY),
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
    key_id: &'a str,
    shared_secret: Base64<'a>,
    key_agreement_algorithm: &'static str,
    key_origin: &'static str,
}
