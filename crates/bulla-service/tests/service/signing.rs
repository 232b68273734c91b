//! What key pairs and HMAC keys do: each operation, each of its refusals, its event.

use bulla_crypto::keys::{Message, PrivateKey, PublicKey};
use bulla_model::{DataKeyPairSpec, KeySpec, KeyUsage, MacAlgorithm, MessageType, SigningAlgorithm};
use bulla_service::*;

use crate::harness::*;
use crate::signing_calls::verify;
use crate::signing_calls::*;

#[tokio::test]
async fn signatures_of_every_spec_and_algorithm_verify_and_changed_ones_do_not() {
    let h = Harness::new().await;
    let operator = h.operator();
    for spec in [
        KeySpec::Rsa2048,
        KeySpec::EccNistP256,
        KeySpec::EccNistP384,
        KeySpec::EccNistP521,
        KeySpec::EccSecgP256K1,
        KeySpec::EccNistEdwards25519,
        KeySpec::MlDsa44,
        KeySpec::MlDsa65,
        KeySpec::MlDsa87,
    ] {
        let key = key_of(&h, spec, KeyUsage::SignVerify).await;
        let public = public_key(&h, key.key_id.as_str()).await;
        for algorithm in spec.signing_algorithms().iter().copied() {
            for message_type in algorithm.message_types().iter().copied() {
                let message = match message_type {
                    MessageType::Raw => b"a message".to_vec(),
                    MessageType::Digest => vec![7; algorithm.digest_bytes().expect("a length")],
                    MessageType::ExternalMu => vec![7; 64],
                };
                let request = sign(key.key_id.as_str(), algorithm, message_type, &message);
                let right = sign(key.key_id.as_str(), algorithm, message_type, &message);
                let signed = h.service.sign(&operator, request).await.expect("signs");
                assert_eq!((&signed.key_arn, signed.signing_algorithm), (&key.arn, algorithm));
                let verified = h.service.verify(&operator, verify(&right, &signed.signature)).await;
                assert_eq!(
                    verified.expect("verifies").key_arn,
                    key.arn,
                    "{algorithm} {message_type}"
                );
                let mut changed = signed.signature.clone();
                let last = changed.len() - 1;
                changed[last] ^= 1;
                let mut other = message.clone();
                other[0] ^= 1;
                let other = sign(key.key_id.as_str(), algorithm, message_type, &other);
                for wrong in [verify(&right, &changed), verify(&other, &signed.signature)] {
                    assert_eq!(
                        refusal(h.service.verify(&operator, wrong).await),
                        ("KMSInvalidSignatureException", String::new()),
                        "{algorithm} {message_type}"
                    );
                }
                // Who has the public key alone can verify, too.
                if message_type == MessageType::Raw && algorithm == SigningAlgorithm::EcdsaSha256 {
                    let outside = PublicKey::from_spki_der(&public).expect("a public key");
                    let found = outside.verify(
                        bulla_crypto::keys::SigningAlgorithm::EcdsaSha256,
                        Message::Raw(&message),
                        &signed.signature,
                    );
                    assert!(found.expect("checks").is_valid());
                }
            }
        }
    }
    h.verify();
}

#[tokio::test]
async fn messages_of_a_wrong_type_or_length_are_refused_in_aws_words() {
    let h = Harness::new().await;
    let operator = h.operator();
    let p256 = key_of(&h, KeySpec::EccNistP256, KeyUsage::SignVerify).await;
    let ed25519 = key_of(&h, KeySpec::EccNistEdwards25519, KeyUsage::SignVerify).await;
    let ml_dsa = key_of(&h, KeySpec::MlDsa44, KeyUsage::SignVerify).await;
    use MessageType as T;
    use SigningAlgorithm as A;
    for (key, algorithm, message_type, length, words) in [
        (
            &p256,
            A::EcdsaSha256,
            T::Digest,
            31,
            "Digest is invalid length for algorithm ECDSA_SHA_256.",
        ),
        (
            &ed25519,
            A::Ed25519Sha512,
            T::Digest,
            64,
            "Message type DIGEST is incompatible with algorithm ED25519_SHA_512.",
        ),
        (
            &ed25519,
            A::Ed25519PhSha512,
            T::Raw,
            64,
            "Message type RAW is incompatible with algorithm ED25519_PH_SHA_512.",
        ),
        (
            &ml_dsa,
            A::MlDsaShake256,
            T::Digest,
            64,
            "Message type DIGEST is incompatible with key spec ML_DSA_44.",
        ),
        // Not confirmed.
        (
            &p256,
            A::EcdsaSha256,
            T::ExternalMu,
            64,
            "Message type EXTERNAL_MU is incompatible with key spec ECC_NIST_P256.",
        ),
        (
            &ml_dsa,
            A::MlDsaShake256,
            T::ExternalMu,
            63,
            "Digest is invalid length for algorithm ML_DSA_SHAKE_256.",
        ),
    ] {
        let request = || sign(key.key_id.as_str(), algorithm, message_type, &vec![7; length]);
        let expected = ("ValidationException", words.to_owned());
        assert_eq!(refusal(h.service.sign(&operator, request()).await), expected);
        assert_eq!(
            refusal(h.service.verify(&operator, verify(&request(), b"x")).await),
            expected
        );
    }
    let request = sign(p256.key_id.as_str(), A::EcdsaSha384, T::Raw, b"m");
    assert_eq!(
        refusal(h.service.sign(&operator, request).await),
        (
            "InvalidKeyUsageException",
            "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.".to_owned()
        )
    );
    for length in [0, 4097] {
        let request = sign(p256.key_id.as_str(), A::EcdsaSha256, T::Raw, &vec![7; length]);
        assert_eq!(
            refusal(h.service.sign(&operator, request).await).0,
            "ValidationException"
        );
    }
}

