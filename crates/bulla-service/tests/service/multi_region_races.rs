//! Several regions of one key, changed by operations that fail half way and by two nodes at once.

use bulla_model::KeyState;
use bulla_service::*;

use crate::harness::*;
use crate::importing::*;
use crate::memory_store::Step;
use crate::regions::*;

#[tokio::test]
async fn a_failure_at_any_step_leaves_no_region_ahead_of_another() {
    for step in [
        Step::Begin,
        Step::PutRow,
        Step::Changes,
        Step::Events,
        Step::Checkpoint,
        Step::PutHead,
        Step::Commit,
    ] {
        let h = Harness::new().await;
        let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
        let id = primary_key(&h).await.key_id.to_string();
        h.store.fail_at(Some(step));
        let failed = h.service.replicate_key(&us, replicate_request(&id, EU)).await;
        assert!(matches!(failed, Err(ServiceError::Store(_))), "{step:?}");
        h.store.fail_at(None);
        let request = DescribeKeyRequest {
            key_id: id.clone(),
            grant_tokens: Vec::new(),
        };
        assert_eq!(
            refusal(h.service.describe_key(&eu, request).await).0,
            "NotFoundException"
        );
        replicate(&h, &id, EU).await;
        h.store.fail_at(Some(step));
        rotate(&h.service, &us, &id).await.expect_err("fails");
        update_primary(&h.service, &us, &id, EU).await.expect_err("fails");
        h.store.fail_at(None);
        let node = h.open(&h.store.another(), 4).await.expect("opens");
        let (a, b) = (describe(&node, &us, &id).await, describe(&node, &eu, &id).await);
        assert_eq!(a.current_key_material_id, b.current_key_material_id, "{step:?}");
        assert_eq!(
            a.multi_region.expect("a multi-Region key").primary,
            b.multi_region.expect("a multi-Region key").primary
        );
        assert_eq!(rotations(&node, &eu, &id).await.len(), 1, "{step:?}");
        h.verify();
    }
}

#[tokio::test]
async fn two_nodes_that_change_regions_at_once_leave_one_legal_history() {
    let h = Harness::new().await;
    let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
    let (_, other) = h.node(77).await;
    for _ in 0..8 {
        let id = primary_key(&h).await.key_id.to_string();
        // A rotation against a replication: the replica has all material, whichever was first.
        let (rotated, replicated) = tokio::join!(
            rotate(&h.service, &us, &id),
            other.replicate_key(&us, replicate_request(&id, EU)),
        );
        rotated.expect("rotates");
        replicated.expect("replicates");
        let (a, b) = (describe(&h.service, &us, &id).await, describe(&other, &eu, &id).await);
        assert_eq!(a.current_key_material_id, b.current_key_material_id);
        assert_eq!(
            rotations(&h.service, &us, &id).await.len(),
            rotations(&other, &eu, &id).await.len()
        );
        // Two replications to two regions: both are known everywhere.
        let (one, two) = tokio::join!(
            h.service.replicate_key(&us, replicate_request(&id, AP)),
            other.replicate_key(&us, replicate_request(&id, "ca-central-1")),
        );
        one.expect("replicates");
        two.expect("replicates");
        let configuration = describe(&h.service, &eu, &id).await.multi_region;
        assert_eq!(configuration.expect("a multi-Region key").replicas.len(), 3);
        // A move of the primary against a rotation by the old one: the rotation came before it, or is refused.
        let (moved, rotated) = tokio::join!(update_primary(&h.service, &us, &id, EU), rotate(&other, &us, &id),);
        moved.expect("moves");
        let count = rotations(&h.service, &eu, &id).await.len();
        assert_eq!(count, if rotated.is_ok() { 3 } else { 2 });
        // A rotation against a change of a replica's own: neither loses the other's.
        let disable = DisableKeyRequest { key_id: id.clone() };
        let (rotated, disabled) = tokio::join!(rotate(&h.service, &eu, &id), other.disable_key(&us, disable));
        rotated.expect("rotates");
        disabled.expect("disables");
        let (a, b) = (describe(&h.service, &us, &id).await, describe(&other, &eu, &id).await);
        assert_eq!(a.current_key_material_id, b.current_key_material_id);
        assert_eq!((a.state, b.state), (KeyState::Disabled, KeyState::Enabled));
    }
    h.verify();
}
