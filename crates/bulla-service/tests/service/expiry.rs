use std::time::Duration;

use bulla_model::{ExpirationModel, ImportState, ImportType, KeyState, Timestamp};
use bulla_service::*;

use crate::harness::*;
use crate::importing::*;

const MICROSECOND: Duration = Duration::from_micros(1);

async fn entries(h: &Harness, key_id: &str) -> Vec<RotationEntry> {
    let request = ListKeyRotationsRequest {
        key_id: key_id.to_owned(),
        include_all_material: true,
        limit: None,
        marker: None,
    };
    h.service
        .list_key_rotations(&h.operator(), request)
        .await
        .expect("lists")
        .rotations
}

async fn import(h: &Harness, request: ImportKeyMaterialRequest) -> Result<ImportKeyMaterialResponse, ServiceError> {
    h.service.import_key_material(&h.operator(), request).await
}

fn hour(from: Timestamp) -> Timestamp {
    from.plus_micros(3_600_000_000)
}

#[tokio::test]
async fn the_end_of_material_lies_between_now_and_365_days() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let now = h.clock_now();
    for end in [now, now.plus_micros(-1), now.plus_days(365).plus_micros(1)] {
        let refused = import(&h, import_until(&id, &given, &[7; 32], end)).await;
        assert_eq!(refusal(refused).0, "ValidationException", "{end}");
    }
    // Expiring is the default, and wants an end; what does not expire has none.
    let mut request = import_request(&id, &given, &[7; 32]);
    request.expiration_model = None;
    assert_eq!(
        refusal(import(&h, request).await),
        (
            "ValidationException",
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES".to_owned()
        )
    );
    let mut request = import_request(&id, &given, &[7; 32]);
    request.valid_to = Some(hour(now));
    assert_eq!(refusal(import(&h, request).await).0, "ValidationException");
    for end in [now.plus_micros(1), now.plus_days(365)] {
        let mut request = import_until(&id, &given, &[7; 32], end);
        request.expiration_model = None;
        import(&h, request).await.expect("imports");
        let key = describe(&h.service, &operator, &id).await;
        assert_eq!(
            (key.valid_to, key.expiration_model),
            (Some(end), Some(ExpirationModel::Expires))
        );
    }
}

#[tokio::test]
async fn material_is_refused_from_the_instant_of_its_end_and_deleted_by_the_sweep() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let end = hour(h.clock_now());
    let first = import(&h, import_until(&id, &given, &[7; 32], end))
        .await
        .expect("imports");
    let blob = encrypt(&h.service, &operator, &id).await;
    h.clock.advance(Duration::from_secs(3600) - MICROSECOND);
    encrypt(&h.service, &operator, &id).await;
    assert_eq!(h.service.sweep().await.expect("sweeps").expired, 0);
    h.clock.advance(MICROSECOND);
    // Not swept yet, on no node.
    let (_, other) = h.node(5).await;
    for service in [&h.service, &other] {
        for refused in [
            refusal(service.encrypt(&operator, encrypt_request(&id)).await).0,
            refusal(service.decrypt(&operator, decrypt_request(&blob)).await).0,
        ] {
            assert_eq!(refused, "KMSInvalidStateException");
        }
        let key = describe(service, &operator, &id).await;
        assert_eq!(key.state, KeyState::PendingImport);
    }
    assert_eq!(entries(&h, &id).await[0].import_state, Some(ImportState::PendingImport));
    // Swept by two at once, deleted once.
    let (a, b) = tokio::join!(h.service.sweep(), other.sweep());
    assert_eq!(a.expect("sweeps").expired + b.expect("sweeps").expired, 1);
    assert!(by_name(&h.events())["DeleteExpiredKeyMaterial"] >= 1);
    let wrapped = h.store.edit().rows.iter().any(|((_, row), content)| {
        row.contains("us-east-1")
            && content.owner.ends_with(&id)
            && String::from_utf8_lossy(&content.body).contains("\"wrapped_material\":\"")
    });
    assert!(!wrapped, "it is gone from the store");
    assert_eq!(h.service.sweep().await.expect("sweeps").expired, 0);
    // The same material brings the key and its ciphertexts back.
    let given = parameters(&h.service, &operator, &id).await;
    let again = import(&h, import_request(&id, &given, &[7; 32]))
        .await
        .expect("imports");
    assert_eq!(again.key_material_id, first.key_material_id);
    let opened = h
        .service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("opens");
    assert_eq!(opened.plaintext.expose_secret(), b"the plaintext");
    let key = describe(&h.service, &operator, &id).await;
    assert_eq!(
        (key.state, key.valid_to, key.expiration_model),
        (KeyState::Enabled, None, Some(ExpirationModel::DoesNotExpire))
    );
    h.verify();
}

