//! Opening, without a key id, what a key of another account sealed: the key is found by its material, where it lets the caller in.

use bulla_model::{EncryptionAlgorithm, GrantConstraints, GrantOperation};
use bulla_service::*;
use serde_json::json;

use crate::harness::*;

const OTHER: &str = "999999999999";

/// Who administers the other account.
fn stranger() -> Call {
    call(Caller::operator(OTHER.parse().expect("an account")))
}

fn put(key_id: &str, statement: serde_json::Value) -> PutKeyPolicyRequest {
    let account = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"});
    PutKeyPolicyRequest {
        key_id: key_id.to_owned(),
        policy_name: None,
        policy: json!({"Version": "2012-10-17", "Statement": [account, statement]}).to_string(),
        bypass_policy_lockout_safety_check: false,
    }
}

/// A statement on the other account.
fn on_other(effect: &str, actions: &[&str]) -> serde_json::Value {
    json!({"Effect": effect, "Principal": {"AWS": OTHER}, "Action": actions, "Resource": "*"})
}

fn re_encrypt(blob: &[u8], to: &str) -> ReEncryptRequest {
    ReEncryptRequest {
        ciphertext_blob: blob.to_vec(),
        source_key_id: None,
        source_encryption_context: context(&[("tenant", "a")]),
        source_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        destination_key_id: to.to_owned(),
        destination_encryption_context: context(&[("tenant", "a")]),
        destination_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

/// AWS's words, which say the same of a key that is not there and of one that lets nobody in.
fn words(action: &str) -> (&'static str, String) {
    let text = format!(
        "User: arn:aws:iam::{OTHER}:root is not authorized to perform: {action} on the resource associated with this ciphertext \
         because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy \
         explicitly denies access"
    );
    ("AccessDeniedException", text)
}

#[tokio::test]
async fn a_ciphertext_leads_to_a_key_of_another_account_that_lets_the_caller_in() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let blob = encrypt(&h.service, &operator, id).await;
    let open = async || h.service.decrypt(&stranger(), decrypt_request(&blob)).await;
    assert_eq!(refusal(open().await), words("kms:Decrypt"));
    assert_eq!(h.last_event()["resources"], json!(null), "nobody learns of the key");
    let mut unknown = blob.clone();
    unknown[10] ^= 1;
    let refused = h.service.decrypt(&stranger(), decrypt_request(&unknown)).await;
    assert_eq!(
        refusal(refused),
        words("kms:Decrypt"),
        "as of material that there never was"
    );

    let request = put(id, on_other("Allow", &["kms:Decrypt"]));
    h.service.put_key_policy(&operator, request).await.expect("lets in");
    let opened = open().await.expect("opens");
    assert_eq!(
        (opened.plaintext.expose_secret(), &opened.key_arn),
        (b"the plaintext".as_slice(), &key.arn)
    );
    let event = h.last_event();
    assert_eq!(event["resources"][0]["ARN"], key.arn.as_str());
    assert_eq!(event["recipientAccountId"], "111122223333");
    assert_eq!(event["userIdentity"]["accountId"], OTHER);
    // Not in another region, and not what the policy does not say.
    let elsewhere = Call {
        region: "eu-west-1".parse().expect("a region"),
        ..stranger()
    };
    let refused = h.service.decrypt(&elsewhere, decrypt_request(&blob)).await;
    assert_eq!(refusal(refused), words("kms:Decrypt"));
    let own = create_key(&h.service, &stranger()).await;
    let moving = re_encrypt(&blob, own.key_id.as_str());
    let refused = h.service.re_encrypt(&stranger(), moving.clone()).await;
    assert_eq!(refusal(refused), words("kms:ReEncryptFrom"));

    let request = put(id, on_other("Allow", &["kms:ReEncryptFrom"]));
    h.service.put_key_policy(&operator, request).await.expect("lets in");
    let moved = h.service.re_encrypt(&stranger(), moving).await.expect("re-encrypts");
    assert_eq!(
        (&moved.source_key_arn, &moved.destination_key_arn),
        (&key.arn, &own.arn)
    );
    assert_eq!(
        refusal(open().await),
        words("kms:Decrypt"),
        "the policy decides the very next operation"
    );
    let request = put(id, on_other("Deny", &["kms:Decrypt"]));
    h.service.put_key_policy(&operator, request).await.expect("denies");
    assert_eq!(refusal(open().await), words("kms:Decrypt"));
    h.verify();
}

#[tokio::test]
async fn the_keys_state_is_told_to_whom_it_lets_in_and_to_nobody_else() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let blob = encrypt(&h.service, &operator, id).await;
    let grant = CreateGrantRequest {
        key_id: id.to_owned(),
        grantee_principal: format!("arn:aws:iam::{OTHER}:root"),
        retiring_principal: None,
        operations: vec![GrantOperation::Decrypt],
        constraints: GrantConstraints::default(),
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    let open = async || h.service.decrypt(&stranger(), decrypt_request(&blob)).await;
    let disable = DisableKeyRequest { key_id: id.to_owned() };
    h.service.disable_key(&operator, disable).await.expect("disables");
    assert_eq!(refusal(open().await), words("kms:Decrypt"));
    let enable = EnableKeyRequest { key_id: id.to_owned() };
    h.service.enable_key(&operator, enable).await.expect("enables");
    h.service.create_grant(&operator, grant).await.expect("grants");
    open().await.expect("a grant lets in, too");
    let disable = DisableKeyRequest { key_id: id.to_owned() };
    h.service.disable_key(&operator, disable).await.expect("disables");
    assert_eq!(refusal(open().await).0, "DisabledException");
    let schedule = ScheduleKeyDeletionRequest {
        key_id: id.to_owned(),
        pending_window_in_days: Some(7),
    };
    h.service
        .schedule_key_deletion(&operator, schedule)
        .await
        .expect("schedules");
    assert_eq!(refusal(open().await).0, "KMSInvalidStateException");
    h.days(7);
    assert_eq!(
        refusal(open().await),
        words("kms:Decrypt"),
        "gone, and not yet swept away"
    );
    h.service.sweep().await.expect("sweeps");
    assert_eq!(refusal(open().await), words("kms:Decrypt"));
}

#[tokio::test]
async fn a_key_of_an_account_that_this_node_never_heard_of_is_found() {
    let h = Harness::new().await;
    let (_, node) = h.node(9).await;
    // The first key of its account, made on another node, after this one last looked.
    let key = create_key(&h.service, &stranger()).await;
    let account = json!({"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:*", "Resource": "*"});
    let guest =
        json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:Decrypt", "Resource": "*"});
    let request = PutKeyPolicyRequest {
        key_id: key.key_id.to_string(),
        policy_name: None,
        policy: json!({"Version": "2012-10-17", "Statement": [account, guest]}).to_string(),
        bypass_policy_lockout_safety_check: false,
    };
    h.service.put_key_policy(&stranger(), request).await.expect("lets in");
    let blob = encrypt(&h.service, &stranger(), key.key_id.as_str()).await;
    let opened = node
        .decrypt(&h.operator(), decrypt_request(&blob))
        .await
        .expect("opens");
    assert_eq!(opened.key_arn, key.arn);
    // Nor is it lost by a restart.
    let reopened = h.open(&h.store.another(), 10).await.expect("opens");
    reopened
        .decrypt(&h.operator(), decrypt_request(&blob))
        .await
        .expect("opens");
}
