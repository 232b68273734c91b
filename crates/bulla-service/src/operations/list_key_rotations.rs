use std::sync::Arc;

use bulla_model::{
    ExpirationModel, ImportState, KeyId, KeyMaterialState, MaterialId, Operation as Asked, RotationType, Timestamp,
};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::entry::{Entry, KeyEntry, VersionEntry};
use crate::imported::row_of;
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError, pages};

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
    /// `KeyMaterialState`.
    pub state: KeyMaterialState,
    /// `KeyMaterialDescription`; imported material may have one.
    pub description: Option<String>,
    /// `ImportState`; `None` for material that was not imported.
    pub import_state: Option<ImportState>,
    /// `ExpirationModel`; `None` for material that was not imported.
    pub expiration_model: Option<ExpirationModel>,
    /// `ValidTo`, of imported material that expires.
    pub valid_to: Option<Timestamp>,
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
        self.core.run(call, &request).await
    }
}

impl Operation for ListKeyRotationsRequest {
    type Response = ListKeyRotationsResponse;

    const EVENT: EventKind = EventKind {
        name: "ListKeyRotations",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id)), ("limit", self.limit.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let limit = limits::page(self.limit, 100, 1000)?;
        let after = match pages::place("rotations", self.marker.as_deref())? {
            Some(last) => last.parse::<u32>().map_err(|_| ServiceError::InvalidMarker)?,
            None => 0,
        };
        let key = decision
            .authorise_key::<Self>("kms:ListKeyRotations", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::ListKeyRotations)?;
        let mut versions = versions_of(decision, &key.key).await?;
        versions.retain(|version| version.number > after && (self.include_all_material || version.rotation.is_some()));
        let more = versions.len() > limit;
        versions.truncate(limit);
        let next_marker = match versions.last() {
            Some(last) if more => Some(pages::marker("rotations", &last.number.to_string())),
            _ => None,
        };
        let mut rotations = Vec::with_capacity(versions.len());
        for version in &versions {
            let import = version.import.as_ref();
            let held = import.map(|_| version.is_held(decision.now));
            let state = match version.state_of(&key.key.body) {
                KeyMaterialState::PendingRotation => pending_state(decision, &key.key, version.id).await?,
                state => state,
            };
            rotations.push(RotationEntry {
                key_id: key.key.id.clone(),
                key_material_id: version.id,
                state,
                description: import.and_then(|import| import.description.clone()),
                import_state: held.map(|held| match held {
                    true => ImportState::Imported,
                    false => ImportState::PendingImport,
                }),
                expiration_model: import.filter(|_| held == Some(true)).map(|import| import.model),
                valid_to: version.valid_to.filter(|_| held == Some(true)),
                rotation_date: version.rotation.map(|_| version.created),
                rotation_type: version.rotation,
            });
        }
        Ok(ListKeyRotationsResponse { rotations, next_marker })
    }
}

/// What waits for its rotation waits first until every region has it.
async fn pending_state(
    decision: &mut Decision<'_>,
    key: &Arc<KeyEntry>,
    id: MaterialId,
) -> Result<KeyMaterialState, ServiceError> {
    for of_region in decision.in_all_regions(key).await? {
        let version = decision.version(&row_of(&of_region, id)?).await?;
        if !version.is_some_and(|version| version.is_held(decision.now)) {
            return Ok(KeyMaterialState::PendingMultiRegionImportAndRotation);
        }
    }
    Ok(KeyMaterialState::PendingRotation)
}

/// Reads all versions of a key, the oldest first.
pub(crate) async fn versions_of(
    decision: &Decision<'_>,
    key: &KeyEntry,
) -> Result<Vec<Arc<VersionEntry>>, ServiceError> {
    let mut versions: Vec<Arc<VersionEntry>> = Vec::new();
    let mut after: Option<Arc<str>> = None;
    loop {
        let filter = RowFilter::Owner(&key.row.id);
        let page = decision
            .core
            .rows
            .list(Table::KeyVersions, filter, after.as_deref(), PAGE)
            .await?;
        let full = page.len() == PAGE as usize;
        for entry in page {
            if let Entry::Version(version) = entry {
                after = Some(version.row.id.clone());
                versions.push(version);
            }
        }
        if !full {
            break;
        }
    }
    versions.sort_by_key(|version| version.number);
    Ok(versions)
}

/// The same where what is missing would decide: as many versions are permanently the key's as its row says.
///
/// Whoever changes versions writes the key's row, too, so a listing that overtook the row makes this decision stale.
pub(crate) async fn every_version_of(
    decision: &Decision<'_>,
    key: &KeyEntry,
) -> Result<Vec<Arc<VersionEntry>>, ServiceError> {
    let versions = versions_of(decision, key).await?;
    let pending = key.body.pending.as_ref().map(|pending| pending.id);
    let permanent = versions.iter().filter(|version| Some(version.id) != pending).count();
    if u32::try_from(permanent) != Ok(key.body.versions) {
        return Err(ServiceError::Tampered {
            table: Table::KeyVersions.name(),
            id: key.row.id.to_string(),
        });
    }
    Ok(versions)
}

/// Rows read at once.
const PAGE: u32 = 1_000;
