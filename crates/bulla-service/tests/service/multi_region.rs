use bulla_model::{KeyState, MultiRegionKeyType, Role};
use bulla_service::*;
use bulla_store::Table;

use crate::harness::*;
use crate::importing::*;
use crate::regions::*;

#[tokio::test]
async fn a_replica_is_a_key_of_its_own_with_the_same_material() {
    let h = Harness::new().await;
    let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
    let primary = primary_key(&h).await;
    let id = primary.key_id.to_string();
    assert!(id.starts_with("mrk-"));
    let configuration = primary.multi_region.clone().expect("it is a multi-Region key");
    assert_eq!(
        (
            configuration.kind,
            &configuration.primary.arn,
            configuration.replicas.len()
        ),
        (MultiRegionKeyType::Primary, &primary.arn, 0)
    );
    // A material of before the replica, and the current one.
    let oldest = encrypt(&h.service, &us, &id).await;
    rotate(&h.service, &us, &id).await.expect("rotates");
    let older = encrypt(&h.service, &us, &id).await;

    let made = replicate(&h, &id, EU).await;
    let event = h.last_event();
    assert_eq!(event["eventName"], "ReplicateKey");
    assert_eq!(event["resources"].as_array().map(Vec::len), Some(2));
    assert_eq!(made.key.state, KeyState::Creating);
    let replica = describe(&h.service, &eu, &id).await;
    assert_eq!(
        (
            replica.state,
            replica.description.as_str(),
            &replica.key_id,
            &replica.arn
        ),
        (KeyState::Enabled, "the replica", &primary.key_id, &made.key.arn)
    );
    assert_ne!(replica.arn, primary.arn);
    let primary = describe(&h.service, &us, &id).await;
    assert_eq!(replica.current_key_material_id, primary.current_key_material_id);
    for (key, key_type) in [
        (&primary, MultiRegionKeyType::Primary),
        (&replica, MultiRegionKeyType::Replica),
    ] {
        let configuration = key.multi_region.clone().expect("a multi-Region key");
        assert_eq!(configuration.kind, key_type);
        assert_eq!(
            (&configuration.primary.arn, configuration.primary.region.as_str()),
            (&primary.arn, REGION)
        );
        assert_eq!(
            (
                &configuration.replicas[0].arn,
                configuration.replicas[0].region.as_str()
            ),
            (&replica.arn, EU)
        );
        assert_eq!(configuration.replicas.len(), 1);
    }
    // What one region sealed opens in the other, and names the region's own key.
    let newer = encrypt(&h.service, &eu, &id).await;
    for (call, arn) in [(&us, &primary.arn), (&eu, &replica.arn)] {
        for blob in [&oldest, &older, &newer] {
            let opened = h
                .service
                .decrypt(call, decrypt_request(blob))
                .await
                .expect("opens everywhere");
            assert_eq!(
                (opened.plaintext.expose_secret(), &opened.key_arn),
                (b"the plaintext".as_slice(), arn)
            );
        }
    }
    // And not where there is no replica.
    let ap = in_region(&us, AP);
    assert_eq!(
        refusal(h.service.decrypt(&ap, decrypt_request(&newer)).await).0,
        "AccessDeniedException"
    );
    // Nor in another account.
    let stranger = Call {
        caller: Caller::operator("999999999999".parse().expect("an account")),
        ..eu.clone()
    };
    assert_eq!(
        refusal(h.service.decrypt(&stranger, decrypt_request(&newer)).await).0,
        "AccessDeniedException"
    );
    h.verify();
    let reopened = h.open(&h.store, 8).await.expect("opens");
    reopened
        .decrypt(&eu, decrypt_request(&oldest))
        .await
        .expect("opens after a restart");
}

#[tokio::test]
async fn only_a_primary_is_replicated_and_once_to_each_region() {
    let h = Harness::new().await;
    let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
    let single = h.key().await;
    let refused = h
        .service
        .replicate_key(&us, replicate_request(single.key_id.as_str(), EU))
        .await;
    let words = |arn| {
        (
            "UnsupportedOperationException",
            format!("{arn} is not a multi-Region primary key."),
        )
    };
    assert_eq!(refusal(refused), words(single.arn));
    let id = primary_key(&h).await.key_id.to_string();
    replicate(&h, &id, EU).await;
    for region in [EU, REGION] {
        let refused = h.service.replicate_key(&us, replicate_request(&id, region)).await;
        assert_eq!(refusal(refused).0, "AlreadyExistsException");
    }
    let replica = describe(&h.service, &eu, &id).await;
    let refused = h.service.replicate_key(&eu, replicate_request(&id, AP)).await;
    assert_eq!(refusal(refused), words(replica.arn));
    h.service
        .disable_key(&us, DisableKeyRequest { key_id: id.clone() })
        .await
        .expect("disables");
    let refused = h.service.replicate_key(&us, replicate_request(&id, AP)).await;
    assert_eq!(refusal(refused).0, "DisabledException");
    let (_, user) = h.user("ann", Role::User).await;
    let refused = h.service.replicate_key(&user, replicate_request(&id, AP)).await;
    assert_eq!(refusal(refused).0, "AccessDeniedException");
    let refused = update_primary(&h.service, &user, &id, EU).await;
    assert_eq!(refusal(refused).0, "AccessDeniedException");
    assert_eq!(h.last_event()["errorCode"], "AccessDeniedException");
}

