use bulla_service::*;

use crate::harness::*;

fn create(name: &str, key: &KeyMetadata) -> CreateAliasRequest {
    CreateAliasRequest {
        alias_name: name.to_owned(),
        target_key_id: key.key_id.to_string(),
    }
}

fn list(key_id: Option<&str>, limit: Option<u32>, marker: Option<String>) -> ListAliasesRequest {
    ListAliasesRequest {
        key_id: key_id.map(str::to_owned),
        limit,
        marker,
    }
}

#[tokio::test]
async fn an_alias_moves_from_key_to_key_and_goes() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (old, new) = (h.key().await, h.key().await);
    h.service
        .create_alias(&operator, create("alias/app", &old))
        .await
        .expect("creates");
    let blob = encrypt(&h.service, &operator, "alias/app").await;
    let update = UpdateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: new.arn.to_string(),
    };
    h.service.update_alias(&operator, update).await.expect("moves");
    assert_eq!(
        h.service
            .encrypt(&operator, encrypt_request("alias/app"))
            .await
            .expect("encrypts")
            .key_arn,
        new.arn
    );
    assert_eq!(
        h.service
            .decrypt(&operator, decrypt_request(&blob))
            .await
            .expect("decrypts")
            .key_arn,
        old.arn
    );
    let listed = h
        .service
        .list_aliases(&operator, list(None, None, None))
        .await
        .expect("lists")
        .aliases;
    assert_eq!((listed.len(), &listed[0].target_key_id), (1, &new.key_id));
    assert_eq!(listed[0].arn.as_str(), "arn:aws:kms:us-east-1:111122223333:alias/app");
    assert!(
        h.service
            .list_aliases(&operator, list(Some(old.key_id.as_str()), None, None))
            .await
            .expect("lists")
            .aliases
            .is_empty()
    );
    h.service
        .delete_alias(
            &operator,
            DeleteAliasRequest {
                alias_name: "alias/app".into(),
            },
        )
        .await
        .expect("deletes");
    let gone = (
        "NotFoundException",
        "Alias arn:aws:kms:us-east-1:111122223333:alias/app is not found.".to_owned(),
    );
    assert_eq!(
        refusal(h.service.encrypt(&operator, encrypt_request("alias/app")).await),
        gone
    );
    assert_eq!(
        refusal(
            h.service
                .delete_alias(
                    &operator,
                    DeleteAliasRequest {
                        alias_name: "alias/app".into()
                    }
                )
                .await
        ),
        gone
    );
    h.service
        .create_alias(&operator, create("alias/app", &old))
        .await
        .expect("may be made again");
    h.verify();
}

#[tokio::test]
async fn names_are_refused_in_aws_words() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    h.service
        .create_alias(&operator, create("alias/app", &key))
        .await
        .expect("creates");
    let refused = async |name: &str| refusal(h.service.create_alias(&operator, create(name, &key)).await);
    assert_eq!(
        refused("alias/app").await,
        (
            "AlreadyExistsException",
            "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/app already exists".to_owned()
        )
    );
    assert!(
        refused("app")
            .await
            .1
            .starts_with("Alias must start with the prefix \"alias/\".")
    );
    assert_eq!(refused("alias/aws/s3").await.0, "InvalidAliasNameException");
    assert_eq!(refused("alias/a b").await.0, "ValidationException");
    let missing = CreateAliasRequest {
        alias_name: "alias/b".into(),
        target_key_id: "alias/app".into(),
    };
    assert_eq!(
        refusal(h.service.create_alias(&operator, missing).await).0,
        "InvalidArnException"
    );
}

#[tokio::test]
async fn a_key_has_fifty_aliases_at_most_and_pages_show_them_all() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    for n in 0..50 {
        h.service
            .create_alias(&operator, create(&format!("alias/{n:02}"), &key))
            .await
            .expect("creates");
    }
    assert_eq!(
        refusal(h.service.create_alias(&operator, create("alias/50", &key)).await).0,
        "LimitExceededException"
    );
    // Aliases of another region are not among them.
    let mut elsewhere = operator.clone();
    elsewhere.region = "us-east-2".parse().expect("a region");
    let other = create_key(&h.service, &elsewhere).await;
    h.service
        .create_alias(&elsewhere, create("alias/00", &other))
        .await
        .expect("creates");
    for filter in [None, Some(key.key_id.as_str())] {
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let page = h
                .service
                .list_aliases(&operator, list(filter, Some(20), marker))
                .await
                .expect("lists");
            names.extend(page.aliases.into_iter().map(|alias| alias.name.to_string()));
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(names, (0..50).map(|n| format!("alias/{n:02}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_alias_does_not_point_at_a_key_pending_deletion() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (key, dying) = (h.key().await, h.key().await);
    h.service
        .create_alias(&operator, create("alias/app", &key))
        .await
        .expect("creates");
    let schedule = ScheduleKeyDeletionRequest {
        key_id: dying.key_id.to_string(),
        pending_window_in_days: Some(7),
    };
    h.service
        .schedule_key_deletion(&operator, schedule)
        .await
        .expect("schedules");
    let expected = (
        "KMSInvalidStateException",
        format!("{} is pending deletion.", dying.arn),
    );
    assert_eq!(
        refusal(h.service.create_alias(&operator, create("alias/b", &dying)).await),
        expected
    );
    let update = UpdateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: dying.key_id.to_string(),
    };
    assert_eq!(refusal(h.service.update_alias(&operator, update).await), expected);
}

/// Fills a key up to one alias below the limit.
async fn with_49_aliases(h: &Harness) -> KeyMetadata {
    let key = h.key().await;
    for n in 0..49 {
        let request = CreateAliasRequest {
            alias_name: format!("alias/n{n}"),
            target_key_id: key.key_id.to_string(),
        };
        h.service.create_alias(&h.operator(), request).await.expect("creates");
    }
    key
}

#[tokio::test]
async fn of_aliases_made_at_once_through_two_nodes_none_passes_the_limit() {
    let h = Harness::new().await;
    let key = with_49_aliases(&h).await;
    let (_, other) = h.node(5).await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (service, call) = (if n % 2 == 0 { h.service.clone() } else { other.clone() }, h.operator());
            let request = CreateAliasRequest {
                alias_name: format!("alias/late{n}"),
                target_key_id: key.key_id.to_string(),
            };
            tokio::spawn(async move { service.create_alias(&call, request).await })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(()) => made += 1,
            refused => assert_eq!(refusal(refused).0, "LimitExceededException"),
        }
    }
    assert_eq!(made, 1);
    h.verify();
}

#[tokio::test]
async fn an_alias_made_between_count_and_commit_is_counted() {
    let h = Harness::new().await;
    let key = with_49_aliases(&h).await;
    let (_, other) = h.node(5).await;
    let create = |name: &str| CreateAliasRequest {
        alias_name: name.to_owned(),
        target_key_id: key.key_id.to_string(),
    };
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    h.store.hold(true);
    let (service, call, request) = (h.service.clone(), h.operator(), create("alias/here"));
    let waiting = tokio::spawn(async move { service.create_alias(&call, request).await });
    // It was counted and decided: its commit is at the door.
    begun.changed().await.expect("the store lives");
    other
        .create_alias(&h.operator(), create("alias/there"))
        .await
        .expect("creates");
    h.store.hold(false);
    assert_eq!(refusal(waiting.await.expect("no panic")).0, "LimitExceededException");
}
