use bulla_model::{WrappingAlgorithm, WrappingKeySpec};
use bulla_service::{Call, GetParametersForImportRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID, WRAPPING_ALGORITHMS, WRAPPING_KEY_SPECS};
use super::wire::{Base64, Failure, Reply, Seconds};

/// Answers `GetParametersForImport`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let request = parse::<Input>(body)?.check()?;
    let response = service.get_parameters_for_import(call, request).await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        import_token: Base64(&response.import_token),
        public_key: Base64(&response.public_key),
        parameters_valid_to: Seconds(response.valid_to),
    };
    Reply::json(&output, response.import_token.len() + response.public_key.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    wrapping_algorithm: Option<Text>,
    wrapping_key_spec: Option<Text>,
}

impl Input {
    fn check(self) -> Result<GetParametersForImportRequest, Failure> {
        let mut checks = Checks::default();
        let request = GetParametersForImportRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            wrapping_algorithm: checks
                .required_choice("wrappingAlgorithm", self.wrapping_algorithm, WRAPPING_ALGORITHMS)
                .parse()
                .unwrap_or(WrappingAlgorithm::RsaesOaepSha256),
            wrapping_key_spec: checks
                .required_choice("wrappingKeySpec", self.wrapping_key_spec, WRAPPING_KEY_SPECS)
                .parse()
                .unwrap_or(WrappingKeySpec::Rsa4096),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
    import_token: Base64<'a>,
    public_key: Base64<'a>,
    parameters_valid_to: Seconds,
}
