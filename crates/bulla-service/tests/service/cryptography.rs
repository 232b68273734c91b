use bulla_crypto::SecretBytes;
use bulla_model::{DataKeySpec, EncryptionAlgorithm, Role};
use bulla_service::*;

use crate::harness::*;

#[tokio::test]
async fn what_was_encrypted_decrypts_by_every_name_of_its_key() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let target = CreateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: key.key_id.to_string(),
    };
    h.service.create_alias(&admin, target).await.expect("creates");
    let alias_arn = format!("arn:aws:kms:{REGION}:{}:alias/app", key.account);
    for name in [key.key_id.as_str(), key.arn.as_str(), "alias/app", &alias_arn] {
        let made = h
            .service
            .encrypt(&admin, encrypt_request(name))
            .await
            .expect("encrypts");
        assert_eq!(
            (&made.key_arn, Some(made.key_material_id)),
            (&key.arn, key.current_key_material_id)
        );
        // AWS's layout: what sniffs blobs goes on working.
        assert!(made.ciphertext_blob.starts_with(&[0x01, 0x02, 0x02, 0x00, 0x78]));
        let mut request = decrypt_request(&made.ciphertext_blob);
        let opened = h.service.decrypt(&admin, request).await.expect("decrypts");
        assert_eq!(opened.plaintext.expose_secret(), b"the plaintext");
        assert_eq!(opened.key_arn, key.arn);
        request = decrypt_request(&made.ciphertext_blob);
        request.key_id = Some(name.to_owned());
        h.service
            .decrypt(&admin, request)
            .await
            .expect("decrypts with its key named");
    }
    h.verify();
}

#[tokio::test]
async fn another_context_is_an_invalid_ciphertext_without_a_message() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let mut request = encrypt_request(key.key_id.as_str());
    request.encryption_context = context(&[("a", "1"), ("b", "2")]);
    let blob = h
        .service
        .encrypt(&admin, request)
        .await
        .expect("encrypts")
        .ciphertext_blob;
    let others: [&[(&str, &str)]; 5] = [
        &[],
        &[("a", "1")],
        &[("a", "2"), ("b", "1")],
        &[("a", "1"), ("b", "2"), ("c", "3")],
        &[("A", "1"), ("b", "2")],
    ];
    for pairs in others {
        let mut request = decrypt_request(&blob);
        request.encryption_context = context(pairs);
        assert_eq!(
            refusal(h.service.decrypt(&admin, request).await),
            ("InvalidCiphertextException", String::new())
        );
        let event = h.last_event();
        assert_eq!(event["errorCode"], "InvalidCiphertextException");
        assert_eq!(
            event["keyVersion"],
            key.current_key_material_id.expect("an id").to_string()
        );
    }
}

#[tokio::test]
async fn a_changed_or_foreign_ciphertext_is_refused_as_aws_refuses_it() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (key, other) = (h.key().await, h.key().await);
    let blob = encrypt(&h.service, &admin, key.key_id.as_str()).await;

    let mut changed = blob.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    assert_eq!(
        refusal(h.service.decrypt(&admin, decrypt_request(&changed)).await).0,
        "InvalidCiphertextException"
    );
    assert_eq!(
        refusal(h.service.decrypt(&admin, decrypt_request(b"garbage")).await).0,
        "InvalidCiphertextException"
    );

    let mut named = decrypt_request(&blob);
    named.key_id = Some(other.key_id.to_string());
    assert_eq!(
        refusal(h.service.decrypt(&admin, named).await),
        (
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.".to_owned()
        )
    );

    // A material that is not known here: AWS does not tell whether it exists.
    let mut unknown = blob.clone();
    unknown[10] ^= 1;
    let (code, message) = refusal(h.service.decrypt(&admin, decrypt_request(&unknown)).await);
    assert_eq!(code, "AccessDeniedException");
    let words = "is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext because the resource does \
                 not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";
    assert_eq!(message, format!("User: {} {words}", admin.caller.arn()));

    let mut elsewhere = admin.clone();
    elsewhere.region = "eu-west-1".parse().expect("a region");
    assert_eq!(
        refusal(h.service.decrypt(&elsewhere, decrypt_request(&blob)).await).0,
        "AccessDeniedException"
    );
    h.verify();
}

