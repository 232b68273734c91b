use bulla_model::MaterialId;
use bulla_service::{Call, ImportKeyMaterialRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Blob, Moment, Text, parse};
use super::validation::{
    Checks, EXPIRATION_MODELS, IMPORT_TYPES, KEY_ID, KEY_MATERIAL_DESCRIPTION, KEY_MATERIAL_ID, MAX_CIPHERTEXT,
};
use super::wire::{Failure, Reply, as_text_if_any};

/// Answers `ImportKeyMaterial`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .import_key_material(call, parse::<Input>(body)?.check()?)
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
    import_token: Option<Blob>,
    encrypted_key_material: Option<Blob>,
    valid_to: Option<Moment>,
    expiration_model: Option<Text>,
    import_type: Option<Text>,
    key_material_description: Option<Text>,
    key_material_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<ImportKeyMaterialRequest, Failure> {
        let mut checks = Checks::default();
        let request = ImportKeyMaterialRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            import_token: checks.required_public_blob("importToken", self.import_token, MAX_CIPHERTEXT),
            encrypted_key_material: checks.required_public_blob(
                "encryptedKeyMaterial",
                self.encrypted_key_material,
                MAX_CIPHERTEXT,
            ),
            valid_to: checks.moment(self.valid_to),
            expiration_model: checks
                .choice("expirationModel", self.expiration_model, EXPIRATION_MODELS)
                .and_then(|model| model.parse().ok()),
            import_type: checks
                .choice("importType", self.import_type, IMPORT_TYPES)
                .and_then(|import_type| import_type.parse().ok()),
            key_material_description: checks.text(
                "keyMaterialDescription",
                self.key_material_description,
                &KEY_MATERIAL_DESCRIPTION,
            ),
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
