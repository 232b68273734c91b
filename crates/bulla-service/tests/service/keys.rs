use bulla_model::{KeyState, Tag, Timestamp};
use bulla_service::*;

use crate::harness::*;

fn describe(key_id: &str) -> DescribeKeyRequest {
    DescribeKeyRequest {
        key_id: key_id.to_owned(),
        grant_tokens: Vec::new(),
    }
}

fn schedule(key_id: &str, days: Option<u32>) -> ScheduleKeyDeletionRequest {
    ScheduleKeyDeletionRequest {
        key_id: key_id.to_owned(),
        pending_window_in_days: days,
    }
}

#[tokio::test]
async fn a_new_key_has_aws_defaults() {
    let h = Harness::new().await;
    let key = h.key().await;
    assert_eq!(
        key.arn.as_str(),
        format!("arn:aws:kms:us-east-1:111122223333:key/{}", key.key_id)
    );
    assert_eq!(
        (key.state, key.deletion_date, &key.multi_region),
        (KeyState::Enabled, None, &None)
    );
    assert_eq!(key.created, Timestamp::from_micros(h.clock.read()));
    assert!(key.current_key_material_id.is_some());
    let described = h
        .service
        .describe_key(&h.operator(), describe(key.key_id.as_str()))
        .await
        .expect("describes");
    assert_eq!(described.key, key);
}

#[tokio::test]
async fn what_is_not_built_is_refused_and_not_stored() {
    let h = Harness::new().await;
    let operator = h.operator();
    let rows = h.store.edit().rows.len();
    let with_policy = CreateKeyRequest {
        policy: Some("{}".into()),
        ..create_key_request()
    };
    assert_eq!(
        refusal(h.service.create_key(&operator, with_policy).await).0,
        "MalformedPolicyDocumentException"
    );
    let signing = CreateKeyRequest {
        usage: bulla_model::KeyUsage::SignVerify,
        ..create_key_request()
    };
    assert_eq!(
        refusal(h.service.create_key(&operator, signing).await),
        (
            "ValidationException",
            "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT.".to_owned()
        )
    );
    let tag = |key: &str| Tag {
        key: key.to_owned(),
        value: String::new(),
    };
    let reserved = CreateKeyRequest {
        tags: vec![tag("aws:x")],
        ..create_key_request()
    };
    assert_eq!(
        refusal(h.service.create_key(&operator, reserved).await).0,
        "TagException"
    );
    let long = CreateKeyRequest {
        description: "x".repeat(8193),
        ..create_key_request()
    };
    assert_eq!(
        refusal(h.service.create_key(&operator, long).await).0,
        "ValidationException"
    );
    assert_eq!(h.store.edit().rows.len(), rows);
    h.verify();
}

#[tokio::test]
async fn names_that_lead_nowhere_are_refused_in_aws_words() {
    let h = Harness::new().await;
    let operator = h.operator();
    let missing = "00000000-0000-4000-8000-000000000000";
    let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{missing}");
    let key = h.key().await;
    for (name, code, message) in [
        ("x", "NotFoundException", "Invalid keyId 'x'".to_owned()),
        (missing, "NotFoundException", format!("Key '{arn}' does not exist")),
        (&arn, "NotFoundException", format!("Key '{arn}' does not exist")),
        (
            "alias/none",
            "NotFoundException",
            "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.".to_owned(),
        ),
        (
            &arn.replace("us-east-1", "eu-west-1"),
            "NotFoundException",
            "Invalid arn eu-west-1".to_owned(),
        ),
    ] {
        assert_eq!(
            refusal(h.service.describe_key(&operator, describe(name)).await),
            (code, message),
            "{name}"
        );
    }
    let foreign = key.arn.as_str().replace("111122223333", "444455556666");
    assert_eq!(
        refusal(h.service.describe_key(&operator, describe(&foreign)).await).0,
        "AccessDeniedException"
    );
    // The same id in another region, or for another account, is another key.
    let mut elsewhere = operator.clone();
    elsewhere.region = "eu-west-1".parse().expect("a region");
    assert_eq!(
        refusal(h.service.describe_key(&elsewhere, describe(key.key_id.as_str())).await).0,
        "NotFoundException"
    );
    let other = call(Caller::operator("444455556666".parse().expect("an account")));
    assert_eq!(
        refusal(h.service.describe_key(&other, describe(key.key_id.as_str())).await).0,
        "NotFoundException"
    );
}

