//! Rotation and imports of multi-Region keys: the primary's to decide, in every region at once.

use bulla_model::{ImportType, KeyMaterialState, KeyOrigin, KeyState, RotationType};
use bulla_service::*;

use crate::harness::*;
use crate::importing::*;
use crate::regions::*;

#[tokio::test]
async fn a_rotation_of_the_primary_reaches_every_region_in_one_change_set() {
    let h = Harness::new().await;
    let (us, eu, ap) = (h.operator(), in_region(&h.operator(), EU), in_region(&h.operator(), AP));
    let id = primary_key(&h).await.key_id.to_string();
    replicate(&h, &id, EU).await;
    replicate(&h, &id, AP).await;
    let before = encrypt(&h.service, &ap, &id).await;
    let (_, other) = h.node(6).await;
    // The other node has the replica in its cache.
    other.decrypt(&eu, decrypt_request(&before)).await.expect("opens");
    let revision = h.store.edit().head.as_ref().map(|head| head.metadata_revision);
    rotate(&h.service, &us, &id).await.expect("rotates");
    let after = h.store.edit().head.as_ref().map(|head| head.metadata_revision);
    assert_eq!(
        after,
        revision.map(|revision| revision + 1),
        "one revision for three regions"
    );
    let current = describe(&h.service, &us, &id).await.current_key_material_id;
    for call in [&us, &eu, &ap] {
        assert_eq!(describe(&other, call, &id).await.current_key_material_id, current);
        let made = other.encrypt(call, encrypt_request(&id)).await.expect("encrypts");
        assert_eq!(Some(made.key_material_id), current);
        for region in [&us, &eu, &ap] {
            for blob in [&before, &made.ciphertext_blob] {
                h.service
                    .decrypt(region, decrypt_request(blob))
                    .await
                    .expect("opens everywhere");
            }
        }
        let listed = rotations(&h.service, call, &id).await;
        assert_eq!(
            (listed.len(), listed[1].rotation_type, listed[1].state),
            (2, Some(RotationType::OnDemand), KeyMaterialState::Current)
        );
    }
    h.verify();
}

#[tokio::test]
async fn an_automatic_rotation_is_the_primarys_and_happens_once() {
    let h = Harness::new().await;
    let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
    let id = primary_key(&h).await.key_id.to_string();
    replicate(&h, &id, EU).await;
    let request = EnableKeyRotationRequest {
        key_id: id.clone(),
        rotation_period_in_days: Some(90),
    };
    h.service.enable_key_rotation(&us, request).await.expect("enables");
    h.days(90);
    let (_, other) = h.node(5).await;
    let (a, b) = tokio::join!(h.service.sweep(), other.sweep());
    assert_eq!(a.expect("sweeps").rotated + b.expect("sweeps").rotated, 1);
    for call in [&us, &eu] {
        let listed = rotations(&h.service, call, &id).await;
        assert_eq!(
            (listed.len(), listed[1].rotation_type),
            (2, Some(RotationType::Automatic))
        );
    }
    // A replica that is disabled does not keep the others from it; a primary that is, does.
    h.service
        .disable_key(&eu, DisableKeyRequest { key_id: id.clone() })
        .await
        .expect("disables");
    assert_eq!(describe(&h.service, &us, &id).await.state, KeyState::Enabled);
    h.days(90);
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 1);
    assert_eq!(rotations(&h.service, &eu, &id).await.len(), 3);
    h.service
        .disable_key(&us, DisableKeyRequest { key_id: id.clone() })
        .await
        .expect("disables");
    // However far the clock jumps, it rotates once, and not before it is enabled.
    h.days(900);
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 0);
    h.service
        .enable_key(&us, EnableKeyRequest { key_id: id.clone() })
        .await
        .expect("enables");
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 1);
    assert_eq!(h.service.sweep().await.expect("sweeps").rotated, 0);
    h.verify();
}

