//! What tests of keys in several regions share.

use bulla_model::Tag;
use bulla_service::*;

use crate::harness::*;

pub(crate) const EU: &str = "eu-west-1";
pub(crate) const AP: &str = "ap-southeast-2";

/// The same caller, in another region.
pub(crate) fn in_region(call: &Call, region: &str) -> Call {
    Call {
        region: region.parse().expect("a region"),
        ..call.clone()
    }
}

pub(crate) async fn primary_key(h: &Harness) -> KeyMetadata {
    let request = CreateKeyRequest {
        multi_region: true,
        ..create_key_request()
    };
    h.service.create_key(&h.operator(), request).await.expect("creates").key
}

pub(crate) fn replicate_request(key_id: &str, region: &str) -> ReplicateKeyRequest {
    ReplicateKeyRequest {
        key_id: key_id.to_owned(),
        replica_region: region.parse().expect("a region"),
        policy: None,
        bypass_policy_lockout_safety_check: false,
        description: "the replica".to_owned(),
        tags: vec![Tag {
            key: "of".to_owned(),
            value: region.to_owned(),
        }],
    }
}

pub(crate) async fn replicate(h: &Harness, key_id: &str, region: &str) -> ReplicateKeyResponse {
    h.service
        .replicate_key(&h.operator(), replicate_request(key_id, region))
        .await
        .expect("replicates")
}

pub(crate) async fn rotate(
    service: &Service,
    call: &Call,
    key_id: &str,
) -> Result<RotateKeyOnDemandResponse, ServiceError> {
    let request = RotateKeyOnDemandRequest {
        key_id: key_id.to_owned(),
    };
    service.rotate_key_on_demand(call, request).await
}

pub(crate) async fn update_primary(
    service: &Service,
    call: &Call,
    key_id: &str,
    region: &str,
) -> Result<(), ServiceError> {
    let request = UpdatePrimaryRegionRequest {
        key_id: key_id.to_owned(),
        primary_region: region.parse().expect("a region"),
    };
    service.update_primary_region(call, request).await
}

pub(crate) async fn schedule(service: &Service, call: &Call, key_id: &str) -> ScheduleKeyDeletionResponse {
    let request = ScheduleKeyDeletionRequest {
        key_id: key_id.to_owned(),
        pending_window_in_days: Some(7),
    };
    service.schedule_key_deletion(call, request).await.expect("schedules")
}
