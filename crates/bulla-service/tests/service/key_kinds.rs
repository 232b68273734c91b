//! Keys of every spec, usage and origin: made, described, kept.

use bulla_crypto::SecretBytes;
use bulla_model::{EncryptionAlgorithm, KeyOrigin, KeySpec, KeyState, KeyUsage, MultiRegionKeyType};
use bulla_service::*;

use crate::harness::*;

fn kind(spec: KeySpec, usage: KeyUsage) -> CreateKeyRequest {
    CreateKeyRequest {
        spec,
        usage,
        ..create_key_request()
    }
}

/// Specs whose keys are made in no time also without optimisation.
fn quick(spec: KeySpec) -> bool {
    !matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096)
}

#[tokio::test]
async fn keys_of_every_spec_are_made_for_each_usage_and_kept() {
    let h = Harness::new().await;
    let operator = h.operator();
    for spec in KeySpec::ALL.iter().copied().filter(|spec| quick(*spec)) {
        for usage in KeyUsage::ALL.iter().copied() {
            let made = h.service.create_key(&operator, kind(spec, usage)).await;
            if spec == KeySpec::Sm2 {
                assert_eq!(refusal(made).0, "UnsupportedOperationException");
                continue;
            }
            if !spec.usages().contains(&usage) {
                let words = format!("KeyUsage {usage} is not compatible with KeySpec {spec}.");
                assert_eq!(refusal(made), ("ValidationException", words));
                continue;
            }
            let key = made.expect("made").key;
            assert_eq!((key.spec, key.usage, key.state), (spec, usage, KeyState::Enabled));
            assert_eq!(
                key.current_key_material_id.is_some(),
                spec == KeySpec::SymmetricDefault,
                "{spec}"
            );
            // Another node reads what this one wrote.
            let request = DescribeKeyRequest {
                key_id: key.key_id.as_str().to_owned(),
                grant_tokens: Vec::new(),
            };
            let (_, node) = h.node(7).await;
            assert_eq!(node.describe_key(&operator, request).await.expect("describes").key, key);
            let public = GetPublicKeyRequest {
                key_id: key.key_id.as_str().to_owned(),
                grant_tokens: Vec::new(),
            };
            let of_one = h.service.get_public_key(&operator, public.clone()).await;
            let of_other = node.get_public_key(&operator, public).await;
            if spec.is_asymmetric() {
                let der = of_one.expect("a public key").public_key;
                assert_eq!(der, of_other.expect("a public key").public_key, "{spec}");
            } else {
                assert_eq!(
                    refusal(of_one),
                    ("UnsupportedOperationException", String::new()),
                    "{spec}"
                );
            }
        }
    }
    h.verify();
}

#[tokio::test]
async fn a_key_for_imported_material_waits_for_it() {
    let h = Harness::new().await;
    let operator = h.operator();
    for (spec, usage) in [
        (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt),
        (KeySpec::Hmac384, KeyUsage::GenerateVerifyMac),
        (KeySpec::EccNistP256, KeyUsage::SignVerify),
    ] {
        let request = CreateKeyRequest {
            origin: KeyOrigin::External,
            ..kind(spec, usage)
        };
        let versions = h.store.edit().rows.len();
        let key = h.service.create_key(&operator, request).await.expect("made").key;
        assert_eq!(h.store.edit().rows.len(), versions + 1, "no material");
        assert_eq!((key.state, key.origin), (KeyState::PendingImport, KeyOrigin::External));
        assert_eq!(
            (key.current_key_material_id, key.expiration_model, key.valid_to),
            (None, None, None)
        );
        let refused = h.service.encrypt(&operator, encrypt_request(key.key_id.as_str())).await;
        if spec == KeySpec::SymmetricDefault {
            assert_eq!(
                refusal(refused),
                ("KMSInvalidStateException", format!("{} is pending import.", key.arn))
            );
        }
    }
    let request = CreateKeyRequest {
        origin: KeyOrigin::External,
        ..kind(KeySpec::MlDsa65, KeyUsage::SignVerify)
    };
    assert_eq!(
        refusal(h.service.create_key(&operator, request).await).0,
        "UnsupportedOperationException"
    );
    h.verify();
}