#[tokio::test]
async fn every_region_imports_the_material_of_a_key_of_its_own() {
    let h = Harness::new().await;
    let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
    let request = CreateKeyRequest {
        multi_region: true,
        origin: KeyOrigin::External,
        ..create_key_request()
    };
    let id = h
        .service
        .create_key(&us, request)
        .await
        .expect("creates")
        .key
        .key_id
        .to_string();
    let refused = h.service.replicate_key(&us, replicate_request(&id, EU)).await;
    assert_eq!(refusal(refused).0, "KMSInvalidStateException", "no material yet");
    let import = async |call: &Call, material: u8, import_type| {
        let given = parameters(&h.service, call, &id).await;
        let request = ImportKeyMaterialRequest {
            import_type,
            ..import_request(&id, &given, &[material; 32])
        };
        let imported = h.service.import_key_material(call, request).await;
        imported.map(|imported| imported.key_material_id.expect("an id"))
    };
    let first = import(&us, 1, None).await.expect("imports");
    let blob = encrypt(&h.service, &us, &id).await;
    replicate(&h, &id, EU).await;
    assert_eq!(describe(&h.service, &eu, &id).await.state, KeyState::PendingImport);
    // A token is of one region.
    let given = parameters(&h.service, &us, &id).await;
    let refused = h
        .service
        .import_key_material(&eu, import_request(&id, &given, &[1; 32]))
        .await;
    assert_eq!(refusal(refused).0, "InvalidImportTokenException");
    assert_eq!(
        refusal(import(&eu, 2, None).await).0,
        "IncorrectKeyMaterialException",
        "other material than the primary's"
    );
    assert_eq!(import(&eu, 1, None).await.expect("imports"), first);
    h.service
        .decrypt(&eu, decrypt_request(&blob))
        .await
        .expect("opens in the replica's region");

    // New material: the primary first, then every replica, then the rotation.
    assert_eq!(
        refusal(import(&eu, 2, Some(ImportType::NewKeyMaterial)).await).0,
        "UnsupportedOperationException"
    );
    let second = import(&us, 2, Some(ImportType::NewKeyMaterial)).await.expect("imports");
    let state = async |call: &Call| rotations(&h.service, call, &id).await[1].state;
    assert_eq!(state(&us).await, KeyMaterialState::PendingMultiRegionImportAndRotation);
    assert_eq!(
        refusal(rotate(&h.service, &us, &id).await).0,
        "KMSInvalidStateException",
        "a replica lacks it"
    );
    assert_eq!(
        import(&eu, 2, Some(ImportType::ExistingKeyMaterial))
            .await
            .expect("imports"),
        second
    );
    assert_eq!(
        (state(&us).await, state(&eu).await),
        (KeyMaterialState::PendingRotation, KeyMaterialState::PendingRotation)
    );
    rotate(&h.service, &us, &id).await.expect("rotates");
    for call in [&us, &eu] {
        assert_eq!(
            describe(&h.service, call, &id).await.current_key_material_id,
            Some(second)
        );
        h.service.decrypt(call, decrypt_request(&blob)).await.expect("opens");
    }
    // Deleting in a replica leaves the primary as it is.
    let delete = async |call: &Call, material| {
        let request = DeleteImportedKeyMaterialRequest {
            key_id: id.clone(),
            key_material_id: Some(material),
        };
        h.service
            .delete_imported_key_material(call, request)
            .await
            .expect("deletes")
    };
    delete(&eu, first).await;
    assert_eq!(describe(&h.service, &eu, &id).await.state, KeyState::PendingImport);
    assert_eq!(describe(&h.service, &us, &id).await.state, KeyState::Enabled);
    import(&eu, 1, None).await.expect("imports");
    // Deleting what waits in the primary deletes it in the replicas.
    let third = import(&us, 3, Some(ImportType::NewKeyMaterial)).await.expect("imports");
    import(&eu, 3, None).await.expect("imports");
    delete(&us, third).await;
    assert_eq!(rotations(&h.service, &eu, &id).await.len(), 2);
    assert_eq!(describe(&h.service, &eu, &id).await.state, KeyState::Enabled);
    h.verify();
}
