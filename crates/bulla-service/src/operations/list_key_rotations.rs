use bulla_model::{KeyId, MaterialId, RotationType, Timestamp};

use crate::{Call, Service, ServiceError};

/// What `ListKeyRotations` is asked.
#[derive(Debug, Clone)]
pub struct ListKeyRotationsRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Also the first material, and which is current (`IncludeKeyMaterial=ALL_KEY_MATERIAL`).
    pub include_all_material: bool,
    /// Most entries to answer, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// What `ListKeyRotations` answers.
#[derive(Debug, Clone)]
pub struct ListKeyRotationsResponse {
    /// Newest last.
    pub rotations: Vec<RotationEntry>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

/// A version of a key's material as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationEntry {
    /// `KeyId`: the key's ARN's last part.
    pub key_id: KeyId,
    /// `KeyMaterialId`.
    pub key_material_id: MaterialId,
    /// `KeyMaterialState` is `CURRENT` if true, else `NON_CURRENT`.
    pub current: bool,
    /// `RotationDate`; `None` for the first material.
    pub rotation_date: Option<Timestamp>,
    /// `RotationType`; `None` for the first material.
    pub rotation_type: Option<RotationType>,
}

impl Service {
    /// Lists the completed rotations of a key.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidMarker`, `AccessDenied`.
    pub async fn list_key_rotations(
        &self,
        call: &Call,
        request: ListKeyRotationsRequest,
    ) -> Result<ListKeyRotationsResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