#[tokio::test]
async fn macs_of_every_size_verify_and_others_do_not() {
    let h = Harness::new().await;
    let operator = h.operator();
    for (spec, length) in [
        (KeySpec::Hmac224, 28),
        (KeySpec::Hmac256, 32),
        (KeySpec::Hmac384, 48),
        (KeySpec::Hmac512, 64),
    ] {
        let key = key_of(&h, spec, KeyUsage::GenerateVerifyMac).await;
        let (id, algorithm) = (key.key_id.as_str(), spec.mac_algorithms()[0]);
        let made = h
            .service
            .generate_mac(&operator, mac(id, algorithm))
            .await
            .expect("a MAC");
        assert_eq!((made.mac.len(), &made.key_arn), (length, &key.arn));
        let verified = h
            .service
            .verify_mac(&operator, verify_mac(id, algorithm, &made.mac))
            .await;
        assert_eq!(verified.expect("verifies").mac_algorithm, algorithm);
        for wrong in [&made.mac[1..], &made.mac[..length - 1], &[7; 32]] {
            assert_eq!(
                refusal(h.service.verify_mac(&operator, verify_mac(id, algorithm, wrong)).await),
                ("KMSInvalidMacException", String::new())
            );
        }
        let other = if algorithm == MacAlgorithm::HmacSha224 {
            MacAlgorithm::HmacSha256
        } else {
            MacAlgorithm::HmacSha224
        };
        let expected = (
            "InvalidKeyUsageException",
            format!("Algorithm {other} is incompatible with key spec {spec}."),
        );
        assert_eq!(
            refusal(h.service.generate_mac(&operator, mac(id, other)).await),
            expected
        );
        assert_eq!(
            refusal(h.service.verify_mac(&operator, verify_mac(id, other, &made.mac)).await),
            expected
        );
    }
}

#[tokio::test]
async fn two_keys_on_one_curve_agree_on_a_secret() {
    let h = Harness::new().await;
    let operator = h.operator();
    let mut others = Vec::new();
    for (spec, length) in [
        (KeySpec::EccNistP256, 32),
        (KeySpec::EccNistP384, 48),
        (KeySpec::EccNistP521, 66),
    ] {
        let (a, b) = (
            key_of(&h, spec, KeyUsage::KeyAgreement).await,
            key_of(&h, spec, KeyUsage::KeyAgreement).await,
        );
        let (a, b) = (a.key_id.as_str(), b.key_id.as_str());
        let (of_a, of_b) = (public_key(&h, a).await, public_key(&h, b).await);
        let one = h
            .service
            .derive_shared_secret(&operator, agree(a, &of_b))
            .await
            .expect("agrees");
        let two = h
            .service
            .derive_shared_secret(&operator, agree(b, &of_a))
            .await
            .expect("agrees");
        assert_eq!(one.shared_secret.expose_secret(), two.shared_secret.expose_secret());
        assert_eq!(one.shared_secret.len(), length);
        for wrong in others.iter().map(Vec::as_slice).chain([b"x".as_slice(), &of_b[1..]]) {
            assert_eq!(
                refusal(h.service.derive_shared_secret(&operator, agree(a, wrong)).await).0,
                "ValidationException"
            );
        }
        others.push(of_a);
    }
}

