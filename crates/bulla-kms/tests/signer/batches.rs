use std::sync::Arc;

use bulla_kms::{KmsErrorKind, Signer, SignerSettings, Verification};

use crate::{P256, provider};

#[tokio::test]
async fn a_batch_runs_several_at_once_within_its_bound_and_keeps_its_order() {
    let provider = provider();
    let settings = SignerSettings {
        concurrency: 8,
        ..SignerSettings::default()
    };
    let signer = Arc::new(Signer::new(Arc::clone(&provider) as _, settings));
    let _ = signer.verify(P256, None, b"m", b"s").await.unwrap();
    provider.hold();
    let batch = {
        let signer = Arc::clone(&signer);
        tokio::spawn(async move {
            let texts: Vec<_> = (0..100).map(|i| format!("message {i}")).collect();
            let messages: Vec<_> = texts.iter().map(String::as_bytes).collect();
            let signed = signer.sign_all(P256, None, &messages).await;
            let signatures: Vec<_> = signed.into_iter().map(|signed| signed.unwrap().signature).collect();
            let pairs: Vec<_> = messages
                .iter()
                .copied()
                .zip(signatures.iter().map(Vec::as_slice))
                .collect();
            signer.verify_all(P256, None, &pairs).await
        })
    };
    provider.wait_for_in_flight(8).await;
    provider.release();
    let verified = batch.await.unwrap();
    assert_eq!(verified.len(), 100);
    assert!(verified.into_iter().all(|one| one.unwrap() == Verification::Valid));
    assert_eq!(provider.calls().most_in_flight, 8);
    assert_eq!((provider.calls().sign, provider.calls().public_key), (100, 1));
}

#[tokio::test]
async fn one_that_fails_fails_alone() {
    let provider = provider();
    let signer = Signer::new(
        Arc::clone(&provider) as _,
        SignerSettings {
            concurrency: 1,
            ..SignerSettings::default()
        },
    );
    let _ = signer.verify(P256, None, b"m", b"s").await.unwrap();
    provider.fail_next(1, KmsErrorKind::Throttled);
    let outcomes = signer.sign_all(P256, None, &[b"one", b"two", b"three"]).await;
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().err().map(|error| error.kind))
        .collect();
    assert_eq!(kinds, [Some(KmsErrorKind::Throttled), None, None]);
}
