//! What key pairs and HMAC keys do: each operation, each of its refusals, its event.

use bulla_crypto::SecretBytes;
use bulla_crypto::keys::{Message, PrivateKey, PublicKey};
use bulla_model::{
    DataKeyPairSpec, EncapsulationAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm, MessageType, Role,
    SigningAlgorithm,
};
use bulla_service::*;

use crate::harness::*;

async fn key_of(h: &Harness, spec: KeySpec, usage: KeyUsage) -> KeyMetadata {
    let request = CreateKeyRequest {
        spec,
        usage,
        ..create_key_request()
    };
    h.service.create_key(&h.operator(), request).await.expect("made").key
}

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::from_vec(bytes.to_vec())
}

fn sign(key: &str, algorithm: SigningAlgorithm, message_type: MessageType, message: &[u8]) -> SignRequest {
    SignRequest {
        key_id: key.to_owned(),
        message: secret(message),
        message_type,
        signing_algorithm: algorithm,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn verify(request: &SignRequest, signature: &[u8]) -> VerifyRequest {
    VerifyRequest {
        key_id: request.key_id.clone(),
        message: secret(request.message.expose_secret()),
        message_type: request.message_type,
        signature: signature.to_vec(),
        signing_algorithm: request.signing_algorithm,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn mac(key: &str, algorithm: MacAlgorithm) -> GenerateMacRequest {
    GenerateMacRequest {
        key_id: key.to_owned(),
        message: secret(b"message"),
        mac_algorithm: algorithm,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn verify_mac(key: &str, algorithm: MacAlgorithm, mac: &[u8]) -> VerifyMacRequest {
    VerifyMacRequest {
        key_id: key.to_owned(),
        message: secret(b"message"),
        mac_algorithm: algorithm,
        mac: mac.to_vec(),
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn agree(key: &str, public_key: &[u8]) -> DeriveSharedSecretRequest {
    DeriveSharedSecretRequest {
        key_id: key.to_owned(),
        key_agreement_algorithm: KeyAgreementAlgorithm::Ecdh,
        public_key: public_key.to_vec(),
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn encapsulate(key: &str) -> EncapsulateRequest {
    EncapsulateRequest {
        key_id: key.to_owned(),
        encapsulation_algorithm: EncapsulationAlgorithm::MlKem,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn decapsulate(key: &str, blob: &[u8]) -> DecapsulateRequest {
    DecapsulateRequest {
        key_id: key.to_owned(),
        shared_secret_ciphertext_blob: blob.to_vec(),
        encapsulation_algorithm: EncapsulationAlgorithm::MlKem,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn data_key_pair(key: &str, spec: DataKeyPairSpec) -> GenerateDataKeyPairRequest {
    GenerateDataKeyPairRequest {
        key_id: key.to_owned(),
        encryption_context: context(&[("tenant", "a")]),
        key_pair_spec: spec,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

async fn public_key(h: &Harness, key: &str) -> Vec<u8> {
    let request = GetPublicKeyRequest {
        key_id: key.to_owned(),
        grant_tokens: Vec::new(),
    };
    let answer = h.service.get_public_key(&h.operator(), request).await;
    answer.expect("a public key").public_key
}

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

/// One call of each operation, on a key of its own kind.
struct Calls {
    sign: SignRequest,
    verify: VerifyRequest,
    mac: GenerateMacRequest,
    verify_mac: VerifyMacRequest,
    agree: DeriveSharedSecretRequest,
    encapsulate: EncapsulateRequest,
    decapsulate: DecapsulateRequest,
    pair: GenerateDataKeyPairRequest,
    public: GetPublicKeyRequest,
}

struct Kinds {
    p256: KeyMetadata,
    hmac: KeyMetadata,
    agreeing: KeyMetadata,
    kem: KeyMetadata,
    symmetric: KeyMetadata,
    signature: Vec<u8>,
    mac: Vec<u8>,
    peer: Vec<u8>,
    encapsulated: Vec<u8>,
}

impl Kinds {
    async fn new(h: &Harness) -> Self {
        let p256 = key_of(h, KeySpec::EccNistP256, KeyUsage::SignVerify).await;
        let hmac = key_of(h, KeySpec::Hmac256, KeyUsage::GenerateVerifyMac).await;
        let agreeing = key_of(h, KeySpec::EccNistP256, KeyUsage::KeyAgreement).await;
        let kem = key_of(h, KeySpec::MlKem768, KeyUsage::EncapsulateDecapsulate).await;
        let symmetric = h.key().await;
        let (operator, s) = (h.operator(), &h.service);
        let request = sign(
            p256.key_id.as_str(),
            SigningAlgorithm::EcdsaSha256,
            MessageType::Raw,
            b"m",
        );
        let signature = s.sign(&operator, request).await.expect("signs").signature;
        let request = mac(hmac.key_id.as_str(), MacAlgorithm::HmacSha256);
        let mac = s.generate_mac(&operator, request).await.expect("a MAC").mac;
        let peer = public_key(h, agreeing.key_id.as_str()).await;
        let request = encapsulate(kem.key_id.as_str());
        let made = s.encapsulate(&operator, request).await.expect("encapsulates");
        Self {
            p256,
            hmac,
            agreeing,
            kem,
            symmetric,
            signature,
            mac,
            peer,
            encapsulated: made.shared_secret_ciphertext_blob,
        }
    }

    /// The calls, each on its own key or all on `other`.
    fn calls(&self, other: Option<&str>, dry_run: bool) -> Calls {
        let on = |key: &KeyMetadata| other.unwrap_or(key.key_id.as_str()).to_owned();
        let signing = || SignRequest {
            dry_run,
            ..sign(&on(&self.p256), SigningAlgorithm::EcdsaSha256, MessageType::Raw, b"m")
        };
        Calls {
            verify: VerifyRequest {
                dry_run,
                ..verify(&signing(), &self.signature)
            },
            sign: signing(),
            mac: GenerateMacRequest {
                dry_run,
                ..mac(&on(&self.hmac), MacAlgorithm::HmacSha256)
            },
            verify_mac: VerifyMacRequest {
                dry_run,
                ..verify_mac(&on(&self.hmac), MacAlgorithm::HmacSha256, &self.mac)
            },
            agree: DeriveSharedSecretRequest {
                dry_run,
                ..agree(&on(&self.agreeing), &self.peer)
            },
            encapsulate: EncapsulateRequest {
                dry_run,
                ..encapsulate(&on(&self.kem))
            },
            decapsulate: DecapsulateRequest {
                dry_run,
                ..decapsulate(&on(&self.kem), &self.encapsulated)
            },
            pair: GenerateDataKeyPairRequest {
                dry_run,
                ..data_key_pair(&on(&self.symmetric), DataKeyPairSpec::EccNistP256)
            },
            public: GetPublicKeyRequest {
                key_id: on(&self.p256),
                grant_tokens: Vec::new(),
            },
        }
    }
}

/// Calls each operation; tells its name and how it ended.
async fn call_each(h: &Harness, call: &Call, calls: Calls) -> Vec<(&'static str, Result<(), ServiceError>)> {
    let s = &h.service;
    let without = GenerateDataKeyPairWithoutPlaintextRequest {
        key_id: calls.pair.key_id.clone(),
        encryption_context: calls.pair.encryption_context.clone(),
        key_pair_spec: calls.pair.key_pair_spec,
        grant_tokens: Vec::new(),
        dry_run: calls.pair.dry_run,
    };
    vec![
        ("Sign", s.sign(call, calls.sign).await.map(drop)),
        ("Verify", s.verify(call, calls.verify).await.map(drop)),
        ("GenerateMac", s.generate_mac(call, calls.mac).await.map(drop)),
        ("VerifyMac", s.verify_mac(call, calls.verify_mac).await.map(drop)),
        (
            "DeriveSharedSecret",
            s.derive_shared_secret(call, calls.agree).await.map(drop),
        ),
        ("Encapsulate", s.encapsulate(call, calls.encapsulate).await.map(drop)),
        ("Decapsulate", s.decapsulate(call, calls.decapsulate).await.map(drop)),
        (
            "GenerateDataKeyPair",
            s.generate_data_key_pair(call, calls.pair).await.map(drop),
        ),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            s.generate_data_key_pair_without_plaintext(call, without)
                .await
                .map(drop),
        ),
        ("GetPublicKey", s.get_public_key(call, calls.public).await.map(drop)),
    ]
}

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
    let (verify, mac) = (calls.verify, calls.verify_mac);
    assert_eq!(
        refusal(h.service.verify(&h.operator(), verify).await).0,
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
