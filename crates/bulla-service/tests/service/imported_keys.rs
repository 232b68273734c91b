//! The life of keys whose material was imported: deleted material comes back, materials rotate, strangers learn nothing.

use bulla_model::{ImportState, ImportType, KeyMaterialState, KeyState};
use bulla_service::*;
use bulla_store::Table;

use crate::harness::*;
use crate::import::*;
use crate::importing::*;

#[tokio::test]
async fn deleted_material_brings_back_what_it_sealed_when_it_is_imported_again() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let described = ImportKeyMaterialRequest {
        key_material_description: Some("from the safe".to_owned()),
        ..import_request(&id, &given, &[7; 32])
    };
    let first = h
        .service
        .import_key_material(&operator, described)
        .await
        .expect("imports")
        .key_material_id;
    let blob = encrypt(&h.service, &operator, &id).await;
    assert_eq!(delete(&h.service, &operator, &id).await.key_material_id, first);
    assert_eq!(h.last_event()["eventName"], "DeleteImportedKeyMaterial");
    let wrapped = |h: &Harness| {
        let data = h.store.edit();
        let rows = data.rows.iter().filter(|((table, _), _)| *table == Table::KeyVersions);
        rows.filter(|(_, row)| row.owner.ends_with(&id))
            .any(|(_, row)| !String::from_utf8_lossy(&row.body).contains("\"wrapped_material\":null"))
    };
    assert!(!wrapped(&h), "nothing wrapped is left in the store");
    assert_eq!(
        refusal(h.service.decrypt(&operator, decrypt_request(&blob)).await).0,
        "KMSInvalidStateException"
    );
    let listed = rotations(&h.service, &operator, &id).await;
    let entry = listed[0].clone();
    assert_eq!(
        (
            listed.len(),
            entry.import_state,
            entry.expiration_model,
            entry.description
        ),
        (
            1,
            Some(ImportState::PendingImport),
            None,
            Some("from the safe".to_owned())
        )
    );
    // Deleting what is not there has no effect.
    delete(&h.service, &operator, &id).await;
    let again = h
        .service
        .import_key_material(&operator, import_request(&id, &given, &[7; 32]))
        .await
        .expect("imports");
    assert_eq!(again.key_material_id, first);
    let opened = h
        .service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");
    assert_eq!(opened.plaintext.expose_secret(), b"the plaintext");
    let listed = rotations(&h.service, &operator, &id).await;
    assert_eq!(
        (listed[0].import_state, listed[0].description.as_deref()),
        (Some(ImportState::Imported), Some("from the safe"))
    );
    let request = DeleteImportedKeyMaterialRequest {
        key_id: id.clone(),
        key_material_id: Some("ab".repeat(32).parse().expect("an id")),
    };
    assert_eq!(
        refusal(h.service.delete_imported_key_material(&operator, request).await).0,
        "NotFoundException"
    );
    h.verify();
}

#[tokio::test]
async fn a_key_pending_deletion_loses_its_material_and_keeps_its_state() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    h.service
        .import_key_material(&operator, import_request(&id, &given, &[7; 32]))
        .await
        .expect("imports");
    let request = ScheduleKeyDeletionRequest {
        key_id: id.clone(),
        pending_window_in_days: Some(7),
    };
    h.service
        .schedule_key_deletion(&operator, request)
        .await
        .expect("schedules");
    delete(&h.service, &operator, &id).await;
    assert_eq!(
        describe(&h.service, &operator, &id).await.state,
        KeyState::PendingDeletion
    );
    let refused = h
        .service
        .import_key_material(&operator, import_request(&id, &given, &[7; 32]))
        .await;
    assert_eq!(refusal(refused).0, "KMSInvalidStateException");
    // Without material, a key whose deletion is cancelled is not merely disabled: enabling it would not make it work.
    h.service
        .cancel_key_deletion(&operator, CancelKeyDeletionRequest { key_id: id.clone() })
        .await
        .expect("cancels");
    assert_eq!(
        describe(&h.service, &operator, &id).await.state,
        KeyState::PendingImport
    );
}