#[tokio::test]
async fn replicas_refuse_what_is_the_primarys_to_decide() {
    let h = Harness::new().await;
    let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
    let id = primary_key(&h).await.key_id.to_string();
    replicate(&h, &id, EU).await;
    let arn = describe(&h.service, &eu, &id).await.arn;
    let expected = (
        "UnsupportedOperationException",
        format!("{arn} is not a multi-Region primary key."),
    );
    let enable = EnableKeyRotationRequest {
        key_id: id.clone(),
        rotation_period_in_days: Some(100),
    };
    let disable = DisableKeyRotationRequest { key_id: id.clone() };
    assert_eq!(refusal(rotate(&h.service, &eu, &id).await), expected);
    assert_eq!(
        refusal(h.service.enable_key_rotation(&eu, enable.clone()).await),
        expected
    );
    assert_eq!(
        refusal(h.service.disable_key_rotation(&eu, disable.clone()).await),
        expected
    );
    assert_eq!(refusal(update_primary(&h.service, &eu, &id, AP).await), expected);
    // The status is shared.
    let status = async |call: &Call| {
        let request = GetKeyRotationStatusRequest { key_id: id.clone() };
        let status = h.service.get_key_rotation_status(call, request).await.expect("tells");
        (status.enabled, status.rotation_period_in_days, status.next_rotation)
    };
    h.service.enable_key_rotation(&us, enable).await.expect("enables");
    assert_eq!(status(&us).await, status(&eu).await);
    assert_eq!(status(&eu).await.1, Some(100));
    h.service.disable_key_rotation(&us, disable).await.expect("disables");
    assert_eq!(status(&eu).await, (false, None, None));
}

#[tokio::test]
async fn the_primary_moves_and_takes_what_it_decides_along() {
    let h = Harness::new().await;
    let (us, eu) = (h.operator(), in_region(&h.operator(), EU));
    let id = primary_key(&h).await.key_id.to_string();
    replicate(&h, &id, EU).await;
    for _ in 0..3 {
        rotate(&h.service, &us, &id).await.expect("rotates");
    }
    let refused = update_primary(&h.service, &us, &id, AP).await;
    assert_eq!(refusal(refused).0, "NotFoundException");
    assert_eq!(
        refusal(update_primary(&h.service, &us, &id, REGION).await).0,
        "UnsupportedOperationException"
    );
    update_primary(&h.service, &us, &id, EU).await.expect("moves");
    assert_eq!(h.last_event()["eventName"], "UpdatePrimaryRegion");
    for (call, key_type) in [(&us, MultiRegionKeyType::Replica), (&eu, MultiRegionKeyType::Primary)] {
        let key = describe(&h.service, call, &id).await;
        let configuration = key.multi_region.expect("a multi-Region key");
        assert_eq!((configuration.kind, key.state), (key_type, KeyState::Enabled));
        assert_eq!(configuration.primary.region.as_str(), EU);
        assert_eq!(configuration.replicas[0].region.as_str(), REGION);
    }
    assert_eq!(
        refusal(rotate(&h.service, &us, &id).await).0,
        "UnsupportedOperationException"
    );
    // 25 rotations are 25, wherever the primary was.
    for _ in 0..22 {
        rotate(&h.service, &eu, &id).await.expect("rotates");
    }
    assert_eq!(refusal(rotate(&h.service, &eu, &id).await).0, "LimitExceededException");
    h.verify();
}

