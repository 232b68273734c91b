use bulla_crypto::keys::{KeySpec as Spec, WrappingAlgorithm as Wrapping};
use bulla_model::{ExpirationModel, ImportType, KeySpec, KeyState, KeyUsage, WrappingAlgorithm, WrappingKeySpec};
use bulla_service::*;

use crate::harness::*;
use crate::importing::*;
use crate::secret_search;

pub(crate) async fn delete(service: &Service, call: &Call, key_id: &str) -> DeleteImportedKeyMaterialResponse {
    let request = DeleteImportedKeyMaterialRequest {
        key_id: key_id.to_owned(),
        key_material_id: None,
    };
    service
        .delete_imported_key_material(call, request)
        .await
        .expect("deletes")
}

#[tokio::test]
async fn a_key_waits_for_its_material_and_works_with_it() {
    let h = Harness::new().await;
    let operator = h.operator();
    let made = external_key(
        &h.service,
        &operator,
        KeySpec::SymmetricDefault,
        KeyUsage::EncryptDecrypt,
    )
    .await;
    let id = made.key_id.to_string();
    assert_eq!(
        (made.state, made.current_key_material_id, made.expiration_model),
        (KeyState::PendingImport, None, None)
    );
    let (code, message) = refusal(h.service.encrypt(&operator, encrypt_request(&id)).await);
    assert_eq!(
        (code, message),
        ("KMSInvalidStateException", format!("{} is pending import.", made.arn))
    );
    let given = parameters(&h.service, &operator, &id).await;
    let material = secret_search::secret(32, 7);
    assert!(given.import_token.len() <= 6144);
    assert_eq!(given.key_arn, made.arn);
    assert_eq!(given.valid_to, made.created.plus_days(1));
    let answer = h
        .service
        .import_key_material(&operator, import_request(&id, &given, &material))
        .await
        .expect("imports");
    let event = h.last_event();
    assert_eq!(event["eventName"], "ImportKeyMaterial");
    assert_eq!(event["responseElements"]["keyState"], "Enabled");
    assert!(!event.to_string().contains("encryptedKeyMaterial") && !event.to_string().contains("importToken\""));
    let key = describe(&h.service, &operator, &id).await;
    assert_eq!(
        (
            key.state,
            key.current_key_material_id,
            key.expiration_model,
            key.valid_to
        ),
        (
            KeyState::Enabled,
            answer.key_material_id,
            Some(ExpirationModel::DoesNotExpire),
            None
        )
    );
    let blob = encrypt(&h.service, &operator, &id).await;
    let opened = h
        .service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");
    assert_eq!(Some(opened.key_material_id), answer.key_material_id);
    // The material is nowhere in the clear, and of the token, wrapped as it is, nothing is kept.
    let data = h.store.edit().clone();
    assert_eq!(secret_search::find(&data, &material), None);
    assert_eq!(secret_search::find(&data, &given.import_token[..64]), None);
    h.verify();
    let reopened = h.open(&h.store, 9).await.expect("opens");
    reopened
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts after a restart");
}

