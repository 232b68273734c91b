//! The unmodified AWS SDK for Rust against the whole program, with signatures verified.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use aws_lc_rs::{agreement, rsa, signature};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    AlgorithmSpec, DataKeyPairSpec, DataKeySpec, EncapsulationAlgorithmSpec, ExpirationModelType, GrantOperation,
    KeyAgreementAlgorithmSpec, KeySpec, KeyState, KeyUsageType, MacAlgorithmSpec, OriginType, SigningAlgorithmSpec,
    Tag, WrappingKeySpec,
};
use bulla_testkit::BullaProcess;
use support::{BULLA, Credentials as Admin, init};

type Failed = Box<dyn std::error::Error>;

struct Bulla {
    server: BullaProcess,
    admin: Admin,
    _dir: tempfile::TempDir,
}

impl Bulla {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let admin = init(&dir.path().join("data"), &[]);
        let server = BullaProcess::production(BULLA, dir.path().join("data")).expect("it starts");
        Self {
            server,
            admin,
            _dir: dir,
        }
    }

    fn client(&self, region: &'static str) -> Client {
        let (id, secret) = (&self.admin.access_key_id, &self.admin.secret_access_key);
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .endpoint_url(self.server.endpoint())
            .credentials_provider(Credentials::new(id, secret, None, None, "test"));
        Client::from_conf(config.build())
    }
}

/// The code of an error, and its message.
fn said<E: ProvideErrorMetadata>(error: &SdkError<E>) -> (&str, &str) {
    (error.code().unwrap_or("no code"), error.message().unwrap_or_default())
}

async fn key(kms: &Client, spec: KeySpec, usage: KeyUsageType) -> Result<String, Failed> {
    let made = kms.create_key().key_spec(spec).key_usage(usage).send().await?;
    Ok(made.key_metadata.ok_or("no metadata")?.key_id)
}

async fn public_key(kms: &Client, key: &str) -> Result<Vec<u8>, Failed> {
    let public = kms.get_public_key().key_id(key).send().await?;
    Ok(public.public_key.ok_or("no public key")?.into_inner())
}

#[tokio::test]
async fn symmetric_keys_aliases_rotations_and_states() -> Result<(), Failed> {
    let bulla = Bulla::start();
    let kms = bulla.client("eu-west-1");
    let tag = Tag::builder().tag_key("team").tag_value("x").build()?;
    let made = kms.create_key().description("from Rust").tags(tag).send().await?;
    let metadata = made.key_metadata.ok_or("no metadata")?;
    let (key, arn) = (metadata.key_id.as_str(), metadata.arn.as_deref().unwrap_or_default());
    kms.create_alias()
        .alias_name("alias/rust")
        .target_key_id(key)
        .send()
        .await?;
    let sealed = kms
        .encrypt()
        .key_id("alias/rust")
        .plaintext(Blob::new("secret"))
        .encryption_context("a", "b")
        .send()
        .await?;
    let blob = sealed.ciphertext_blob.ok_or("no ciphertext")?;
    kms.rotate_key_on_demand().key_id(key).send().await?;
    let opened = kms
        .decrypt()
        .ciphertext_blob(blob.clone())
        .encryption_context("a", "b")
        .send()
        .await?;
    assert_eq!(
        (opened.plaintext, opened.key_id.as_deref()),
        (Some(Blob::new("secret")), Some(arn))
    );
    let error = kms
        .decrypt()
        .ciphertext_blob(blob)
        .send()
        .await
        .expect_err("another context");
    assert_eq!(
        said(&error).0,
        "InvalidCiphertextException",
        "{}",
        DisplayErrorContext(&error)
    );
    assert!(
        error
            .as_service_error()
            .is_some_and(|error| error.is_invalid_ciphertext_exception())
    );

    let data_key = kms
        .generate_data_key()
        .key_id(key)
        .key_spec(DataKeySpec::Aes256)
        .send()
        .await?;
    let opened = kms
        .decrypt()
        .ciphertext_blob(data_key.ciphertext_blob.ok_or("no ciphertext")?)
        .send()
        .await?;
    assert_eq!(opened.plaintext, data_key.plaintext);
    let mut pages = kms.list_keys().into_paginator().page_size(1).items().send();
    let mut listed = 0;
    while let Some(entry) = pages.next().await {
        listed += usize::from(entry?.key_id.as_deref() == Some(key));
    }
    assert_eq!(listed, 1);

    kms.disable_key().key_id(key).send().await?;
    let error = kms
        .encrypt()
        .key_id(key)
        .plaintext(Blob::new("x"))
        .send()
        .await
        .expect_err("it is disabled");
    assert_eq!(
        said(&error),
        ("DisabledException", format!("{arn} is disabled.").as_str())
    );
    kms.enable_key().key_id(key).send().await?;
    let going = kms
        .schedule_key_deletion()
        .key_id(key)
        .pending_window_in_days(7)
        .send()
        .await?;
    assert_eq!(going.key_state, Some(KeyState::PendingDeletion));
    assert!(going.deletion_date > metadata.creation_date);
    Ok(())
}