#[tokio::test]
async fn importing_again_before_the_end_moves_it() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let end = hour(h.clock_now());
    import(&h, import_until(&id, &given, &[7; 32], end))
        .await
        .expect("imports");
    import(&h, import_until(&id, &given, &[7; 32], hour(end)))
        .await
        .expect("imports");
    h.clock.advance(Duration::from_secs(3600));
    assert_eq!(h.service.sweep().await.expect("sweeps").expired, 0);
    encrypt(&h.service, &operator, &id).await;
    // After a clock that jumps far ahead, one sweep does what is due.
    h.days(3000);
    assert_eq!(h.service.sweep().await.expect("sweeps").expired, 1);
    // A clock that falls back brings nothing back.
    h.clock.set(end.as_micros());
    assert_eq!(
        refusal(h.service.encrypt(&operator, encrypt_request(&id)).await).0,
        "KMSInvalidStateException"
    );
}

#[tokio::test]
async fn a_key_ends_with_the_first_of_its_materials_to_end() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let (soon, later) = (hour(h.clock_now()), hour(hour(h.clock_now())));
    import(&h, import_until(&id, &given, &[1; 32], soon))
        .await
        .expect("imports");
    let new = ImportKeyMaterialRequest {
        import_type: Some(ImportType::NewKeyMaterial),
        ..import_until(&id, &given, &[2; 32], later)
    };
    import(&h, new).await.expect("imports");
    // What waits for its rotation does not count.
    assert_eq!(describe(&h.service, &operator, &id).await.valid_to, Some(soon));
    let request = RotateKeyOnDemandRequest { key_id: id.clone() };
    h.service
        .rotate_key_on_demand(&operator, request)
        .await
        .expect("rotates");
    assert_eq!(describe(&h.service, &operator, &id).await.valid_to, Some(soon));
    let blob = encrypt(&h.service, &operator, &id).await;
    h.clock.advance(Duration::from_secs(3600));
    // The current material is there, and an earlier one is not: the key waits for it.
    assert_eq!(
        refusal(h.service.decrypt(&operator, decrypt_request(&blob)).await).0,
        "KMSInvalidStateException"
    );
    assert_eq!(h.service.sweep().await.expect("sweeps").expired, 1);
    let given = parameters(&h.service, &operator, &id).await;
    import(&h, import_request(&id, &given, &[1; 32]))
        .await
        .expect("imports");
    assert_eq!(describe(&h.service, &operator, &id).await.valid_to, Some(later));
    h.service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");
    h.verify();
}

#[tokio::test]
async fn material_that_expires_before_its_rotation_gives_its_place_up() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    import(&h, import_request(&id, &given, &[1; 32]))
        .await
        .expect("imports");
    let new = |material: u8, end| ImportKeyMaterialRequest {
        import_type: Some(ImportType::NewKeyMaterial),
        ..import_until(&id, &given, &[material; 32], end)
    };
    let end = hour(h.clock_now());
    import(&h, new(2, end)).await.expect("imports");
    h.clock.advance(Duration::from_secs(3600));
    let rotate = async || {
        let request = RotateKeyOnDemandRequest { key_id: id.clone() };
        h.service.rotate_key_on_demand(&operator, request).await
    };
    assert_eq!(refusal(rotate().await).0, "KMSInvalidStateException");
    // The key itself is as it was, and takes other material before any sweep.
    encrypt(&h.service, &operator, &id).await;
    import(&h, new(3, hour(end))).await.expect("imports");
    assert_eq!(entries(&h, &id).await.len(), 2);
    h.clock.advance(Duration::from_secs(3600));
    assert_eq!(h.service.sweep().await.expect("sweeps").expired, 1);
    assert_eq!(entries(&h, &id).await.len(), 1);
    assert_eq!(describe(&h.service, &operator, &id).await.state, KeyState::Enabled);
    let end = hour(h.clock_now());
    import(&h, new(3, end)).await.expect("imports");
    rotate().await.expect("rotates");
    h.verify();
}

#[tokio::test]
async fn a_disabled_key_stays_disabled_until_its_material_is_gone() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let end = hour(h.clock_now());
    import(&h, import_until(&id, &given, &[7; 32], end))
        .await
        .expect("imports");
    h.service
        .disable_key(&operator, DisableKeyRequest { key_id: id.clone() })
        .await
        .expect("disables");
    // A further import of material that is there enables nothing.
    import(&h, import_until(&id, &given, &[7; 32], end))
        .await
        .expect("imports");
    assert_eq!(describe(&h.service, &operator, &id).await.state, KeyState::Disabled);
    h.clock.advance(Duration::from_secs(3600));
    let request = EnableKeyRequest { key_id: id.clone() };
    assert_eq!(
        refusal(h.service.enable_key(&operator, request).await).0,
        "KMSInvalidStateException"
    );
    // "When this operation is successful, the state of the KMS key changes to Enabled."
    let given = parameters(&h.service, &operator, &id).await;
    import(&h, import_request(&id, &given, &[7; 32]))
        .await
        .expect("imports");
    assert_eq!(describe(&h.service, &operator, &id).await.state, KeyState::Enabled);
}
