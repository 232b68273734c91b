//! Grants over REST: given, changed, listed and taken, on a key and on every key, and decisive at the next request.

use bulla_crypto::{Context, SecretBytes};
use bulla_model::{EncryptionAlgorithm, Role};
use bulla_service::{Call, CreateKeyRequest, EncryptRequest, KeyMetadata, ServiceError};
use serde_json::{Value, json};

use crate::client::*;
use crate::harness::Harness;

async fn key(h: &Harness) -> KeyMetadata {
    let request = CreateKeyRequest::default();
    h.service.create_key(&operator(h), request).await.unwrap().key
}

/// Whether a user's encryption under this key, with a tenant in its context, is allowed.
async fn may_encrypt(h: &Harness, user: &User, key: &KeyMetadata, tenant: &str) -> bool {
    let caller = h.service.authenticate_bearer(&user.token, "192.0.2.7").await.unwrap();
    let call = Call { caller, ..operator(h) };
    let request = EncryptRequest {
        key_id: key.key_id.to_string(),
        plaintext: SecretBytes::from_vec(b"x".to_vec()),
        encryption_context: Context::from_pairs([("tenant", tenant)]).unwrap(),
        encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    match h.service.encrypt(&call, request).await {
        Ok(_) => true,
        Err(ServiceError::AccessDenied(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

fn grant(key: &str, user: &User, operations: &[&str], tenant: &str) -> Value {
    json!({"key": key, "principal": user.arn.as_str(), "operations": operations,
        "constraints": {"context_subset": {"tenant": tenant}}})
}

#[tokio::test]
async fn a_grant_on_every_key_is_given_changed_listed_and_taken() {
    let h = Harness::start().await;
    let (admin, ann) = (
        User::new(&h, "ada", Role::Admin).await,
        User::new(&h, "ann", Role::User).await,
    );
    let key = key(&h).await;
    assert!(!may_encrypt(&h, &ann, &key, "a").await);
    let given = admin
        .post(&h, "/v1/grants", &grant("*", &ann, &["Encrypt", "Decrypt"], "a"))
        .await;
    assert_eq!(given.status, 200, "{}", given.text());
    let given = given.json();
    assert_eq!(
        (given["key"].as_str(), given["principal"].as_str()),
        (Some("*"), Some(ann.arn.as_str()))
    );
    assert!(may_encrypt(&h, &ann, &key, "a").await && !may_encrypt(&h, &ann, &key, "b").await);
    // Given again for the same principal and key, it is the same grant with other words.
    let again = admin
        .post(&h, "/v1/grants", &grant("*", &ann, &["Encrypt"], "b"))
        .await
        .json();
    assert_eq!(
        (&again["grant_id"], &again["created"]),
        (&given["grant_id"], &given["created"])
    );
    assert_eq!(again["operations"], json!(["Encrypt"]));
    assert!(!may_encrypt(&h, &ann, &key, "a").await && may_encrypt(&h, &ann, &key, "b").await);
    let listed = admin.get(&h, "/v1/grants").await.json();
    assert_eq!(listed, json!({"grants": [again], "next_cursor": null}));
    let take = format!("/v1/grants?key=*&principal={}", ann.arn.as_str());
    assert_eq!(admin.send(&h, "DELETE", &take, &Value::Null).await.json(), again);
    assert!(!may_encrypt(&h, &ann, &key, "b").await);
    problem(&admin.send(&h, "DELETE", &take, &Value::Null).await, 404, "not_found");
    assert_eq!(admin.get(&h, "/v1/grants").await.json()["grants"], json!([]));
    let event = newest(&h, "GiveGrant").await;
    assert_eq!(
        (&event["requestParameters"]["keyId"], &event["userIdentity"]["arn"]),
        (&json!("*"), &json!(admin.arn.as_str()))
    );
}

#[tokio::test]
async fn a_grant_on_one_key_is_of_that_key_and_pages_end_where_they_say() {
    let h = Harness::start().await;
    let (admin, ann) = (
        User::new(&h, "ada", Role::Admin).await,
        User::new(&h, "ann", Role::User).await,
    );
    let (one, other) = (key(&h).await, key(&h).await);
    let given = admin
        .post(&h, "/v1/grants", &grant(one.key_id.as_str(), &ann, &["Encrypt"], "a"))
        .await;
    assert_eq!(given.json()["key"], one.arn.as_str(), "{}", given.text());
    assert!(may_encrypt(&h, &ann, &one, "a").await && !may_encrypt(&h, &ann, &other, "a").await);
    assert_eq!(admin.get(&h, "/v1/grants").await.json()["grants"], json!([]));
    for name in ["bob", "cid"] {
        let user = User::new(&h, name, Role::User).await;
        admin
            .post(&h, "/v1/grants", &grant(one.key_id.as_str(), &user, &["Encrypt"], "a"))
            .await;
    }
    let path = format!("/v1/grants?key={}&limit=2", one.arn);
    let first = admin.get(&h, &path).await.json();
    let cursor = first["next_cursor"].as_str().expect("a next page");
    let second = admin.get(&h, &format!("{path}&cursor={cursor}")).await.json();
    assert_eq!(second["next_cursor"], Value::Null);
    let mut principals: Vec<String> = [&first, &second]
        .iter()
        .flat_map(|page| page["grants"].as_array().unwrap().clone())
        .map(|grant| {
            grant["principal"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    principals.sort();
    assert_eq!(principals, ["ann", "bob", "cid"]);
    problem(&admin.get(&h, "/v1/grants?cursor=MTo3").await, 400, "invalid_cursor");
}

#[tokio::test]
async fn what_is_no_grant_is_refused_and_changes_nothing() {
    let h = Harness::start().await;
    let (admin, ann) = (
        User::new(&h, "ada", Role::Admin).await,
        User::new(&h, "ann", Role::User).await,
    );
    let good = grant("*", &ann, &["Encrypt"], "a");
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    for wrong in [
        with("operations", json!([])),
        with("operations", json!(["encrypt"])),
        with("operations", json!(["CreateGrant"])),
        with("principal", json!("ann")),
        with("principal", json!("x".repeat(2049))),
        with("constraints", json!({"context_subset": {"tenant": "a".repeat(9000)}})),
        with("constraints", json!({"tenant": "a"})),
        with("colour", json!("red")),
        with("key", json!("alias/app")),
    ] {
        problem(&admin.post(&h, "/v1/grants", &wrong).await, 400, "invalid_request");
    }
    let nothing = with("key", json!("1234abcd-12ab-34cd-56ef-1234567890ab"));
    problem(&admin.post(&h, "/v1/grants", &nothing).await, 404, "not_found");
    for path in [
        "/v1/grants?key=*",
        &format!("/v1/grants?principal={}", ann.arn.as_str()),
    ] {
        problem(
            &admin.send(&h, "DELETE", path, &Value::Null).await,
            400,
            "invalid_request",
        );
    }
    assert_eq!(admin.get(&h, "/v1/grants").await.json()["grants"], json!([]));
}