#[tokio::test]
async fn a_primary_outlives_its_replicas_by_its_own_waiting_period() {
    let h = Harness::new().await;
    let (us, eu, ap) = (h.operator(), in_region(&h.operator(), EU), in_region(&h.operator(), AP));
    let id = primary_key(&h).await.key_id.to_string();
    replicate(&h, &id, EU).await;
    replicate(&h, &id, AP).await;
    let blob = encrypt(&h.service, &us, &id).await;
    let scheduled = schedule(&h.service, &us, &id).await;
    assert_eq!(
        (
            scheduled.state,
            scheduled.deletion_date,
            scheduled.pending_window_in_days
        ),
        (KeyState::PendingReplicaDeletion, None, 7)
    );
    let key = describe(&h.service, &us, &id).await;
    assert_eq!(
        (key.state, key.deletion_date, key.pending_window_in_days),
        (KeyState::PendingReplicaDeletion, None, Some(7))
    );
    assert_eq!(
        refusal(h.service.decrypt(&us, decrypt_request(&blob)).await).0,
        "KMSInvalidStateException"
    );
    // Replicas are independent of it.
    h.service.decrypt(&eu, decrypt_request(&blob)).await.expect("opens");
    h.days(400);
    assert_eq!(h.service.sweep().await.expect("sweeps").deleted, 0, "it waits");
    schedule(&h.service, &eu, &id).await;
    h.days(7);
    assert_eq!(h.service.sweep().await.expect("sweeps").deleted, 1);
    let key = describe(&h.service, &us, &id).await;
    assert_eq!(key.state, KeyState::PendingReplicaDeletion);
    let left = key.multi_region.expect("a multi-Region key").replicas;
    assert_eq!(left.len(), 1);
    schedule(&h.service, &ap, &id).await;
    h.days(7);
    assert_eq!(h.service.sweep().await.expect("sweeps").deleted, 1);
    let key = describe(&h.service, &us, &id).await;
    assert_eq!(
        (key.state, key.deletion_date, key.pending_window_in_days),
        (KeyState::PendingDeletion, Some(h.clock_now().plus_days(7)), None)
    );
    h.days(7);
    assert_eq!(h.service.sweep().await.expect("sweeps").deleted, 1);
    let data = h.store.edit();
    let left = data
        .rows
        .keys()
        .filter(|(table, _)| matches!(table, Table::Keys | Table::KeyVersions));
    assert_eq!(left.count(), 0, "nothing of it is left");
    drop(data);
    h.verify();
}

#[tokio::test]
async fn the_deletion_of_a_primary_is_cancelled_while_its_replicas_live() {
    let h = Harness::new().await;
    let us = h.operator();
    let id = primary_key(&h).await.key_id.to_string();
    replicate(&h, &id, EU).await;
    schedule(&h.service, &us, &id).await;
    for refused in [
        refusal(h.service.replicate_key(&us, replicate_request(&id, AP)).await).0,
        refusal(update_primary(&h.service, &us, &id, EU).await).0,
        refusal(rotate(&h.service, &us, &id).await).0,
    ] {
        assert_eq!(refused, "KMSInvalidStateException");
    }
    h.service
        .cancel_key_deletion(&us, CancelKeyDeletionRequest { key_id: id.clone() })
        .await
        .expect("cancels");
    let key = describe(&h.service, &us, &id).await;
    assert_eq!((key.state, key.pending_window_in_days), (KeyState::Disabled, None));
    // Without replicas it waits as any key does.
    let eu = in_region(&us, EU);
    schedule(&h.service, &eu, &id).await;
    h.days(7);
    h.service.sweep().await.expect("sweeps");
    let scheduled = schedule(&h.service, &us, &id).await;
    assert_eq!(
        (scheduled.state, scheduled.deletion_date),
        (KeyState::PendingDeletion, Some(h.clock_now().plus_days(7)))
    );
}

#[tokio::test]
async fn keys_of_several_accounts_and_regions_live_side_by_side() {
    let h = Harness::new().await;
    let mut made = Vec::new();
    for account in ["111122223333", "444455556666"] {
        for region in [REGION, EU] {
            let call = Call {
                caller: Caller::operator(account.parse().expect("an account")),
                region: region.parse().expect("a region"),
                ..h.operator()
            };
            let key = create_key(&h.service, &call).await;
            let blob = encrypt(&h.service, &call, key.key_id.as_str()).await;
            made.push((call, key, blob));
        }
    }
    for (at, (call, key, _)) in made.iter().enumerate() {
        let request = ListKeysRequest {
            limit: None,
            marker: None,
        };
        let listed = h.service.list_keys(call, request).await.expect("lists").keys;
        assert_eq!(listed, [(key.key_id.clone(), key.arn.clone())]);
        for (other, (_, _, blob)) in made.iter().enumerate() {
            let opened = h.service.decrypt(call, decrypt_request(blob)).await;
            assert_eq!(opened.is_ok(), at == other, "{at} {other}");
        }
    }
}
