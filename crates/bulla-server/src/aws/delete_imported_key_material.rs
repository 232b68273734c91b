use bulla_model::MaterialId;
use bulla_service::{Call, DeleteImportedKeyMaterialRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID, KEY_MATERIAL_ID};
use super::wire::{Failure, Reply, as_text_if_any};

/// Answers `DeleteImportedKeyMaterial`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .delete_imported_key_material(call, parse::<Input>(body)?.check()?)
        .await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        key_material_id: response.key_material_id,
    };
    Reply::json(&output, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    key_material_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<DeleteImportedKeyMaterialRequest, Failure> {
        let mut checks = Checks::default();
        let request = DeleteImportedKeyMaterialRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            key_material_id: checks
                .text("keyMaterialId", self.key_material_id, &KEY_MATERIAL_ID)
                .and_then(|id| id.parse().ok()),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    key_material_id: Option<MaterialId>,
}
