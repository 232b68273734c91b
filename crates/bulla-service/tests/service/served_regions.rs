//! A service that serves some regions only, and what the log says of keys that go into another.

use std::sync::Arc;

use bulla_service::*;
use serde_json::json;

use crate::harness::*;
use crate::regions::*;

async fn serving(h: &Harness, regions: &[&str]) -> Service {
    let settings = Settings {
        regions: regions.iter().map(|region| region.parse().expect("a region")).collect(),
        ..settings()
    };
    let roots = std::slice::from_ref(&h.root);
    let service = Service::open(Arc::new(h.store.another()), roots, h.clock.clone(), random(5), settings);
    service.await.expect("opens")
}

#[tokio::test]
async fn no_replica_is_made_where_nobody_could_ask_for_it() {
    let h = Harness::new().await;
    let service = serving(&h, &[REGION, EU]).await;
    let primary = primary_key(&h).await;
    let id = primary.key_id.as_str();
    let refused = service.replicate_key(&h.operator(), replicate_request(id, AP)).await;
    let words = format!("AWS KMS is not available in the replica Region {AP}.");
    assert_eq!(refusal(refused), ("UnsupportedOperationException", words));
    let event = h.last_event();
    assert_eq!(
        (&event["errorCode"], &event["requestParameters"]["replicaRegion"]),
        (&json!("UnsupportedOperationException"), &json!(AP))
    );
    let replicated = service.replicate_key(&h.operator(), replicate_request(id, EU)).await;
    assert!(replicated.is_ok(), "{replicated:?}");
    // Who may not replicate it learns nothing of the regions.
    let (_, user) = h.user("ann", bulla_model::Role::User).await;
    let refused = service.replicate_key(&user, replicate_request(id, AP)).await;
    assert_eq!(refusal(refused).0, "AccessDeniedException");
    h.verify();
}

#[tokio::test]
async fn a_replication_and_a_move_of_the_primary_are_recorded_with_both_keys() {
    let h = Harness::new().await;
    let primary = primary_key(&h).await;
    let id = primary.key_id.as_str();
    let replica = replicate(&h, id, EU).await.key;
    let both = json!([
        {"ARN": primary.arn.as_str(), "accountId": "111122223333", "type": "AWS::KMS::Key"},
        {"ARN": replica.arn.as_str(), "accountId": "111122223333", "type": "AWS::KMS::Key"},
    ]);
    let event = h.last_event();
    assert_eq!(event["eventName"], "ReplicateKey");
    assert_eq!((&event["resources"], &event["awsRegion"]), (&both, &json!(REGION)));
    assert_eq!(event["requestParameters"]["keyId"], id);
    assert_eq!(event["requestParameters"]["replicaRegion"], EU);
    let metadata = &event["responseElements"]["replicaKeyMetadata"];
    assert_eq!(metadata["arn"], replica.arn.as_str());
    update_primary(&h.service, &h.operator(), id, EU).await.expect("moves");
    let event = h.last_event();
    assert_eq!(
        (&event["eventName"], &event["resources"]),
        (&json!("UpdatePrimaryRegion"), &both)
    );
    assert_eq!(event["requestParameters"]["primaryRegion"], EU);
    // A refusal names what there is.
    let refused = h.service.replicate_key(&h.operator(), replicate_request(id, EU)).await;
    assert!(refused.is_err());
    assert_eq!(h.last_event()["resources"][0]["ARN"], primary.arn.as_str());
    h.verify();
}