#[tokio::test]
async fn operations_on_keys_refuse_aliases() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    let alias = CreateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: key.key_id.to_string(),
    };
    h.service.create_alias(&operator, alias).await.expect("creates");
    let key_id = || "alias/app".to_owned();
    let expected = (
        "InvalidArnException",
        "Key Aliases are not supported for this operation.".to_owned(),
    );
    assert_eq!(
        refusal(
            h.service
                .enable_key(&operator, EnableKeyRequest { key_id: key_id() })
                .await
        ),
        expected
    );
    assert_eq!(
        refusal(
            h.service
                .disable_key(&operator, DisableKeyRequest { key_id: key_id() })
                .await
        ),
        expected
    );
    assert_eq!(
        refusal(
            h.service
                .schedule_key_deletion(&operator, schedule("alias/app", None))
                .await
        ),
        expected
    );
    assert_eq!(
        refusal(
            h.service
                .cancel_key_deletion(&operator, CancelKeyDeletionRequest { key_id: key_id() })
                .await
        ),
        expected
    );
    assert_eq!(
        refusal(
            h.service
                .rotate_key_on_demand(&operator, RotateKeyOnDemandRequest { key_id: key_id() })
                .await
        ),
        expected
    );
    assert_eq!(
        refusal(
            h.service
                .get_key_rotation_status(&operator, GetKeyRotationStatusRequest { key_id: key_id() })
                .await
        ),
        expected
    );
}

#[tokio::test]
async fn a_disabled_key_refuses_every_use_until_it_is_enabled() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let id = key.key_id.to_string();
    let blob = encrypt(&h.service, &admin, &id).await;
    h.service
        .disable_key(&admin, DisableKeyRequest { key_id: id.clone() })
        .await
        .expect("disables");
    h.service
        .disable_key(&admin, DisableKeyRequest { key_id: id.clone() })
        .await
        .expect("is disabled already");
    let expected = ("DisabledException", format!("{} is disabled.", key.arn));
    assert_eq!(refusal(h.service.encrypt(&admin, encrypt_request(&id)).await), expected);
    assert_eq!(
        refusal(h.service.decrypt(&admin, decrypt_request(&blob)).await),
        expected
    );
    assert_eq!(
        refusal(h.service.generate_data_key(&admin, data_key_request(&id)).await),
        expected
    );
    assert_eq!(
        refusal(
            h.service
                .rotate_key_on_demand(&admin, RotateKeyOnDemandRequest { key_id: id.clone() })
                .await
        ),
        expected
    );
    let update = UpdateKeyDescriptionRequest {
        key_id: id.clone(),
        description: "new".into(),
    };
    h.service
        .update_key_description(&admin, update)
        .await
        .expect("may be described anew");
    h.service
        .enable_key(&admin, EnableKeyRequest { key_id: id.clone() })
        .await
        .expect("enables");
    h.service
        .decrypt(&admin, decrypt_request(&blob))
        .await
        .expect("decrypts");
    let described = h
        .service
        .describe_key(&admin, describe(&id))
        .await
        .expect("describes")
        .key;
    assert_eq!(described.description, "new");
    h.verify();
}

#[tokio::test]
async fn a_key_pending_deletion_refuses_every_use_and_can_be_kept() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let id = key.key_id.to_string();
    let blob = encrypt(&h.service, &admin, &id).await;
    for days in [6, 31] {
        assert_eq!(
            refusal(h.service.schedule_key_deletion(&admin, schedule(&id, Some(days))).await).0,
            "ValidationException"
        );
    }
    let scheduled = h
        .service
        .schedule_key_deletion(&admin, schedule(&id, None))
        .await
        .expect("schedules");
    assert_eq!(scheduled.deletion_date, Some(key.created.plus_days(30)));
    let expected = ("KMSInvalidStateException", format!("{} is pending deletion.", key.arn));
    assert_eq!(refusal(h.service.encrypt(&admin, encrypt_request(&id)).await), expected);
    assert_eq!(
        refusal(h.service.decrypt(&admin, decrypt_request(&blob)).await),
        expected
    );
    assert_eq!(
        refusal(
            h.service
                .enable_key(&admin, EnableKeyRequest { key_id: id.clone() })
                .await
        ),
        expected
    );
    assert_eq!(
        refusal(h.service.schedule_key_deletion(&admin, schedule(&id, None)).await),
        expected
    );
    h.service
        .cancel_key_deletion(&admin, CancelKeyDeletionRequest { key_id: id.clone() })
        .await
        .expect("cancels");
    let described = h
        .service
        .describe_key(&admin, describe(&id))
        .await
        .expect("describes")
        .key;
    assert_eq!((described.state, described.deletion_date), (KeyState::Disabled, None));
    assert_eq!(
        refusal(
            h.service
                .cancel_key_deletion(&admin, CancelKeyDeletionRequest { key_id: id.clone() })
                .await
        ),
        (
            "KMSInvalidStateException",
            format!("{} is not pending deletion.", key.arn)
        )
    );
    h.service
        .enable_key(&admin, EnableKeyRequest { key_id: id })
        .await
        .expect("enables");
    h.service
        .decrypt(&admin, decrypt_request(&blob))
        .await
        .expect("decrypts");
}

