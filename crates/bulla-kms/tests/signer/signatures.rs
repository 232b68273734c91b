use bulla_kms::{KeySpec, KmsErrorKind, SigningAlgorithm, Verification};

use crate::{P256, provider, signer};

#[tokio::test]
async fn every_algorithm_of_every_spec_signs_messages_of_any_length_but_ed25519() {
    let provider = provider();
    let signer = signer(&provider);
    let long = vec![7; 100_000];
    for spec in KeySpec::ALL.iter().filter(|spec| !spec.signing_algorithms().is_empty()) {
        if matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096) {
            continue;
        }
        let key = spec.as_str();
        provider.add_signing_key(key, *spec);
        for algorithm in spec.signing_algorithms() {
            for message in [&b""[..], b"short", &long] {
                let outcome = signer.sign(key, *algorithm, message).await;
                if *algorithm == SigningAlgorithm::Ed25519Sha512 && message.len() > 4096 {
                    assert_eq!(outcome.unwrap_err().kind, KmsErrorKind::Invalid);
                    continue;
                }
                let signed = outcome.unwrap();
                assert_eq!((signed.algorithm, signed.key_id), (*algorithm, format!("memory:{key}")));
                let verified = signer
                    .verify(key, *algorithm, message, &signed.signature)
                    .await
                    .unwrap();
                assert_eq!(verified, Verification::Valid, "{algorithm} of {spec}");
                let other = [message, b"."].concat();
                let verified = signer.verify(key, *algorithm, &other, &signed.signature).await.unwrap();
                assert_eq!(verified, Verification::Invalid, "{algorithm} of {spec}");
            }
        }
    }
}

#[tokio::test]
async fn without_an_algorithm_the_recommended_one_signs() {
    let provider = provider();
    let signed = signer(&provider).sign(P256, None, b"message").await.unwrap();
    assert_eq!(signed.algorithm, SigningAlgorithm::EcdsaSha256);
}

#[tokio::test]
async fn what_does_not_go_together_is_refused_before_the_key_is_asked_to_sign() {
    let provider = provider();
    provider.add_signing_key("ed25519", KeySpec::EccNistEdwards25519);
    let signer = signer(&provider);
    for (key, algorithm, message) in [
        (P256, SigningAlgorithm::EcdsaSha384, &b"message"[..]),
        (P256, SigningAlgorithm::RsassaPssSha256, b"message"),
        ("ed25519", SigningAlgorithm::EcdsaSha256, b"message"),
        ("ed25519", SigningAlgorithm::Ed25519Sha512, &[0; 4097]),
    ] {
        let error = signer.sign(key, algorithm, message).await.unwrap_err();
        assert_eq!(error.kind, KmsErrorKind::Invalid, "{key} {algorithm}");
        assert!(error.source.is_some(), "the reason is told");
    }
    let error = signer
        .verify(P256, SigningAlgorithm::EcdsaSha384, b"m", b"s")
        .await
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Invalid);
    assert_eq!(
        signer.sign("key-a", None, b"m").await.unwrap_err().kind,
        KmsErrorKind::Invalid
    );
    assert_eq!(provider.calls().sign, 0);
}

#[tokio::test]
async fn a_signature_of_any_form_is_invalid_and_no_error() {
    let provider = provider();
    let signer = signer(&provider);
    let signature = signer.sign(P256, None, b"message").await.unwrap().signature;
    let mut longer = signature.clone();
    longer.push(0);
    for wrong in [&[][..], &[0; 64], &signature[1..], &longer, &[0x30; 100_000]] {
        assert_eq!(
            signer.verify(P256, None, b"message", wrong).await.unwrap(),
            Verification::Invalid
        );
    }
}