#[tokio::test]
async fn keys_in_custom_key_stores_are_refused_as_none_exists() {
    let h = Harness::new().await;
    let operator = h.operator();
    for (origin, store, code) in [
        (KeyOrigin::AwsCloudHsm, Some("cks-1"), "CustomKeyStoreNotFoundException"),
        (
            KeyOrigin::ExternalKeyStore,
            Some("cks-1"),
            "CustomKeyStoreNotFoundException",
        ),
        (KeyOrigin::AwsCloudHsm, None, "ValidationException"),
        (KeyOrigin::ExternalKeyStore, None, "ValidationException"),
        (KeyOrigin::AwsKms, Some("cks-1"), "CustomKeyStoreNotFoundException"),
        (KeyOrigin::External, Some("cks-1"), "ValidationException"),
    ] {
        let rows = h.store.edit().rows.len();
        let request = CreateKeyRequest {
            origin,
            custom_key_store_id: store.map(str::to_owned),
            ..create_key_request()
        };
        assert_eq!(
            refusal(h.service.create_key(&operator, request).await).0,
            code,
            "{origin}"
        );
        assert_eq!(h.store.edit().rows.len(), rows);
    }
}

#[tokio::test]
async fn a_multi_region_key_is_a_primary_without_replicas() {
    let h = Harness::new().await;
    let request = CreateKeyRequest {
        multi_region: true,
        ..create_key_request()
    };
    let key = h.service.create_key(&h.operator(), request).await.expect("made").key;
    assert!(key.key_id.is_multi_region());
    let keys = key.multi_region.as_ref().expect("a configuration");
    assert_eq!(keys.kind, MultiRegionKeyType::Primary);
    assert_eq!((&keys.primary.arn, keys.primary.region.as_str()), (&key.arn, REGION));
    assert!(keys.replicas.is_empty());
    let blob = encrypt(&h.service, &h.operator(), key.key_id.as_str()).await;
    let opened = h.service.decrypt(&h.operator(), decrypt_request(&blob)).await;
    assert_eq!(opened.expect("decrypts").plaintext.expose_secret(), b"the plaintext");
}

fn rsa_encrypt(key_id: &str, algorithm: EncryptionAlgorithm, plaintext: &[u8]) -> EncryptRequest {
    EncryptRequest {
        plaintext: SecretBytes::from_vec(plaintext.to_vec()),
        encryption_context: context(&[]),
        encryption_algorithm: algorithm,
        ..encrypt_request(key_id)
    }
}

fn rsa_decrypt(key_id: &str, algorithm: EncryptionAlgorithm, ciphertext: &[u8]) -> DecryptRequest {
    DecryptRequest {
        key_id: Some(key_id.to_owned()),
        encryption_context: context(&[]),
        encryption_algorithm: algorithm,
        ..decrypt_request(ciphertext)
    }
}

#[tokio::test]
async fn rsa_keys_encrypt_bare_oaep_up_to_their_maximum() {
    let h = Harness::new().await;
    let operator = h.operator();
    let made = h
        .service
        .create_key(&operator, kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt))
        .await;
    let key = made.expect("made").key;
    let id = key.key_id.as_str();
    for (algorithm, max) in [
        (EncryptionAlgorithm::RsaesOaepSha1, 214),
        (EncryptionAlgorithm::RsaesOaepSha256, 190),
    ] {
        let encrypted = h
            .service
            .encrypt(&operator, rsa_encrypt(id, algorithm, &vec![7; max]))
            .await;
        let blob = encrypted.expect("encrypts").ciphertext_blob;
        assert_eq!(blob.len(), 256);
        let opened = h.service.decrypt(&operator, rsa_decrypt(id, algorithm, &blob)).await;
        assert_eq!(opened.expect("decrypts").plaintext.expose_secret(), vec![7; max]);
        assert_eq!(
            refusal(
                h.service
                    .encrypt(&operator, rsa_encrypt(id, algorithm, &vec![7; max + 1]))
                    .await
            ),
            (
                "ValidationException",
                format!("Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {max} bytes.")
            )
        );
        let mut changed = blob.clone();
        changed[100] ^= 1;
        assert_eq!(
            refusal(h.service.decrypt(&operator, rsa_decrypt(id, algorithm, &changed)).await),
            ("InvalidCiphertextException", String::new())
        );
    }
    let symmetric = EncryptRequest {
        encryption_context: context(&[]),
        ..encrypt_request(id)
    };
    assert_eq!(
        refusal(h.service.encrypt(&operator, symmetric).await),
        (
            "InvalidKeyUsageException",
            "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.".to_owned()
        )
    );
    let with_context = EncryptRequest {
        encryption_context: context(&[("a", "b")]),
        ..rsa_encrypt(id, EncryptionAlgorithm::RsaesOaepSha256, b"x")
    };
    assert_eq!(
        refusal(h.service.encrypt(&operator, with_context).await).0,
        "ValidationException"
    );
    let data_key = h.service.generate_data_key(&operator, data_key_request(id)).await;
    assert_eq!(
        refusal(data_key),
        (
            "InvalidKeyUsageException",
            "You cannot generate a data key with an asymmetric CMK".to_owned()
        )
    );
    h.verify();
}