#[tokio::test]
async fn a_data_key_is_the_plaintext_of_its_ciphertext() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    for (spec, bytes, length) in [
        (Some(DataKeySpec::Aes256), None, 32),
        (Some(DataKeySpec::Aes128), None, 16),
        (None, Some(1), 1),
        (None, Some(1024), 1024),
    ] {
        let request = GenerateDataKeyRequest {
            key_spec: spec,
            number_of_bytes: bytes,
            ..data_key_request(key.key_id.as_str())
        };
        let made = h.service.generate_data_key(&admin, request).await.expect("generates");
        assert_eq!(made.plaintext.len(), length);
        let opened = h
            .service
            .decrypt(&admin, decrypt_request(&made.ciphertext_blob))
            .await
            .expect("decrypts");
        assert_eq!(opened.plaintext.expose_secret(), made.plaintext.expose_secret());
    }
    let request = data_key_request(key.key_id.as_str());
    let without = GenerateDataKeyWithoutPlaintextRequest {
        key_id: request.key_id,
        encryption_context: request.encryption_context,
        key_spec: request.key_spec,
        number_of_bytes: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    let made = h
        .service
        .generate_data_key_without_plaintext(&admin, without)
        .await
        .expect("generates");
    assert_eq!(
        h.service
            .decrypt(&admin, decrypt_request(&made.ciphertext_blob))
            .await
            .expect("decrypts")
            .plaintext
            .len(),
        32
    );
}

#[tokio::test]
async fn a_data_key_has_exactly_one_length() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    for (spec, bytes) in [(None, None), (Some(DataKeySpec::Aes256), Some(32))] {
        let request = GenerateDataKeyRequest {
            key_spec: spec,
            number_of_bytes: bytes,
            ..data_key_request(key.key_id.as_str())
        };
        assert_eq!(
            refusal(h.service.generate_data_key(&admin, request).await),
            (
                "ValidationException",
                "Please specify either number of bytes or key spec.".to_owned()
            )
        );
    }
    for bytes in [0, 1025] {
        let request = GenerateDataKeyRequest {
            key_spec: None,
            number_of_bytes: Some(bytes),
            ..data_key_request(key.key_id.as_str())
        };
        assert_eq!(
            refusal(h.service.generate_data_key(&admin, request).await).0,
            "ValidationException"
        );
    }
}

#[tokio::test]
async fn sizes_are_limited_as_at_aws() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    for (length, fits) in [(0, false), (1, true), (4096, true), (4097, false)] {
        let request = EncryptRequest {
            plaintext: SecretBytes::from_vec(vec![7; length]),
            ..encrypt_request(key.key_id.as_str())
        };
        let result = h.service.encrypt(&admin, request).await;
        assert_eq!(result.is_ok(), fits, "{length}");
        if let Ok(made) = result {
            assert_eq!(
                h.service
                    .decrypt(&admin, decrypt_request(&made.ciphertext_blob))
                    .await
                    .expect("decrypts")
                    .plaintext
                    .len(),
                length
            );
        }
    }
    assert_eq!(
        refusal(h.service.decrypt(&admin, decrypt_request(&[1; 6145])).await).0,
        "ValidationException"
    );
    assert_eq!(
        h.service
            .generate_random(&admin, GenerateRandomRequest { number_of_bytes: 1024 })
            .await
            .expect("draws")
            .plaintext
            .len(),
        1024
    );
    for bytes in [0, 1025] {
        let request = GenerateRandomRequest { number_of_bytes: bytes };
        assert_eq!(
            refusal(h.service.generate_random(&admin, request).await).0,
            "ValidationException"
        );
    }
}

#[tokio::test]
async fn re_encryption_moves_a_ciphertext_to_another_key_and_context() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (from, to) = (h.key().await, h.key().await);
    let blob = encrypt(&h.service, &admin, from.key_id.as_str()).await;
    let request = ReEncryptRequest {
        ciphertext_blob: blob,
        source_key_id: None,
        source_encryption_context: context(&[("tenant", "a")]),
        source_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        destination_key_id: to.arn.to_string(),
        destination_encryption_context: context(&[("tenant", "b")]),
        destination_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    let moved = h
        .service
        .re_encrypt(&admin, request.clone())
        .await
        .expect("re-encrypts");
    assert_eq!(
        (&moved.source_key_arn, &moved.destination_key_arn),
        (&from.arn, &to.arn)
    );
    let mut opened = decrypt_request(&moved.ciphertext_blob);
    opened.encryption_context = context(&[("tenant", "b")]);
    assert_eq!(
        h.service
            .decrypt(&admin, opened)
            .await
            .expect("decrypts")
            .plaintext
            .expose_secret(),
        b"the plaintext"
    );

    let wrong = ReEncryptRequest {
        source_encryption_context: context(&[]),
        ..request.clone()
    };
    assert_eq!(
        refusal(h.service.re_encrypt(&admin, wrong).await).0,
        "InvalidCiphertextException"
    );
    let wrong = ReEncryptRequest {
        source_key_id: Some(to.arn.to_string()),
        ..request.clone()
    };
    assert_eq!(
        refusal(h.service.re_encrypt(&admin, wrong).await).0,
        "IncorrectKeyException"
    );
    h.service
        .disable_key(
            &admin,
            DisableKeyRequest {
                key_id: to.key_id.to_string(),
            },
        )
        .await
        .expect("disables");
    assert_eq!(
        refusal(h.service.re_encrypt(&admin, request).await),
        ("DisabledException", format!("{} is disabled.", to.arn))
    );
    h.verify();
}

