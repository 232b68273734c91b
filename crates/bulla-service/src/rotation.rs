//! New material for a key, made here or imported before: in all its regions at once.

use std::sync::Arc;

use bulla_model::{KeyOrigin, MaterialId, RotationType};
use bulla_store::Table;

use crate::ServiceError;
use crate::bodies::{ExpirationBody, KeyBody, KeyVersionBody, RotationBody};
use crate::decision::Decision;
use crate::entry::KeyEntry;
use crate::imported::row_of;
use crate::key_material::{NewVersion, generate_material};

/// Rotates a symmetric encryption key that is no replica; tells its new material.
///
/// `schedule` is that of its next automatic rotation.
pub(crate) async fn rotate(
    decision: &mut Decision<'_>,
    key: &Arc<KeyEntry>,
    rotation_type: RotationType,
    schedule: Option<RotationBody>,
) -> Result<MaterialId, ServiceError> {
    let keys = decision.in_all_regions(key).await?;
    let current = match key.body.origin {
        KeyOrigin::External => promote(decision, key, &keys, rotation_type).await?,
        _ => make(decision, key, &keys, rotation_type).await?,
    };
    let on_demand = u32::from(rotation_type == RotationType::OnDemand);
    decision.put_keys(&keys, |of_region| KeyBody {
        current: Some(current),
        versions: key.body.versions + 1,
        on_demand_rotations: key.body.on_demand_rotations + on_demand,
        rotation: schedule.clone(),
        expiration: with_pending(&of_region.body),
        pending: None,
        ..of_region.body.clone()
    });
    decision.used(current);
    Ok(current)
}

/// Makes material, the same for every region.
async fn make(
    decision: &mut Decision<'_>,
    key: &KeyEntry,
    keys: &[Arc<KeyEntry>],
    rotation_type: RotationType,
) -> Result<MaterialId, ServiceError> {
    let (spec, number) = (key.body.spec, key.body.versions + 1);
    let (stored, current) = generate_material(decision.core, spec, &key.id).await?;
    for of_region in keys {
        NewVersion::made(&of_region.row.id, spec, &stored, current, number, Some(rotation_type)).put(decision)?;
    }
    Ok(current)
}

/// Makes what was imported for it current; every region must have it.
async fn promote(
    decision: &mut Decision<'_>,
    key: &KeyEntry,
    keys: &[Arc<KeyEntry>],
    rotation_type: RotationType,
) -> Result<MaterialId, ServiceError> {
    let none = || {
        ServiceError::InvalidState(format!(
            "No available key material pending rotation for the key: {}.",
            key.arn
        ))
    };
    let pending = key.body.pending.as_ref().ok_or_else(none)?.id;
    for of_region in keys {
        let row = row_of(of_region, pending)?;
        let version = decision.version(&row).await?;
        let version = version
            .filter(|version| version.is_held(decision.now))
            .ok_or_else(none)?;
        let body = KeyVersionBody {
            created: decision.now,
            rotation: Some(rotation_type),
            state: None,
            ..version.body()
        };
        decision.put(Table::KeyVersions, &row, &of_region.row.id, &body);
    }
    Ok(pending)
}

/// When a key's material ends, once what waited for its rotation is permanently the key's.
fn with_pending(body: &KeyBody) -> Option<ExpirationBody> {
    let ends = [
        body.expiration.as_ref().map(|expiration| expiration.valid_to),
        body.pending.as_ref().map(|pending| pending.valid_to),
    ];
    // Of a replica it may be all that is there.
    let is_any_there = ends.iter().any(Option::is_some);
    is_any_there.then(|| ExpirationBody::of(ends.into_iter().flatten().flatten().min()))
}
