use bulla_model::{ExpirationModel, ImportState, MaterialId, RotationType};
use bulla_service::{Call, ListKeyRotationsRequest, RotationEntry, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Text, parse};
use super::validation::{Checks, INCLUDE_KEY_MATERIAL, KEY_ID, MARKER};
use super::wire::{Failure, Reply, Seconds, as_text};

/// Answers `ListKeyRotations`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let request = parse::<Input>(body)?.check()?;
    let all_material = request.include_all_material;
    let response = service.list_key_rotations(call, request).await?;
    let rotations = response
        .rotations
        .iter()
        .map(|entry| Entry::of(entry, all_material))
        .collect();
    let next_marker = response.next_marker.as_deref();
    Reply::json(
        &Output {
            rotations,
            next_marker,
            truncated: next_marker.is_some(),
        },
        response.rotations.len() * 192,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    include_key_material: Option<Text>,
    limit: Option<Number>,
    marker: Option<Text>,
}

impl Input {
    fn check(self) -> Result<ListKeyRotationsRequest, Failure> {
        let mut checks = Checks::default();
        let include = checks.choice("includeKeyMaterial", self.include_key_material, INCLUDE_KEY_MATERIAL);
        let request = ListKeyRotationsRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            include_all_material: include.as_deref() == Some("ALL_KEY_MATERIAL"),
            limit: checks.number("limit", self.limit, 1, 1000),
            marker: checks.text("marker", self.marker, &MARKER),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    rotations: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<&'a str>,
    truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    key_id: &'a str,
    #[serde(serialize_with = "as_text")]
    key_material_id: MaterialId,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_material_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    import_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_material_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_model: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_date: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_type: Option<&'static str>,
}

impl<'a> Entry<'a> {
    /// `KeyMaterialState` is there only where all material was asked for, as AWS has it.
    fn of(entry: &'a RotationEntry, all_material: bool) -> Self {
        Self {
            key_id: entry.key_id.as_str(),
            key_material_id: entry.key_material_id,
            key_material_description: entry.description.as_deref(),
            import_state: entry.import_state.map(ImportState::as_str),
            key_material_state: all_material.then_some(entry.state.as_str()),
            expiration_model: entry.expiration_model.map(ExpirationModel::as_str),
            valid_to: entry.valid_to.map(Seconds),
            rotation_date: entry.rotation_date.map(Seconds),
            rotation_type: entry.rotation_type.map(RotationType::as_str),
        }
    }
}