#[tokio::test]
async fn a_key_is_gone_when_its_date_has_passed_and_its_material_soon_after() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (key, kept) = (h.key().await, h.key().await);
    let id = key.key_id.to_string();
    let blob = encrypt(&h.service, &admin, &id).await;
    let alias = CreateAliasRequest {
        alias_name: "alias/gone".into(),
        target_key_id: id.clone(),
    };
    h.service.create_alias(&admin, alias).await.expect("creates");
    h.service
        .rotate_key_on_demand(&admin, RotateKeyOnDemandRequest { key_id: id.clone() })
        .await
        .expect("rotates");
    h.service
        .schedule_key_deletion(&admin, schedule(&id, Some(7)))
        .await
        .expect("schedules");
    assert_eq!(h.service.sweep().await.expect("sweeps"), Sweep::default());
    h.days(7);
    // By the clock alone, before any sweep.
    assert_eq!(
        refusal(h.service.describe_key(&admin, describe(&id)).await),
        ("NotFoundException", format!("Key '{}' does not exist", key.arn))
    );
    assert_eq!(
        refusal(h.service.decrypt(&admin, decrypt_request(&blob)).await).0,
        "AccessDeniedException"
    );
    let listed = h
        .service
        .list_keys(
            &admin,
            ListKeysRequest {
                limit: None,
                marker: None,
            },
        )
        .await
        .expect("lists");
    assert_eq!(listed.keys, [(kept.key_id.clone(), kept.arn.clone())]);
    assert_eq!(
        refusal(
            h.service
                .cancel_key_deletion(&admin, CancelKeyDeletionRequest { key_id: id.clone() })
                .await
        )
        .0,
        "NotFoundException"
    );

    assert_eq!(
        h.service.sweep().await.expect("sweeps"),
        Sweep {
            deleted: 1,
            ..Sweep::default()
        }
    );
    let event = h.last_event();
    assert_eq!(
        (&event["eventName"], &event["eventType"]),
        (&"DeleteKey".into(), &"AwsServiceEvent".into())
    );
    assert_eq!(
        event["changes"].as_array().expect("changes").len(),
        4,
        "two versions, an alias, the key"
    );
    let left = h
        .store
        .edit()
        .rows
        .keys()
        .filter(|(_, id)| id.contains(key.key_id.as_str()) || id.ends_with("alias/gone"))
        .count();
    assert_eq!(left, 0);
    assert_eq!(
        refusal(h.service.describe_key(&admin, describe("alias/gone")).await).0,
        "NotFoundException"
    );
    encrypt(&h.service, &admin, kept.key_id.as_str()).await;
    h.verify();
}

#[tokio::test]
async fn keys_are_listed_in_pages_that_lose_and_repeat_none() {
    let h = Harness::new().await;
    let operator = h.operator();
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(h.key().await.key_id);
    }
    made.sort();
    for limit in [1, 3, 7, 8] {
        let (mut listed, mut marker) = (Vec::new(), None);
        loop {
            let page = h
                .service
                .list_keys(
                    &operator,
                    ListKeysRequest {
                        limit: Some(limit),
                        marker,
                    },
                )
                .await
                .expect("lists");
            assert!(page.keys.len() <= limit as usize);
            listed.extend(page.keys.into_iter().map(|(id, _)| id));
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(listed, made, "limit {limit}");
    }
    for limit in [0, 1001] {
        assert_eq!(
            refusal(
                h.service
                    .list_keys(
                        &operator,
                        ListKeysRequest {
                            limit: Some(limit),
                            marker: None
                        }
                    )
                    .await
            )
            .0,
            "ValidationException"
        );
    }
    let request = ListKeysRequest {
        limit: None,
        marker: Some("nonsense".into()),
    };
    assert_eq!(
        refusal(h.service.list_keys(&operator, request).await).0,
        "InvalidMarkerException"
    );
}
