//! The unmodified AWS SDK for Rust against the whole program, with signatures verified.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeyState, Tag};
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
