use std::sync::Arc;
use std::time::Duration;

use bulla_kms::{KeySpec, KmsErrorKind, Signer, SignerSettings, Verification};

use crate::{P256, provider, signer};

#[tokio::test]
async fn verification_costs_one_call_for_the_public_key_and_none_after_it() {
    let provider = provider();
    let signature = signer(&provider).sign(P256, None, b"message").await.unwrap().signature;
    let before = provider.calls();
    let signer = signer(&provider);
    for _ in 0..1000 {
        assert_eq!(
            signer.verify(P256, None, b"message", &signature).await.unwrap(),
            Verification::Valid
        );
    }
    let calls = provider.calls();
    assert_eq!(calls.public_key - before.public_key, 1);
    assert_eq!((calls.verify, calls.sign, calls.describe), (0, before.sign, 0));
}

#[tokio::test]
async fn an_outage_is_an_error_and_never_invalid() {
    let provider = provider();
    let signer = signer(&provider);
    let signature = signer.sign(P256, None, b"message").await.unwrap().signature;
    provider.set_down(true);
    let known = signer.verify(P256, None, b"message", &signature).await.unwrap();
    assert_eq!(known, Verification::Valid, "what is at hand goes on working");
    assert_eq!(
        signer.sign(P256, None, b"m").await.unwrap_err().kind,
        KmsErrorKind::Unavailable
    );
    signer.forget(P256);
    for kind in [
        KmsErrorKind::Unavailable,
        KmsErrorKind::Throttled,
        KmsErrorKind::AccessDenied,
    ] {
        provider.set_down(false);
        provider.fail_next(1, kind);
        let error = signer.verify(P256, None, b"message", &signature).await.unwrap_err();
        assert_eq!(error.kind, kind);
    }
    let back = signer.verify(P256, None, b"message", &signature).await.unwrap();
    assert_eq!(back, Verification::Valid, "a failure is not kept");
}

#[tokio::test]
async fn a_thousand_who_need_a_key_at_once_ask_for_it_once() {
    let provider = provider();
    let signature = signer(&provider).sign(P256, None, b"message").await.unwrap().signature;
    let asked = provider.calls().public_key;
    let signer = Arc::new(signer(&provider));
    provider.hold();
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let (signer, signature) = (Arc::clone(&signer), signature.clone());
            tokio::spawn(async move { signer.verify(P256, None, b"message", &signature).await })
        })
        .collect();
    provider.wait_for_in_flight(1).await;
    provider.release();
    for verified in waiting {
        assert_eq!(verified.await.unwrap().unwrap(), Verification::Valid);
    }
    assert_eq!(provider.calls().public_key - asked, 1);
}

#[tokio::test]
async fn all_who_wait_learn_of_the_failure_and_the_next_asks_again() {
    let provider = provider();
    let signer = Arc::new(signer(&provider));
    provider.hold();
    provider.fail_next(1, KmsErrorKind::Throttled);
    // A current-thread runtime: each has begun to wait before the first is answered.
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let signer = Arc::clone(&signer);
            tokio::spawn(async move { signer.verify(P256, None, b"m", b"s").await })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    provider.release();
    for verified in waiting {
        assert_eq!(verified.await.unwrap().unwrap_err().kind, KmsErrorKind::Throttled);
    }
    assert_eq!(provider.calls().public_key, 1);
    assert_eq!(
        signer.verify(P256, None, b"m", b"s").await.unwrap(),
        Verification::Invalid
    );
    assert_eq!(provider.calls().public_key, 2);
}