#[tokio::test]
async fn a_dry_run_decides_everything_and_does_nothing() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let blob = encrypt(&h.service, &admin, key.key_id.as_str()).await;
    let encrypt = EncryptRequest {
        dry_run: true,
        ..encrypt_request(key.key_id.as_str())
    };
    assert_eq!(
        refusal(h.service.encrypt(&admin, encrypt).await).0,
        "DryRunOperationException"
    );
    let decrypt = DecryptRequest {
        dry_run: true,
        ..decrypt_request(&blob)
    };
    assert_eq!(
        refusal(h.service.decrypt(&admin, decrypt).await).0,
        "DryRunOperationException"
    );
    let wrong = DecryptRequest {
        dry_run: true,
        encryption_context: context(&[]),
        ..decrypt_request(&blob)
    };
    assert_eq!(
        refusal(h.service.decrypt(&admin, wrong).await).0,
        "InvalidCiphertextException"
    );
    assert_eq!(h.last_event()["requestParameters"]["dryRun"], true);
}

#[tokio::test]
async fn an_rsa_algorithm_does_not_go_with_a_symmetric_key() {
    let h = Harness::new().await;
    let key = h.key().await;
    let request = EncryptRequest {
        encryption_algorithm: EncryptionAlgorithm::RsaesOaepSha256,
        ..encrypt_request(key.key_id.as_str())
    };
    assert_eq!(
        refusal(h.service.encrypt(&h.operator(), request).await),
        (
            "InvalidKeyUsageException",
            "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.".to_owned()
        )
    );
}

#[tokio::test]
async fn who_may_not_use_a_key_is_told_so_in_aws_words_and_learns_nothing_of_what_exists() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (arn, user) = h.user("ann", Role::User).await;
    let blob = encrypt(&h.service, &h.operator(), key.key_id.as_str()).await;
    let denied = |action: &str, resource: &str| {
        (
            "AccessDeniedException",
            format!(
                "User: {arn} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows \
                 the {action} action"
            ),
        )
    };
    assert_eq!(
        refusal(h.service.encrypt(&user, encrypt_request(key.key_id.as_str())).await),
        denied("kms:Encrypt", key.arn.as_str())
    );
    assert_eq!(
        refusal(h.service.decrypt(&user, decrypt_request(&blob)).await),
        denied("kms:Decrypt", key.arn.as_str())
    );
    let missing = "00000000-0000-4000-8000-000000000000";
    let missing_arn = format!("arn:aws:kms:{REGION}:{}:key/{missing}", key.account);
    assert_eq!(
        refusal(h.service.encrypt(&user, encrypt_request(missing)).await),
        denied("kms:Encrypt", &missing_arn)
    );
    let alias_arn = format!("arn:aws:kms:{REGION}:{}:alias/none", key.account);
    assert_eq!(
        refusal(h.service.encrypt(&user, encrypt_request("alias/none")).await),
        denied("kms:Encrypt", &alias_arn)
    );
    let event = h.last_event();
    assert_eq!(event["errorCode"], "AccessDeniedException");
    assert_eq!(event["userIdentity"]["arn"], arn.as_str());
    let (_, auditor) = h.user("max", Role::Auditor).await;
    h.service
        .describe_key(
            &auditor,
            DescribeKeyRequest {
                key_id: key.key_id.to_string(),
                grant_tokens: Vec::new(),
            },
        )
        .await
        .expect("may read");
    assert_eq!(
        refusal(h.service.encrypt(&auditor, encrypt_request(key.key_id.as_str())).await).0,
        "AccessDeniedException"
    );
}
