//! Scans this process's own memory: a Sealer that was used and dropped leaves no copy of its data key, nor of what it opened.
//!
//! One test alone in its binary, so that no other thread holds secrets meanwhile.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey, SecretBytes, SystemRandom};
use bulla_envelope::{AccessRecord, Sealer};
use bulla_kms::{Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, WrappedKey};

/// The data key's bytes, one at a time.
#[inline(never)]
fn key_byte(at: usize) -> u8 {
    black_box(at as u8).wrapping_mul(37).wrapping_add(91) ^ 0xc3
}

/// The plaintext's bytes, one at a time.
#[inline(never)]
fn plaintext_byte(at: usize) -> u8 {
    black_box(at as u8).wrapping_mul(53).wrapping_add(17) ^ 0x5a
}

fn copies_of_the_key() -> usize {
    bulla_testkit::memory::copies(key_byte).unwrap()
}

fn copies_of_the_plaintext() -> usize {
    bulla_testkit::memory::copies(plaintext_byte).unwrap()
}

/// Knows one data key and "wraps" it by its number: what it keeps is no secret.
#[derive(Debug)]
struct InProcess;

impl InProcess {
    const KEY: &str = "memory:one";

    fn data_key() -> DataKey {
        let mut source = Box::new([0; 32]);
        for (at, byte) in source.iter_mut().enumerate() {
            *byte = key_byte(at);
        }
        DataKey::from_bytes(&mut source)
    }

    fn wrapped() -> WrappedKey {
        WrappedKey {
            key: Self::KEY.to_owned(),
            bytes: b"number 1".to_vec(),
        }
    }
}

#[async_trait]
impl KeyProvider for InProcess {
    fn instance(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: "memory",
            native_context: true,
            remote: false,
            key_state: false,
            signing: None,
            rotation: false,
        }
    }

    async fn generate_data_key(&self, _: &str, _: &Context) -> Result<GeneratedDataKey, KmsError> {
        Ok(GeneratedDataKey {
            data_key: Self::data_key(),
            wrapped: Self::wrapped(),
        })
    }

    async fn wrap(&self, _: &str, _: &DataKey, _: &Context) -> Result<WrappedKey, KmsError> {
        Ok(Self::wrapped())
    }

    async fn unwrap(&self, _: &str, _: &[u8], _: &Context) -> Result<DataKey, KmsError> {
        Ok(Self::data_key())
    }

    async fn describe(&self, _: &str) -> Result<KeyDescription, KmsError> {
        Ok(KeyDescription::symmetric(Self::KEY.to_owned(), KeyState::Enabled))
    }
}

#[test]
fn a_sealer_that_was_used_and_dropped_leaves_no_copy_of_its_key_or_of_what_it_opened() {
    let key = InProcess::data_key();
    assert!(copies_of_the_key() >= 2, "the scan sees a key that is there");
    drop(key);
    assert_eq!(copies_of_the_key(), 0);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let context = Context::from_caller_pairs([("client_id", "client_123")]).unwrap();
    let sealer = || {
        Sealer::builder(
            Arc::new(InProcess),
            "one",
            AccessRecord::Unrecorded,
            Arc::new(SystemRandom),
        )
        .build()
        .unwrap()
    };
    let plaintext = || SecretBytes::from_vec((0..32).map(plaintext_byte).collect());
    let (sealing, opening) = runtime.block_on(async { (sealer(), sealer()) });
    let record = runtime.block_on(async {
        sealing
            .seal(&context, b"row", plaintext().expose_secret())
            .await
            .unwrap()
    });
    assert_eq!(
        copies_of_the_plaintext(),
        0,
        "sealing leaves no copy of what was sealed"
    );
    let opened = runtime.block_on(opening.open(&record, &context, b"row")).unwrap();
    assert_eq!(
        copies_of_the_plaintext(),
        2,
        "what was opened is there once: two halves"
    );
    assert!(opened.expose_secret() == plaintext().expose_secret());
    drop(opened);
    assert_eq!(copies_of_the_plaintext(), 0, "opened and dropped, nothing is left");

    assert!(
        runtime
            .block_on(opening.open(&record, &Context::empty(), b"row"))
            .is_err()
    );
    let changed = [&record[..record.len() - 1], &[record[record.len() - 1] ^ 1]].concat();
    assert!(runtime.block_on(opening.open(&changed, &context, b"row")).is_err());
    assert_eq!(copies_of_the_plaintext(), 0, "nor does a refusal leave any");

    drop((sealing, opening));
    drop(runtime);
    assert_eq!(
        copies_of_the_key(),
        0,
        "with the Sealers gone, no copy of the data key is left"
    );
}
