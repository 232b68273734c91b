//! Imports that fail half way, that two nodes make at once, and that find a store edited.

use bulla_model::{ImportType, KeyState};
use bulla_service::*;
use bulla_store::Table;

use crate::harness::*;
use crate::importing::*;
use crate::memory_store::Step;

#[tokio::test]
async fn a_failure_at_any_step_of_an_import_leaves_the_key_as_it_was() {
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
        let operator = h.operator();
        let id = symmetric_key(&h.service, &operator).await;
        let given = parameters(&h.service, &operator, &id).await;
        h.store.fail_at(Some(step));
        let failed = h
            .service
            .import_key_material(&operator, import_request(&id, &given, &[7; 32]))
            .await;
        assert!(matches!(failed, Err(ServiceError::Store(_))), "{step:?}");
        h.store.fail_at(None);
        let node = h.open(&h.store.another(), 4).await.expect("opens");
        assert_eq!(
            describe(&node, &operator, &id).await.state,
            KeyState::PendingImport,
            "{step:?}"
        );
        assert!(rotations(&node, &operator, &id).await.is_empty(), "{step:?}");
        node.import_key_material(&operator, import_request(&id, &given, &[7; 32]))
            .await
            .expect("imports");
        h.verify();
    }
}

#[tokio::test]
async fn of_two_new_materials_that_are_imported_at_once_through_two_nodes_one_is_taken() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (_, other) = h.node(77).await;
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    // The first import of all.
    let (a, b) = tokio::join!(
        h.service
            .import_key_material(&operator, import_request(&id, &given, &[1; 32])),
        other.import_key_material(&operator, import_request(&id, &given, &[2; 32])),
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    assert_eq!(rotations(&other, &operator, &id).await.len(), 1);
    // New material beside it.
    let new = |material: u8| ImportKeyMaterialRequest {
        import_type: Some(ImportType::NewKeyMaterial),
        ..import_request(&id, &given, &[material; 32])
    };
    let (a, b) = tokio::join!(
        h.service.import_key_material(&operator, new(3)),
        other.import_key_material(&operator, new(4)),
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    // Rotated by two at once: once.
    let request = || RotateKeyOnDemandRequest { key_id: id.clone() };
    let (a, b) = tokio::join!(
        h.service.rotate_key_on_demand(&operator, request()),
        other.rotate_key_on_demand(&operator, request()),
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    let listed = rotations(&h.service, &operator, &id).await;
    assert_eq!(listed.len(), 2);
    // Rotation against deletion of what it rotates to: either it was rotated, and then its material was deleted, or it was gone.
    h.service.import_key_material(&operator, new(5)).await.expect("imports");
    let pending = rotations(&h.service, &operator, &id).await[2].key_material_id;
    let deletion = DeleteImportedKeyMaterialRequest {
        key_id: id.clone(),
        key_material_id: Some(pending),
    };
    let (rotated, deleted) = tokio::join!(
        h.service.rotate_key_on_demand(&operator, request()),
        other.delete_imported_key_material(&operator, deletion),
    );
    deleted.expect("deletes");
    let listed = rotations(&other, &operator, &id).await;
    let key = describe(&other, &operator, &id).await;
    match rotated {
        Ok(_) => assert_eq!((listed.len(), key.state), (3, KeyState::PendingImport)),
        Err(_) => assert_eq!((listed.len(), key.state), (2, KeyState::Enabled)),
    }
    h.verify();
}

#[tokio::test]
async fn a_version_that_somebody_hides_from_the_listing_enables_nothing() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let import = async |material: u8, import_type| {
        let request = ImportKeyMaterialRequest {
            import_type,
            ..import_request(&id, &given, &[material; 32])
        };
        h.service.import_key_material(&operator, request).await
    };
    let first = import(1, None).await.expect("imports").key_material_id.expect("an id");
    import(2, Some(ImportType::NewKeyMaterial)).await.expect("imports");
    let request = RotateKeyOnDemandRequest { key_id: id.clone() };
    h.service
        .rotate_key_on_demand(&operator, request)
        .await
        .expect("rotates");
    let request = DeleteImportedKeyMaterialRequest {
        key_id: id.clone(),
        key_material_id: Some(first),
    };
    h.service
        .delete_imported_key_material(&operator, request)
        .await
        .expect("deletes");
    // Without the row of what is missing, nothing would be missing.
    h.store
        .edit()
        .rows
        .retain(|(table, row), _| *table != Table::KeyVersions || !row.ends_with(&first.to_string()));
    let refused = import(2, None).await;
    assert!(matches!(refused, Err(ServiceError::Tampered { .. })), "{refused:?}");
    assert_eq!(h.last_event()["errorCode"], "TamperedRow");
    assert_eq!(
        describe(&h.service, &operator, &id).await.state,
        KeyState::PendingImport
    );
}
