use bulla_model::{KeyMaterialState, RotationType};
use bulla_service::*;

use crate::harness::*;

fn rotations(key_id: &str, all: bool, limit: Option<u32>, marker: Option<String>) -> ListKeyRotationsRequest {
    ListKeyRotationsRequest {
        key_id: key_id.to_owned(),
        include_all_material: all,
        limit,
        marker,
    }
}

async fn rotate(h: &Harness, id: &str) {
    h.service
        .rotate_key_on_demand(&h.operator(), RotateKeyOnDemandRequest { key_id: id.to_owned() })
        .await
        .expect("rotates");
}

#[tokio::test]
async fn what_was_encrypted_before_two_rotations_decrypts_after_a_restart_with_empty_caches() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    let id = key.key_id.to_string();
    let mut made = Vec::new();
    for round in 0..3 {
        if round > 0 {
            rotate(&h, &id).await;
        }
        made.push(
            h.service
                .encrypt(&operator, encrypt_request(&id))
                .await
                .expect("encrypts"),
        );
    }
    h.service.shutdown().await;
    let reopened = h.open(&h.store, 4).await.expect("opens");
    for made in &made {
        let opened = reopened
            .decrypt(&operator, decrypt_request(&made.ciphertext_blob))
            .await
            .expect("decrypts");
        assert_eq!(opened.plaintext.expose_secret(), b"the plaintext");
        assert_eq!(opened.key_material_id, made.key_material_id);
    }
    let materials: std::collections::BTreeSet<_> = made.iter().map(|made| made.key_material_id).collect();
    assert_eq!(materials.len(), 3);
    h.verify();
}

#[tokio::test]
async fn a_key_is_rotated_on_demand_25_times_and_lists_them_in_pages() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    let id = key.key_id.to_string();
    for _ in 0..25 {
        rotate(&h, &id).await;
    }
    let (code, message) = refusal(
        h.service
            .rotate_key_on_demand(&operator, RotateKeyOnDemandRequest { key_id: id.clone() })
            .await,
    );
    assert_eq!(code, "LimitExceededException");
    assert!(
        message.starts_with("The on-demand rotations limit has been reached"),
        "{message}"
    );
    let (mut listed, mut marker) = (Vec::new(), None);
    loop {
        let page = h
            .service
            .list_key_rotations(&operator, rotations(&id, false, Some(10), marker))
            .await
            .expect("lists");
        listed.extend(page.rotations);
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), 25);
    assert!(
        listed
            .iter()
            .all(|entry| entry.rotation_type == Some(RotationType::OnDemand))
    );
    assert_eq!(
        listed
            .iter()
            .filter(|entry| entry.state == KeyMaterialState::Current)
            .count(),
        1
    );
    assert_eq!(listed[24].state, KeyMaterialState::Current);
    let all = h
        .service
        .list_key_rotations(&operator, rotations(&id, true, None, None))
        .await
        .expect("lists")
        .rotations;
    assert_eq!(
        (all.len(), all[0].rotation_date, all[0].key_material_id),
        (26, None, key.current_key_material_id.expect("an id"))
    );
}

#[tokio::test]
async fn automatic_rotation_happens_when_it_is_due_and_not_before() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    let id = key.key_id.to_string();
    let status = async || {
        let request = GetKeyRotationStatusRequest { key_id: id.clone() };
        h.service
            .get_key_rotation_status(&operator, request)
            .await
            .expect("tells")
    };
    assert!(!status().await.enabled);
    for days in [89, 2561] {
        let request = EnableKeyRotationRequest {
            key_id: id.clone(),
            rotation_period_in_days: Some(days),
        };
        assert_eq!(
            refusal(h.service.enable_key_rotation(&operator, request).await).0,
            "ValidationException"
        );
    }
    let request = EnableKeyRotationRequest {
        key_id: id.clone(),
        rotation_period_in_days: None,
    };
    h.service
        .enable_key_rotation(&operator, request)
        .await
        .expect("enables");
    assert_eq!(
        (status().await.enabled, status().await.rotation_period_in_days),
        (true, Some(365))
    );
    assert_eq!(status().await.next_rotation, Some(key.created.plus_days(365)));
    let blob = encrypt(&h.service, &operator, &id).await;
    h.days(364);
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 0);
    h.days(1);
    // Two nodes sweep at once; the key rotates once.
    let (_, other) = h.node(5).await;
    let (a, b) = tokio::join!(h.service.sweep(), other.sweep());
    assert_eq!(a.expect("sweeps").rotated + b.expect("sweeps").rotated, 1);
    assert_eq!(status().await.next_rotation, Some(key.created.plus_days(730)));
    let listed = h
        .service
        .list_key_rotations(&operator, rotations(&id, false, None, None))
        .await
        .expect("lists")
        .rotations;
    assert_eq!(
        (listed.len(), listed[0].rotation_type),
        (1, Some(RotationType::Automatic))
    );
    h.service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");

    h.service
        .disable_key_rotation(&operator, DisableKeyRotationRequest { key_id: id.clone() })
        .await
        .expect("stops");
    h.days(400);
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 0);
    let names = by_name(&h.events());
    assert!(names["RotateKey"] >= 1);
    h.verify();
}

#[tokio::test]
async fn a_disabled_key_waits_with_its_rotation() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    let id = key.key_id.to_string();
    let request = EnableKeyRotationRequest {
        key_id: id.clone(),
        rotation_period_in_days: Some(90),
    };
    h.service
        .enable_key_rotation(&operator, request)
        .await
        .expect("enables");
    h.service
        .disable_key(&operator, DisableKeyRequest { key_id: id.clone() })
        .await
        .expect("disables");
    h.days(90);
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 0);
    h.service
        .enable_key(&operator, EnableKeyRequest { key_id: id })
        .await
        .expect("enables");
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 1);
}
