//! What the store key alone can tell of a database: every MAC, of rows and of changes.

use bulla_service::*;
use bulla_store::{Change, Table};

use crate::harness::*;
use crate::memory_store::Data;

type DataEdit = fn(&mut Data);

async fn verify_rows(service: &Service) -> (Vec<ForgedRow>, Verified) {
    let mut found = Vec::new();
    let verified = service.verify_rows(&mut |row| found.push(row)).await.expect("reads");
    (found, verified)
}

#[tokio::test]
async fn an_untouched_store_verifies_whole() {
    let h = Harness::new().await;
    h.key().await;
    let (found, verified) = verify_rows(&h.service).await;
    assert_eq!(found, Vec::new());
    assert_eq!(verified.rows, h.store.edit().rows.len() as u64);
    assert_eq!(verified.changes_up_to, Some(2));
}

#[tokio::test]
async fn every_row_with_another_mac_is_named() {
    let h = Harness::new().await;
    let key = h.key().await;
    let alias = CreateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: key.key_id.to_string(),
    };
    h.service.create_alias(&h.operator(), alias).await.expect("creates");
    let before = h.store.edit().clone();
    for (table, id) in before.rows.keys() {
        *h.store.edit() = before.clone();
        let place = (*table, id.clone());
        h.store.edit().rows.get_mut(&place).expect("a row").mac[31] ^= 1;
        let (found, _) = verify_rows(&h.service).await;
        let wanted = ForgedRow {
            table: table.name(),
            id: id.clone(),
            what: Forgery::Row,
        };
        assert_eq!(found, [wanted]);
    }
}

#[tokio::test]
async fn a_change_that_is_forged_gone_or_beyond_the_head_is_found() {
    let h = Harness::new().await;
    h.key().await;
    let before = h.store.edit().clone();
    let edits: [(&str, DataEdit); 4] = [
        ("forged", |data| data.changes[0].mac[0] ^= 1),
        ("renamed", |data| data.changes[1].id.push('x')),
        ("gone", |data| drop(data.changes.pop())),
        ("beyond", |data| {
            let beyond = Change {
                revision: 9,
                table: Table::Keys,
                ..data.changes[0].clone()
            };
            data.changes.push(beyond);
        }),
    ];
    for (what, edit) in edits {
        *h.store.edit() = before.clone();
        edit(&mut h.store.edit());
        let (_, verified) = verify_rows(&h.service).await;
        assert_eq!(verified.changes_up_to, None, "{what}");
    }
}

#[tokio::test]
async fn wraps_under_roots_that_are_not_at_hand_are_kept_where_they_are_named() {
    let h = Harness::new().await;
    let (operator, recovery, new) = (h.operator(), root(), root());
    let both = [h.root.clone(), recovery.clone()];
    let roots = h.service.replace_roots(&operator, &both, &[]).await.expect("replaces");
    let kept = roots[1].clone();
    // The recovery root itself is not given.
    let roots = h
        .service
        .replace_roots(&operator, std::slice::from_ref(&new), std::slice::from_ref(&kept))
        .await
        .expect("replaces");
    assert_eq!(roots[1..], [kept]);
    assert!(h.open(&h.store.another(), 8).await.is_err(), "the first root is out");
    for root in [new, recovery] {
        Service::open(arc(&h.store.another()), &[root], h.clock.clone(), random(9), settings())
            .await
            .expect("opens");
    }
}