#[tokio::test]
async fn a_shared_secret_is_recovered_from_its_ciphertext_alone() {
    let h = Harness::new().await;
    let operator = h.operator();
    for (spec, length) in [
        (KeySpec::MlKem512, 768),
        (KeySpec::MlKem768, 1088),
        (KeySpec::MlKem1024, 1568),
    ] {
        let key = key_of(&h, spec, KeyUsage::EncapsulateDecapsulate).await;
        let id = key.key_id.as_str();
        let made = h
            .service
            .encapsulate(&operator, encapsulate(id))
            .await
            .expect("encapsulates");
        let blob = &made.shared_secret_ciphertext_blob;
        assert_eq!((blob.len(), made.shared_secret.len()), (length, 32));
        let opened = h
            .service
            .decapsulate(&operator, decapsulate(id, blob))
            .await
            .expect("opens");
        assert_eq!(opened.shared_secret.expose_secret(), made.shared_secret.expose_secret());
        // Implicit rejection: another secret, no error.
        let mut changed = blob.clone();
        changed[3] ^= 1;
        let other = h
            .service
            .decapsulate(&operator, decapsulate(id, &changed))
            .await
            .expect("answers");
        assert_ne!(other.shared_secret.expose_secret(), made.shared_secret.expose_secret());
        assert_eq!(
            refusal(h.service.decapsulate(&operator, decapsulate(id, &blob[1..])).await),
            ("InvalidCiphertextException", String::new())
        );
    }
}

#[tokio::test]
async fn data_key_pairs_come_with_their_private_half_encrypted() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    let id = key.key_id.as_str();
    for spec in DataKeyPairSpec::ALL.iter().copied() {
        if matches!(spec, DataKeyPairSpec::Rsa3072 | DataKeyPairSpec::Rsa4096) {
            continue;
        }
        let made = h
            .service
            .generate_data_key_pair(&operator, data_key_pair(id, spec))
            .await;
        if spec == DataKeyPairSpec::Sm2 {
            assert_eq!(refusal(made).0, "UnsupportedOperationException");
            continue;
        }
        let made = made.expect("a pair");
        assert_eq!(
            (&made.key_arn, Some(made.key_material_id)),
            (&key.arn, key.current_key_material_id)
        );
        let opened = h
            .service
            .decrypt(&operator, decrypt_request(&made.private_key_ciphertext_blob))
            .await;
        let opened = opened.expect("decrypts").plaintext;
        assert_eq!(opened.expose_secret(), made.private_key_plaintext.expose_secret());
        let crypto_spec = bulla_crypto::keys::KeySpec::ALL
            .into_iter()
            .find(|found| found.name() == spec.as_str())
            .expect("a spec");
        let private = PrivateKey::from_imported(crypto_spec, &opened).expect("PKCS#8");
        assert_eq!(private.public_key_der(), Some(made.public_key.as_slice()), "{spec}");
    }
    let without = GenerateDataKeyPairWithoutPlaintextRequest {
        key_id: id.to_owned(),
        encryption_context: context(&[]),
        key_pair_spec: DataKeyPairSpec::EccNistP256,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    let made = h
        .service
        .generate_data_key_pair_without_plaintext(&operator, without)
        .await;
    let made = made.expect("a pair");
    let blob = DecryptRequest {
        encryption_context: context(&[]),
        ..decrypt_request(&made.private_key_ciphertext_blob)
    };
    assert!(h.service.decrypt(&operator, blob).await.is_ok());
    h.verify();
}

#[tokio::test]
async fn who_signs_does_not_wait_for_all_the_keys_that_are_being_made() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = key_of(&h, KeySpec::Rsa2048, KeyUsage::SignVerify).await;
    let made = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut makers = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (service, operator, made) = (h.service.clone(), operator.clone(), made.clone());
        makers.spawn(async move {
            let request = CreateKeyRequest {
                spec: KeySpec::Rsa2048,
                usage: KeyUsage::SignVerify,
                ..create_key_request()
            };
            service.create_key(&operator, request).await.expect("made");
            made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        });
    }
    // All of them have asked before the signer does.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let algorithm = SigningAlgorithm::RsassaPssSha256;
    let request = sign(key.key_id.as_str(), algorithm, MessageType::Raw, b"a message");
    h.service.sign(&operator, request).await.expect("signs");
    let before = made.load(std::sync::atomic::Ordering::SeqCst);
    assert!(before < 100, "{before} keys were made first");
    makers.shutdown().await;
}