#[tokio::test]
async fn signatures_macs_and_key_agreement() -> Result<(), Failed> {
    let bulla = Bulla::start();
    let kms = bulla.client("eu-west-1");
    let signs = key(&kms, KeySpec::EccNistP256, KeyUsageType::SignVerify).await?;
    let signed = kms
        .sign()
        .key_id(&signs)
        .message(Blob::new("message"))
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
        .send()
        .await?;
    let signature = signed.signature.ok_or("no signature")?;
    let spki = public_key(&kms, &signs).await?;
    signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, &spki)
        .verify(b"message", signature.as_ref())
        .map_err(|_| "the signature does not verify outside")?;
    let verify = |message: &str| {
        kms.verify()
            .key_id(&signs)
            .message(Blob::new(message))
            .signature(signature.clone())
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
    };
    assert!(verify("message").await?.signature_valid);
    let error = verify("another").await.expect_err("another message");
    assert_eq!(said(&error), ("KMSInvalidSignatureException", ""));

    let macs = key(&kms, KeySpec::Hmac512, KeyUsageType::GenerateVerifyMac).await?;
    let mac = kms
        .generate_mac()
        .key_id(&macs)
        .message(Blob::new("message"))
        .mac_algorithm(MacAlgorithmSpec::HmacSha512)
        .send()
        .await?;
    let valid = kms
        .verify_mac()
        .key_id(&macs)
        .message(Blob::new("message"))
        .mac(mac.mac.ok_or("no MAC")?)
        .mac_algorithm(MacAlgorithmSpec::HmacSha512)
        .send()
        .await?;
    assert!(valid.mac_valid);

    let agrees = key(&kms, KeySpec::EccNistP384, KeyUsageType::KeyAgreement).await?;
    let mine = agreement::PrivateKey::generate(&agreement::ECDH_P384)?;
    let mine_public: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
        aws_lc_rs::encoding::AsDer::as_der(&mine.compute_public_key()?)?;
    let shared = kms
        .derive_shared_secret()
        .key_id(&agrees)
        .key_agreement_algorithm(KeyAgreementAlgorithmSpec::Ecdh)
        .public_key(Blob::new(mine_public.as_ref()))
        .send()
        .await?;
    let theirs = public_key(&kms, &agrees).await?;
    let theirs = agreement::UnparsedPublicKey::new(&agreement::ECDH_P384, theirs);
    let agreed = agreement::agree(&mine, &theirs, Failed::from("no agreement"), |secret| {
        Ok(secret.to_vec())
    })?;
    assert_eq!(shared.shared_secret.map(Blob::into_inner), Some(agreed));
    Ok(())
}

