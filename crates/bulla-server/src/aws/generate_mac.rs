use bulla_model::MacAlgorithm;
use bulla_service::{Call, GenerateMacRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Flag, List, Text, parse};
use super::validation::{Checks, KEY_ID, MAC_ALGORITHMS, MAX_PLAINTEXT};
use super::wire::{Base64, Failure, Reply};

/// Answers `GenerateMac`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.generate_mac(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        mac: Base64(&response.mac),
        mac_algorithm: response.mac_algorithm.as_str(),
        key_id: response.key_arn.as_str(),
    };
    Reply::json(&output, response.mac.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    message: Option<Blob>,
    key_id: Option<Text>,
    mac_algorithm: Option<Text>,
    grant_tokens: Option<List<Text>>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<GenerateMacRequest, Failure> {
        let mut checks = Checks::default();
        let request = GenerateMacRequest {
            message: checks.required_blob("message", self.message, MAX_PLAINTEXT),
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            mac_algorithm: checks.required_value(
                "macAlgorithm",
                self.mac_algorithm,
                MAC_ALGORITHMS,
                MacAlgorithm::HmacSha512,
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
    mac: Base64<'a>,
    mac_algorithm: &'static str,
    key_id: &'a str,
}