#[tokio::test]
async fn imported_keys_rotate_to_material_that_was_imported_for_it() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let import = async |material: u8, import_type| {
        let request = ImportKeyMaterialRequest {
            import_type,
            ..import_request(&id, &given, &[material; 32])
        };
        h.service
            .import_key_material(&operator, request)
            .await
            .expect("imports")
            .key_material_id
            .expect("an id")
    };
    let rotate = async || {
        let request = RotateKeyOnDemandRequest { key_id: id.clone() };
        h.service.rotate_key_on_demand(&operator, request).await
    };
    let first = import(1, None).await;
    let blob = encrypt(&h.service, &operator, &id).await;
    let (code, message) = refusal(rotate().await);
    let arn = describe(&h.service, &operator, &id).await.arn;
    assert_eq!(
        (code, message),
        (
            "KMSInvalidStateException",
            format!("No available key material pending rotation for the key: {arn}.")
        )
    );
    let second = import(2, Some(ImportType::NewKeyMaterial)).await;
    let states = async || {
        let listed = rotations(&h.service, &operator, &id).await;
        listed
            .iter()
            .map(|entry| (entry.key_material_id, entry.state))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states().await,
        [
            (first, KeyMaterialState::Current),
            (second, KeyMaterialState::PendingRotation)
        ]
    );
    rotate().await.expect("rotates");
    assert_eq!(
        states().await,
        [
            (first, KeyMaterialState::NonCurrent),
            (second, KeyMaterialState::Current)
        ]
    );
    assert_eq!(
        describe(&h.service, &operator, &id).await.current_key_material_id,
        Some(second)
    );
    let newer = encrypt(&h.service, &operator, &id).await;
    for sealed in [&blob, &newer] {
        h.service
            .decrypt(&operator, decrypt_request(sealed))
            .await
            .expect("decrypts");
    }
    // Every material that the key ever had is needed.
    let request = DeleteImportedKeyMaterialRequest {
        key_id: id.clone(),
        key_material_id: Some(first),
    };
    h.service
        .delete_imported_key_material(&operator, request)
        .await
        .expect("deletes");
    assert_eq!(
        refusal(h.service.decrypt(&operator, decrypt_request(&newer)).await).0,
        "KMSInvalidStateException"
    );
    import(1, None).await;
    h.service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");
    // Automatic rotation is not for imported material.
    let request = EnableKeyRotationRequest {
        key_id: id.clone(),
        rotation_period_in_days: None,
    };
    assert_eq!(
        refusal(h.service.enable_key_rotation(&operator, request).await).0,
        "UnsupportedOperationException"
    );
    // What waits for its rotation can be taken back, and is forgotten.
    let third = import(3, Some(ImportType::NewKeyMaterial)).await;
    let request = DeleteImportedKeyMaterialRequest {
        key_id: id.clone(),
        key_material_id: Some(third),
    };
    h.service
        .delete_imported_key_material(&operator, request)
        .await
        .expect("deletes");
    assert_eq!(states().await.len(), 2);
    assert_eq!(describe(&h.service, &operator, &id).await.state, KeyState::Enabled);
    import(4, Some(ImportType::NewKeyMaterial)).await;
    h.verify();
}

#[tokio::test]
async fn a_key_of_imported_material_rotates_25_times_on_demand() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    for round in 0..=26_u8 {
        let request = ImportKeyMaterialRequest {
            import_type: Some(ImportType::NewKeyMaterial),
            ..import_request(&id, &given, &[round; 32])
        };
        h.service
            .import_key_material(&operator, request)
            .await
            .expect("imports");
        if round == 0 {
            continue;
        }
        let request = RotateKeyOnDemandRequest { key_id: id.clone() };
        let rotated = h.service.rotate_key_on_demand(&operator, request).await;
        if round <= 25 {
            rotated.expect("rotates");
        } else {
            assert_eq!(refusal(rotated).0, "LimitExceededException");
        }
    }
    assert_eq!(rotations(&h.service, &operator, &id).await.len(), 27);
}

#[tokio::test]
async fn who_may_not_learns_nothing_and_leaves_an_event() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let (_, user) = h.user("ann", bulla_model::Role::User).await;
    let refused = h
        .service
        .get_parameters_for_import(&user, parameters_request(&id))
        .await;
    assert_eq!(refusal(refused).0, "AccessDeniedException");
    let refused = h
        .service
        .import_key_material(&user, import_request(&id, &given, &[7; 32]))
        .await;
    assert_eq!(refusal(refused).0, "AccessDeniedException");
    let request = DeleteImportedKeyMaterialRequest {
        key_id: id.clone(),
        key_material_id: None,
    };
    assert_eq!(
        refusal(h.service.delete_imported_key_material(&user, request).await).0,
        "AccessDeniedException"
    );
    let events = h.events();
    for (event, name) in events[events.len() - 3..].iter().zip([
        "GetParametersForImport",
        "ImportKeyMaterial",
        "DeleteImportedKeyMaterial",
    ]) {
        assert_eq!(
            (&event["eventName"], &event["errorCode"]),
            (&name.into(), &"AccessDeniedException".into())
        );
    }
    assert_eq!(
        describe(&h.service, &operator, &id).await.state,
        KeyState::PendingImport
    );
}

#[tokio::test]
async fn keys_of_one_material_have_ids_of_their_own_and_open_nothing_of_each_others() {
    let h = Harness::new().await;
    let operator = h.operator();
    let mut made = Vec::new();
    for _ in 0..2 {
        let id = symmetric_key(&h.service, &operator).await;
        let given = parameters(&h.service, &operator, &id).await;
        let imported = h
            .service
            .import_key_material(&operator, import_request(&id, &given, &[7; 32]))
            .await
            .expect("imports");
        made.push((
            id.clone(),
            imported.key_material_id,
            encrypt(&h.service, &operator, &id).await,
        ));
    }
    assert_ne!(made[0].1, made[1].1);
    let request = DecryptRequest {
        key_id: Some(made[1].0.clone()),
        ..decrypt_request(&made[0].2)
    };
    assert_eq!(
        refusal(h.service.decrypt(&operator, request).await).0,
        "IncorrectKeyException"
    );
}
