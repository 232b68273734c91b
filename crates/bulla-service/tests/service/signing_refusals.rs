//! What each operation on key pairs and HMAC keys says in its event, and whom and what it refuses.

use bulla_model::{DataKeyPairSpec, KeySpec, KeyUsage, Role};
use bulla_service::*;

use crate::harness::*;
use crate::signing_calls::*;

#[tokio::test]
async fn each_operation_is_one_event_that_shows_no_message_and_no_secret() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let kinds = Kinds::new(&h).await;
    for other in [None, Some("nonsense")] {
        let before = h.events().len();
        let ended = call_each(&h, &admin, kinds.calls(other, false)).await;
        let events = h.events().split_off(before);
        assert_eq!(events.len(), ended.len());
        for (event, (name, result)) in events.iter().zip(&ended) {
            assert_eq!(event["eventName"], *name);
            assert_eq!(event["readOnly"], true, "{name}");
            let code = result.as_ref().err().map(ServiceError::code);
            assert_eq!(event["errorCode"].as_str(), code, "{name}");
            assert_eq!(result.is_ok(), other.is_none(), "{name}: {result:?}");
            assert_eq!(event["keyVersion"].is_string(), other.is_none(), "{name}");
            let members: Vec<&String> = event["requestParameters"]
                .as_object()
                .expect("members")
                .keys()
                .collect();
            for hidden in ["message", "signature", "mac", "sharedSecretCiphertextBlob", "publicKey"] {
                assert!(!members.iter().any(|member| *member == hidden), "{name} {hidden}");
            }
        }
    }
    h.verify();
}

#[tokio::test]
async fn dry_run_does_everything_but_answer() {
    let h = Harness::new().await;
    let kinds = Kinds::new(&h).await;
    for (name, result) in call_each(&h, &h.operator(), kinds.calls(None, true)).await {
        if name == "GetPublicKey" {
            assert!(result.is_ok());
        } else {
            assert_eq!(refusal(result).0, "DryRunOperationException", "{name}");
        }
    }
    let mut calls = kinds.calls(None, true);
    calls.verify.signature[8] ^= 1;
    calls.verify_mac.mac[8] ^= 1;
    let (signature, mac) = (calls.verify, calls.verify_mac);
    assert_eq!(
        refusal(h.service.verify(&h.operator(), signature).await).0,
        "KMSInvalidSignatureException"
    );
    assert_eq!(
        refusal(h.service.verify_mac(&h.operator(), mac).await).0,
        "KMSInvalidMacException"
    );
}

#[tokio::test]
async fn a_key_for_something_else_is_refused_before_its_state() {
    let h = Harness::new().await;
    let kinds = Kinds::new(&h).await;
    let operator = h.operator();
    // A key whose usage is none of the operations'; disabled, so the order shows.
    let other = key_of(&h, KeySpec::Rsa2048, KeyUsage::EncryptDecrypt).await;
    let id = other.key_id.as_str();
    let disable = || DisableKeyRequest { key_id: id.to_owned() };
    h.service.disable_key(&operator, disable()).await.expect("disables");
    for (name, result) in call_each(&h, &operator, kinds.calls(Some(id), false)).await {
        let said = refusal_or_ok(result);
        match name {
            "GetPublicKey" => assert_eq!(said, None, "the public half of a disabled key is told"),
            "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
                assert_eq!(
                    said,
                    Some(("DisabledException", format!("{} is disabled.", other.arn))),
                    "{name}"
                );
            }
            _ => {
                let words = format!(
                    "{} key usage is ENCRYPT_DECRYPT which is not valid for {name}.",
                    other.arn
                );
                assert_eq!(said, Some(("InvalidKeyUsageException", words)), "{name}");
            }
        }
    }
    h.service
        .enable_key(&operator, EnableKeyRequest { key_id: id.to_owned() })
        .await
        .expect("enables");
    let pair = h
        .service
        .generate_data_key_pair(&operator, data_key_pair(id, DataKeyPairSpec::EccNistP256))
        .await;
    assert_eq!(
        refusal(pair),
        (
            "InvalidKeyUsageException",
            "You cannot generate a data key with an asymmetric CMK".to_owned()
        )
    );
}

fn refusal_or_ok(result: Result<(), ServiceError>) -> Option<(&'static str, String)> {
    result
        .err()
        .map(|error| (error.code(), error.message().unwrap_or_default()))
}

#[tokio::test]
async fn a_disabled_key_and_one_that_is_to_be_deleted_do_nothing() {
    let h = Harness::new().await;
    let kinds = Kinds::new(&h).await;
    let operator = h.operator();
    let all = [&kinds.p256, &kinds.hmac, &kinds.agreeing, &kinds.kem, &kinds.symmetric];
    for key in all {
        let request = DisableKeyRequest {
            key_id: key.key_id.as_str().to_owned(),
        };
        h.service.disable_key(&operator, request).await.expect("disables");
    }
    for (name, result) in call_each(&h, &operator, kinds.calls(None, false)).await {
        let code = result.err().map(|error| error.code());
        assert_eq!(code, (name != "GetPublicKey").then_some("DisabledException"), "{name}");
    }
    for key in all {
        let request = ScheduleKeyDeletionRequest {
            key_id: key.key_id.as_str().to_owned(),
            pending_window_in_days: None,
        };
        h.service
            .schedule_key_deletion(&operator, request)
            .await
            .expect("schedules");
    }
    for (name, result) in call_each(&h, &operator, kinds.calls(None, false)).await {
        let (code, words) = refusal(result);
        assert_eq!(code, "KMSInvalidStateException", "{name}");
        assert!(words.ends_with(" is pending deletion."), "{name}: {words}");
    }
}

#[tokio::test]
async fn who_may_not_is_refused_by_each_operation() {
    let h = Harness::new().await;
    let kinds = Kinds::new(&h).await;
    let (_, user) = h.user("u", Role::User).await;
    for (name, result) in call_each(&h, &user, kinds.calls(None, false)).await {
        let (code, words) = refusal(result);
        assert_eq!(code, "AccessDeniedException", "{name}");
        assert!(words.contains(&format!("kms:{name} ")), "{words}");
    }
}