#[tokio::test]
async fn what_rsa_encrypted_is_encrypted_again_under_a_symmetric_key_and_back() {
    let h = Harness::new().await;
    let operator = h.operator();
    let rsa = h
        .service
        .create_key(&operator, kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt))
        .await
        .expect("made")
        .key;
    let symmetric = h.key().await;
    let oaep = EncryptionAlgorithm::RsaesOaepSha256;
    let encrypted = h
        .service
        .encrypt(&operator, rsa_encrypt(rsa.key_id.as_str(), oaep, b"secret"))
        .await;
    let there = ReEncryptRequest {
        ciphertext_blob: encrypted.expect("encrypts").ciphertext_blob,
        source_key_id: Some(rsa.key_id.as_str().to_owned()),
        source_encryption_context: context(&[]),
        source_encryption_algorithm: oaep,
        destination_key_id: symmetric.key_id.as_str().to_owned(),
        destination_encryption_context: context(&[("tenant", "a")]),
        destination_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    let blob = h
        .service
        .re_encrypt(&operator, there.clone())
        .await
        .expect("re-encrypts")
        .ciphertext_blob;
    let back = ReEncryptRequest {
        ciphertext_blob: blob,
        source_key_id: None,
        source_encryption_context: context(&[("tenant", "a")]),
        source_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        destination_key_id: rsa.key_id.as_str().to_owned(),
        destination_encryption_context: context(&[]),
        destination_encryption_algorithm: oaep,
        ..there
    };
    let blob = h
        .service
        .re_encrypt(&operator, back)
        .await
        .expect("re-encrypts")
        .ciphertext_blob;
    let opened = h
        .service
        .decrypt(&operator, rsa_decrypt(rsa.key_id.as_str(), oaep, &blob))
        .await;
    assert_eq!(opened.expect("decrypts").plaintext.expose_secret(), b"secret");
    h.verify();
}

#[tokio::test]
async fn a_blob_is_never_of_a_key_that_is_not_symmetric() {
    let h = Harness::new().await;
    let operator = h.operator();
    let blob = encrypt(&h.service, &operator, h.key().await.key_id.as_str()).await;
    let hmac = h
        .service
        .create_key(&operator, kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac))
        .await
        .expect("made")
        .key;
    let request = DecryptRequest {
        key_id: Some(hmac.key_id.as_str().to_owned()),
        ..decrypt_request(&blob)
    };
    assert_eq!(
        refusal(h.service.decrypt(&operator, request).await).0,
        "IncorrectKeyException"
    );
}

#[tokio::test]
async fn rotation_is_of_symmetric_keys() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h
        .service
        .create_key(&operator, kind(KeySpec::EccNistP256, KeyUsage::SignVerify))
        .await
        .expect("made")
        .key;
    let key_id = || key.key_id.as_str().to_owned();
    let unsupported = ("UnsupportedOperationException", String::new());
    let enable = EnableKeyRotationRequest {
        key_id: key_id(),
        rotation_period_in_days: None,
    };
    assert_eq!(
        refusal(h.service.enable_key_rotation(&operator, enable).await),
        unsupported
    );
    let rotate = RotateKeyOnDemandRequest { key_id: key_id() };
    assert_eq!(
        refusal(h.service.rotate_key_on_demand(&operator, rotate).await),
        unsupported
    );
    let status = GetKeyRotationStatusRequest { key_id: key_id() };
    assert!(
        !h.service
            .get_key_rotation_status(&operator, status)
            .await
            .expect("tells")
            .enabled
    );
}