#[tokio::test]
async fn every_wrapping_brings_every_kind_of_material() {
    let h = Harness::new().await;
    let operator = h.operator();
    let materials = [
        (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt, vec![1; 32]),
        (KeySpec::Hmac224, KeyUsage::GenerateVerifyMac, vec![2; 28]),
        (KeySpec::Hmac256, KeyUsage::GenerateVerifyMac, vec![2; 32]),
        (KeySpec::Hmac384, KeyUsage::GenerateVerifyMac, vec![2; 48]),
        (KeySpec::Hmac512, KeyUsage::GenerateVerifyMac, vec![2; 64]),
        (KeySpec::EccNistP256, KeyUsage::SignVerify, pkcs8(Spec::EccNistP256)),
        (KeySpec::EccNistP384, KeyUsage::KeyAgreement, pkcs8(Spec::EccNistP384)),
        (KeySpec::EccNistP521, KeyUsage::SignVerify, pkcs8(Spec::EccNistP521)),
        (KeySpec::EccSecgP256K1, KeyUsage::SignVerify, pkcs8(Spec::EccSecgP256k1)),
        (
            KeySpec::EccNistEdwards25519,
            KeyUsage::SignVerify,
            pkcs8(Spec::EccNistEdwards25519),
        ),
        (KeySpec::Rsa2048, KeyUsage::EncryptDecrypt, pkcs8(Spec::Rsa2048)),
    ];
    let wrappings = [
        (WrappingAlgorithm::RsaesOaepSha1, Wrapping::RsaesOaepSha1),
        (WrappingAlgorithm::RsaesOaepSha256, Wrapping::RsaesOaepSha256),
        (WrappingAlgorithm::RsaAesKeyWrapSha1, Wrapping::RsaAesKeyWrapSha1),
        (WrappingAlgorithm::RsaAesKeyWrapSha256, Wrapping::RsaAesKeyWrapSha256),
    ];
    for (spec, usage, material) in materials {
        let id = external_key(&h.service, &operator, spec, usage)
            .await
            .key_id
            .to_string();
        for (algorithm, wrapping) in wrappings {
            let request = GetParametersForImportRequest {
                wrapping_algorithm: algorithm,
                ..parameters_request(&id)
            };
            let direct = matches!(
                algorithm,
                WrappingAlgorithm::RsaesOaepSha1 | WrappingAlgorithm::RsaesOaepSha256
            );
            let given = h.service.get_parameters_for_import(&operator, request).await;
            if direct && matches!(spec, KeySpec::Rsa2048 | KeySpec::EccNistP521) {
                assert_eq!(refusal(given).0, "UnsupportedOperationException", "{spec} {algorithm}");
                continue;
            }
            let given = given.expect("gives parameters");
            let request = ImportKeyMaterialRequest {
                encrypted_key_material: wrap(&given, wrapping, &material),
                ..import_request(&id, &given, &[0; 32])
            };
            let answer = h.service.import_key_material(&operator, request).await;
            let answer = answer.unwrap_or_else(|error| panic!("{spec} {algorithm}: {error}"));
            assert_eq!(
                answer.key_material_id.is_some(),
                spec == KeySpec::SymmetricDefault,
                "{spec}"
            );
            assert_eq!(
                describe(&h.service, &operator, &id).await.state,
                KeyState::Enabled,
                "{spec} {algorithm}"
            );
        }
    }
    h.verify();
}

#[tokio::test]
async fn wrapping_keys_are_of_the_length_that_was_asked_and_p521_fits_directly_from_3072_bits() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = external_key(&h.service, &operator, KeySpec::EccNistP521, KeyUsage::SignVerify)
        .await
        .key_id
        .to_string();
    for (spec, bytes) in [(WrappingKeySpec::Rsa3072, 422), (WrappingKeySpec::Rsa4096, 550)] {
        let request = GetParametersForImportRequest {
            wrapping_key_spec: spec,
            ..parameters_request(&id)
        };
        let given = h
            .service
            .get_parameters_for_import(&operator, request)
            .await
            .expect("gives parameters");
        assert_eq!(given.public_key.len(), bytes);
        assert!(given.import_token.len() <= 6144, "{} bytes", given.import_token.len());
        let request = import_request(&id, &given, &pkcs8_once());
        h.service
            .import_key_material(&operator, request)
            .await
            .expect("imports");
    }
}

/// One and the same P-521 key.
fn pkcs8_once() -> Vec<u8> {
    static KEY: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    KEY.get_or_init(|| pkcs8(Spec::EccNistP521)).clone()
}

#[tokio::test]
async fn what_aws_does_not_wrap_with_is_refused() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    for (algorithm, spec) in [
        (WrappingAlgorithm::RsaesPkcs1V15, WrappingKeySpec::Rsa2048),
        (WrappingAlgorithm::Sm2Pke, WrappingKeySpec::Sm2),
        (WrappingAlgorithm::RsaesOaepSha256, WrappingKeySpec::Sm2),
    ] {
        let request = GetParametersForImportRequest {
            key_id: id.clone(),
            wrapping_algorithm: algorithm,
            wrapping_key_spec: spec,
        };
        let refused = h.service.get_parameters_for_import(&operator, request).await;
        assert_eq!(refusal(refused).0, "UnsupportedOperationException");
    }
}