#[tokio::test]
async fn who_waits_for_one_key_keeps_nobody_from_another() {
    let provider = provider();
    provider.add_signing_key("known", KeySpec::EccNistEdwards25519);
    let signer = Arc::new(signer(&provider));
    let signature = signer.sign("known", None, b"message").await.unwrap().signature;
    provider.hold();
    let waiting = {
        let signer = Arc::clone(&signer);
        tokio::spawn(async move { signer.verify(P256, None, b"m", b"s").await })
    };
    provider.wait_for_in_flight(1).await;
    let verified = signer.verify("known", None, b"message", &signature).await.unwrap();
    assert_eq!(verified, Verification::Valid);
    assert!(!waiting.is_finished());
    provider.release();
    assert_eq!(waiting.await.unwrap().unwrap(), Verification::Invalid);
}

#[tokio::test]
async fn a_caller_that_gives_up_takes_nothing_from_those_who_wait() {
    let provider = provider();
    let signer = Arc::new(signer(&provider));
    provider.hold();
    let verify = |signer: Arc<Signer>| tokio::spawn(async move { signer.verify(P256, None, b"m", b"s").await });
    let first = verify(Arc::clone(&signer));
    provider.wait_for_in_flight(1).await;
    let second = verify(Arc::clone(&signer));
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.is_err());
    provider.release();
    assert_eq!(second.await.unwrap().unwrap(), Verification::Invalid);
    assert_eq!(provider.calls().public_key, 1);
}

#[tokio::test(start_paused = true)]
async fn a_public_key_is_kept_for_its_time_and_no_longer() {
    let provider = provider();
    let settings = SignerSettings {
        public_key_ttl: Duration::from_secs(60),
        ..SignerSettings::default()
    };
    let signer = Signer::new(Arc::clone(&provider) as _, settings);
    let signature = signer.sign(P256, None, b"message").await.unwrap().signature;
    tokio::time::advance(Duration::from_secs(59)).await;
    let _ = signer.verify(P256, None, b"message", &signature).await.unwrap();
    assert_eq!(provider.calls().public_key, 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    provider.set_down(true);
    let error = signer.verify(P256, None, b"message", &signature).await.unwrap_err();
    assert_eq!(
        (error.kind, provider.calls().public_key),
        (KmsErrorKind::Unavailable, 2)
    );
}

#[tokio::test]
async fn a_bounded_number_of_public_keys_is_kept() {
    let provider = provider();
    let settings = SignerSettings {
        public_key_capacity: 2,
        ..SignerSettings::default()
    };
    let signer = Signer::new(Arc::clone(&provider) as _, settings);
    for name in ["a", "b", "c"] {
        provider.add_signing_key(name, KeySpec::EccNistEdwards25519);
        let _ = signer.verify(name, None, b"m", b"s").await.unwrap();
    }
    assert_eq!(provider.calls().public_key, 3);
    for (name, asked) in [("c", 3), ("b", 3), ("a", 4)] {
        let _ = signer.verify(name, None, b"m", b"s").await.unwrap();
        assert_eq!(provider.calls().public_key, asked, "{name}");
    }
}

#[tokio::test]
async fn an_alias_is_followed_where_it_leads_when_its_public_key_is_asked_for() {
    let provider = provider();
    provider.add_signing_key("next", KeySpec::EccNistP256);
    provider.rotate_alias("alias/signer", P256);
    let signer = signer(&provider);
    let one = signer.sign("alias/signer", None, b"message").await.unwrap();
    provider.rotate_alias("alias/signer", "next");
    let two = signer.sign("alias/signer", None, b"message").await.unwrap();
    assert_eq!(
        (one.key_id.as_str(), two.key_id.as_str()),
        ("memory:p256", "memory:p256")
    );
    signer.forget("alias/signer");
    let three = signer.sign("alias/signer", None, b"message").await.unwrap();
    assert_eq!(three.key_id, "memory:next");
    let verified = signer
        .verify("alias/signer", None, b"message", &one.signature)
        .await
        .unwrap();
    assert_eq!(verified, Verification::Invalid);
    let verified = signer
        .verify(&one.key_id, None, b"message", &one.signature)
        .await
        .unwrap();
    assert_eq!(verified, Verification::Valid);
}
