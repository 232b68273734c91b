use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey, SystemRandom};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, KmsErrorKind, WrappedKey,
};

/// The name of the one key.
pub(crate) const KEY: &str = "bench://arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
/// AWS KMS wraps a data key of 32 bytes into so many.
const WRAPPED_BYTES: usize = 184;

/// Stands for a remote KMS: names and sizes as AWS has them, and a call that takes a while.
#[derive(Debug, Default)]
pub(crate) struct SlowProvider {
    keys: Mutex<HashMap<Vec<u8>, DataKey>>,
    delay: Mutex<Duration>,
}

impl SlowProvider {
    pub(crate) fn new(delay: Duration) -> Self {
        Self {
            keys: Mutex::default(),
            delay: Mutex::new(delay),
        }
    }

    /// Makes each later call take this long.
    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    async fn take_a_while(&self) {
        let delay = *self.delay.lock().unwrap_or_else(PoisonError::into_inner);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    fn copy(key: &DataKey) -> DataKey {
        DataKey::from_bytes(&mut key.expose_secret().clone())
    }
}

#[async_trait]
impl KeyProvider for SlowProvider {
    fn instance(&self) -> &str {
        "bench"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: "bench",
            native_context: true,
            remote: true,
            key_state: false,
            signing: None,
            rotation: false,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        self.take_a_while().await;
        let data_key = DataKey::generate(&SystemRandom)
            .map_err(|error| KmsError::new(KmsErrorKind::Unavailable, "generate", key).with_source(error))?;
        let wrapped = self.wrap(key, &data_key, context).await?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, _: &str, data_key: &DataKey, _: &Context) -> Result<WrappedKey, KmsError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0x5a; WRAPPED_BYTES];
        bytes[..8].copy_from_slice(&(keys.len() as u64).to_be_bytes());
        keys.insert(bytes.clone(), Self::copy(data_key));
        Ok(WrappedKey {
            key: KEY.to_owned(),
            bytes,
        })
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], _: &Context) -> Result<DataKey, KmsError> {
        self.take_a_while().await;
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(wrapped)
            .map(Self::copy)
            .ok_or_else(|| KmsError::new(KmsErrorKind::WrongContext, "unwrap", key))
    }

    async fn describe(&self, _: &str) -> Result<KeyDescription, KmsError> {
        Ok(KeyDescription::symmetric(KEY.to_owned(), KeyState::Enabled))
    }
}