#[tokio::test]
async fn keys_with_material_of_the_services_own_take_none() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.to_string();
    let words = format!("{} origin is AWS_KMS which is not valid for this operation.", key.arn);
    let expected = ("UnsupportedOperationException", words);
    let refused = h
        .service
        .get_parameters_for_import(&operator, parameters_request(&id))
        .await;
    assert_eq!(refusal(refused), expected);
    let other = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &other).await;
    let refused = h
        .service
        .import_key_material(&operator, import_request(&id, &given, &[7; 32]))
        .await;
    assert_eq!(refusal(refused), expected);
    let request = DeleteImportedKeyMaterialRequest {
        key_id: id,
        key_material_id: None,
    };
    assert_eq!(
        refusal(h.service.delete_imported_key_material(&operator, request).await),
        expected
    );
}

#[tokio::test]
async fn a_token_is_of_its_key_for_a_day_and_the_ciphertext_of_its_token() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (one, two) = (
        symmetric_key(&h.service, &operator).await,
        symmetric_key(&h.service, &operator).await,
    );
    let given = parameters(&h.service, &operator, &one).await;
    let import = async |request| refusal(h.service.import_key_material(&operator, request).await);
    // Another key's, one that was changed, and none at all.
    assert_eq!(
        import(import_request(&two, &given, &[7; 32])).await,
        ("InvalidImportTokenException", String::new())
    );
    let mut request = import_request(&one, &given, &[7; 32]);
    let last = request.import_token.len() - 1;
    request.import_token[last] ^= 1;
    assert_eq!(import(request).await.0, "InvalidImportTokenException");
    let request = ImportKeyMaterialRequest {
        import_token: vec![1],
        ..import_request(&one, &given, &[7; 32])
    };
    assert_eq!(import(request).await.0, "InvalidImportTokenException");
    // What does not unwrap: another pair's, cut, wrapped in another way, empty.
    let other = parameters(&h.service, &operator, &one).await;
    let whole = import_request(&one, &given, &[7; 32]).encrypted_key_material;
    for wrapped in [
        wrap(&other, Wrapping::RsaesOaepSha256, &[7; 32]),
        wrap(&given, Wrapping::RsaesOaepSha1, &[7; 32]),
        wrap(&given, Wrapping::RsaAesKeyWrapSha256, &[7; 32]),
        whole[..255].to_vec(),
        [&whole[..], &[0]].concat(),
        vec![0],
    ] {
        let request = ImportKeyMaterialRequest {
            encrypted_key_material: wrapped,
            ..import_request(&one, &given, &[7; 32])
        };
        assert_eq!(import(request).await, ("InvalidCiphertextException", String::new()));
    }
    // One microsecond before its end it is good, at its end it is not.
    let until_end = given.valid_to.as_micros() - h.clock_now().as_micros();
    let until_end = std::time::Duration::from_micros(until_end.unsigned_abs());
    h.clock.advance(until_end - std::time::Duration::from_micros(1));
    h.service
        .import_key_material(&operator, import_request(&one, &given, &[7; 32]))
        .await
        .expect("imports");
    h.clock.advance(std::time::Duration::from_micros(1));
    assert_eq!(
        import(import_request(&one, &given, &[7; 32])).await,
        ("ExpiredImportTokenException", String::new())
    );
}