#[tokio::test]
async fn encapsulation_and_data_key_pairs() -> Result<(), Failed> {
    let bulla = Bulla::start();
    let kms = bulla.client("eu-west-1");
    let encapsulates = key(&kms, KeySpec::MlKem768, KeyUsageType::EncapsulateDecapsulate).await?;
    let algorithm = EncapsulationAlgorithmSpec::MlKem;
    let made = kms
        .encapsulate()
        .key_id(&encapsulates)
        .encapsulation_algorithm(algorithm.clone())
        .send()
        .await?;
    let opened = kms
        .decapsulate()
        .key_id(&encapsulates)
        .encapsulation_algorithm(algorithm)
        .shared_secret_ciphertext_blob(made.shared_secret_ciphertext_blob.ok_or("no ciphertext")?)
        .send()
        .await?;
    assert_eq!(opened.shared_secret, made.shared_secret);

    let symmetric = key(&kms, KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await?;
    let pair = kms
        .generate_data_key_pair()
        .key_id(&symmetric)
        .key_pair_spec(DataKeyPairSpec::EccNistP256)
        .send()
        .await?;
    let opened = kms
        .decrypt()
        .ciphertext_blob(pair.private_key_ciphertext_blob.ok_or("no ciphertext")?)
        .send()
        .await?;
    assert_eq!(opened.plaintext, pair.private_key_plaintext);

    Ok(())
}

#[tokio::test]
async fn imported_material_and_replicas() -> Result<(), Failed> {
    let bulla = Bulla::start();
    let (kms, there) = (bulla.client("eu-west-1"), bulla.client("us-east-1"));
    let made = kms
        .create_key()
        .origin(OriginType::External)
        .multi_region(true)
        .send()
        .await?;
    let key = made.key_metadata.ok_or("no metadata")?.key_id;
    let parameters = kms
        .get_parameters_for_import()
        .key_id(&key)
        .wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256)
        .wrapping_key_spec(WrappingKeySpec::Rsa3072)
        .send()
        .await?;
    let wrapping = rsa::PublicEncryptingKey::from_der(parameters.public_key.ok_or("no public key")?.as_ref())?;
    let wrapping = rsa::OaepPublicEncryptingKey::new(wrapping)?;
    let mut wrapped = vec![0; wrapping.ciphertext_size()];
    wrapping.encrypt(&rsa::OAEP_SHA256_MGF1SHA256, &[7; 32], &mut wrapped, None)?;
    kms.import_key_material()
        .key_id(&key)
        .import_token(parameters.import_token.ok_or("no token")?)
        .encrypted_key_material(Blob::new(wrapped))
        .expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire)
        .send()
        .await?;
    let sealed = kms.encrypt().key_id(&key).plaintext(Blob::new("x")).send().await?;
    kms.decrypt()
        .ciphertext_blob(sealed.ciphertext_blob.ok_or("no ciphertext")?)
        .send()
        .await?;

    let made = kms.create_key().multi_region(true).send().await?;
    let key = made.key_metadata.ok_or("no metadata")?.key_id;
    let sealed = kms
        .encrypt()
        .key_id(&key)
        .plaintext(Blob::new("everywhere"))
        .send()
        .await?;
    kms.replicate_key()
        .key_id(&key)
        .replica_region("us-east-1")
        .send()
        .await?;
    let state = async || -> Result<Option<KeyState>, Failed> {
        let described = there.describe_key().key_id(&key).send().await?;
        Ok(described.key_metadata.and_then(|metadata| metadata.key_state))
    };
    while state().await? == Some(KeyState::Creating) {
        tokio::task::yield_now().await;
    }
    let opened = there
        .decrypt()
        .ciphertext_blob(sealed.ciphertext_blob.ok_or("no ciphertext")?)
        .send()
        .await?;
    assert_eq!(opened.plaintext, Some(Blob::new("everywhere")));
    Ok(())
}

#[tokio::test]
async fn policies_and_grants() -> Result<(), Failed> {
    let bulla = Bulla::start();
    let kms = bulla.client("eu-west-1");
    let symmetric = key(&kms, KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await?;
    let policy = kms.get_key_policy().key_id(&symmetric).send().await?;
    kms.put_key_policy()
        .key_id(&symmetric)
        .policy(policy.policy.ok_or("no policy")?)
        .send()
        .await?;
    let account = kms.describe_key().key_id(&symmetric).send().await?;
    let account = account
        .key_metadata
        .and_then(|metadata| metadata.aws_account_id)
        .ok_or("no account")?;
    let grant = kms
        .create_grant()
        .key_id(&symmetric)
        .grantee_principal(format!("arn:aws:iam::{account}:user/app"))
        .operations(GrantOperation::Decrypt)
        .send()
        .await?;
    let grants = kms
        .list_grants()
        .key_id(&symmetric)
        .send()
        .await?
        .grants
        .unwrap_or_default();
    assert_eq!(grants.len(), 1);
    kms.revoke_grant()
        .key_id(&symmetric)
        .grant_id(grant.grant_id.ok_or("no grant id")?)
        .send()
        .await?;
    Ok(())
}
