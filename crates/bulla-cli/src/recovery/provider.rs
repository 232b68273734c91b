use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::{Context, DataKey, KeyError, Random};
use bulla_kms::KmsErrorKind::{NotFound, Unavailable, WrongContext};
use bulla_kms::{Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, WrappedKey};

use super::RecoveryKey;

const SCHEME: &str = "recovery";

/// Wraps under one recovery key, in memory for as long as `init` or `root recover` runs.
///
/// Its key is named `recovery:<set>`; wrapped bytes are a blob of `spec/ciphertext-blob.md`.
pub(crate) struct RecoveryProvider {
    material: Material,
    name: String,
    random: Arc<dyn Random>,
}

impl RecoveryProvider {
    /// Holds a recovery key.
    ///
    /// # Errors
    /// The key can't be derived from.
    pub(crate) fn new(key: &RecoveryKey, random: Arc<dyn Random>) -> Result<Self, KeyError> {
        let material = Material::new(&key.key, key.set())?;
        Ok(Self {
            material,
            name: format!("{SCHEME}:{}", key.set()),
            random,
        })
    }

    /// The key's resolved name.
    pub(crate) fn key_name(&self) -> &str {
        &self.name
    }

    fn check(&self, operation: &'static str, key: &str) -> Result<(), KmsError> {
        if key == self.name {
            Ok(())
        } else {
            Err(KmsError::new(NotFound, operation, key))
        }
    }
}

#[async_trait]
impl KeyProvider for RecoveryProvider {
    fn instance(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: SCHEME,
            native_context: true,
            remote: false,
            key_state: false,
            signing: None,
            rotation: false,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        let data_key = DataKey::generate(self.random.as_ref())
            .map_err(|error| KmsError::new(Unavailable, "generate data key", key).with_source(error))?;
        let wrapped = self.wrap(key, &data_key, context).await?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        self.check("wrap", key)?;
        let bytes = self
            .material
            .encrypt(context, self.random.as_ref(), data_key.expose_secret())
            .map_err(|error| KmsError::new(Unavailable, "wrap", key).with_source(error))?;
        Ok(WrappedKey {
            key: self.name.clone(),
            bytes,
        })
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        self.check("unwrap", key)?;
        let wrong = || KmsError::new(WrongContext, "unwrap", key);
        let blob = Blob::parse(wrapped).map_err(|_| wrong())?;
        let plaintext = self.material.decrypt(&blob, context).map_err(|_| wrong())?;
        DataKey::from_slice(plaintext.expose_secret()).ok_or_else(wrong)
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        self.check("describe", key)?;
        Ok(KeyDescription::symmetric(self.name.clone(), KeyState::Enabled))
    }
}

impl fmt::Debug for RecoveryProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryProvider")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bulla_testkit::SeededRandom;

    use super::*;

    #[tokio::test]
    async fn what_it_wrapped_opens_under_the_same_key_and_context_only() {
        let random = Arc::new(SeededRandom::new(3));
        let [ours, other] = [(); 2].map(|()| {
            let key = RecoveryKey::generate(random.as_ref()).unwrap();
            RecoveryProvider::new(&key, random.clone()).unwrap()
        });
        let context = Context::from_pairs([("a", "b")]).unwrap();
        let made = ours.generate_data_key(ours.key_name(), &context).await.unwrap();
        let opened = ours
            .unwrap(ours.key_name(), &made.wrapped.bytes, &context)
            .await
            .unwrap();
        assert_eq!(opened.expose_secret(), made.data_key.expose_secret());
        assert!(
            ours.unwrap(ours.key_name(), &made.wrapped.bytes, &Context::empty())
                .await
                .is_err()
        );
        assert!(
            other
                .unwrap(other.key_name(), &made.wrapped.bytes, &context)
                .await
                .is_err()
        );
        assert_eq!(
            other
                .unwrap(ours.key_name(), &made.wrapped.bytes, &context)
                .await
                .unwrap_err()
                .kind,
            NotFound
        );
    }
}