#[tokio::test]
async fn only_the_material_that_is_meant_is_taken() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = symmetric_key(&h.service, &operator).await;
    let given = parameters(&h.service, &operator, &id).await;
    let import = async |request| h.service.import_key_material(&operator, request).await;
    // Of another length; "existing" before there was any.
    for material in [vec![7; 31], vec![7; 33], vec![7; 1]] {
        assert_eq!(
            refusal(import(import_request(&id, &given, &material)).await),
            ("IncorrectKeyMaterialException", String::new())
        );
    }
    let existing = |material: &[u8]| ImportKeyMaterialRequest {
        import_type: Some(ImportType::ExistingKeyMaterial),
        ..import_request(&id, &given, material)
    };
    let new = |material: &[u8]| ImportKeyMaterialRequest {
        import_type: Some(ImportType::NewKeyMaterial),
        ..import_request(&id, &given, material)
    };
    assert_eq!(
        refusal(import(existing(&[7; 32])).await).0,
        "IncorrectKeyMaterialException"
    );
    let first = import(import_request(&id, &given, &[7; 32]))
        .await
        .expect("imports")
        .key_material_id;
    assert_eq!(import(existing(&[7; 32])).await.expect("again").key_material_id, first);
    assert_eq!(
        refusal(import(existing(&[8; 32])).await).0,
        "IncorrectKeyMaterialException"
    );
    assert_eq!(refusal(import(new(&[7; 32])).await).0, "IncorrectKeyMaterialException");
    // The id that the caller means.
    let meant = |material: &[u8], key_material_id| ImportKeyMaterialRequest {
        key_material_id,
        ..import_request(&id, &given, material)
    };
    import(meant(&[7; 32], first)).await.expect("imports");
    let other = Some("ab".repeat(32).parse().expect("an id"));
    assert_eq!(
        refusal(import(meant(&[7; 32], other)).await).0,
        "IncorrectKeyMaterialException"
    );
    let contradictory = ImportKeyMaterialRequest {
        key_material_id: first,
        ..new(&[9; 32])
    };
    assert_eq!(refusal(import(contradictory).await).0, "ValidationException");
    // New material waits for its rotation, and one only.
    let second = import(new(&[8; 32])).await.expect("imports").key_material_id;
    let (code, message) = refusal(import(new(&[9; 32])).await);
    assert_eq!(code, "KMSInvalidStateException");
    assert!(
        message.starts_with("New key material (id: ")
            && message.ends_with(&format!(
                "because another key material (id: {}) is pending rotation.",
                second.expect("an id")
            )),
        "{message}"
    );
    assert_eq!(
        describe(&h.service, &operator, &id).await.current_key_material_id,
        first
    );
    h.verify();
}

#[tokio::test]
async fn asymmetric_and_hmac_keys_keep_the_material_of_their_first_import() {
    let h = Harness::new().await;
    let operator = h.operator();
    let id = external_key(&h.service, &operator, KeySpec::EccNistP256, KeyUsage::SignVerify)
        .await
        .key_id
        .to_string();
    let given = parameters(&h.service, &operator, &id).await;
    let import = async |request| h.service.import_key_material(&operator, request).await;
    let (one, two) = (pkcs8(Spec::EccNistP256), pkcs8(Spec::EccNistP256));
    for wrong in [pkcs8(Spec::EccNistP384), vec![7; 32], pkcs8(Spec::EccNistEdwards25519)] {
        assert_eq!(
            refusal(import(import_request(&id, &given, &wrong)).await).0,
            "IncorrectKeyMaterialException"
        );
    }
    import(import_request(&id, &given, &one)).await.expect("imports");
    assert_eq!(
        refusal(import(import_request(&id, &given, &two)).await).0,
        "IncorrectKeyMaterialException"
    );
    let request = ImportKeyMaterialRequest {
        import_type: Some(ImportType::NewKeyMaterial),
        ..import_request(&id, &given, &two)
    };
    assert_eq!(refusal(import(request).await).0, "ValidationException");
    assert_eq!(delete(&h.service, &operator, &id).await.key_material_id, None);
    assert_eq!(
        describe(&h.service, &operator, &id).await.state,
        KeyState::PendingImport
    );
    assert_eq!(
        refusal(import(import_request(&id, &given, &two)).await).0,
        "IncorrectKeyMaterialException"
    );
    import(import_request(&id, &given, &one)).await.expect("imports again");
    assert_eq!(describe(&h.service, &operator, &id).await.state, KeyState::Enabled);
}
