use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::{Context, DataKey, Random};
use bulla_kms::KmsErrorKind::{Invalid, NotFound, Unavailable, WrongContext};
use bulla_kms::{Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, WrappedKey};

use crate::error::refused;
use crate::{LocalConfig, LocalError, LocalErrorKind, RootKeyFile, RootKeyId};

const SCHEME: &str = "local";

/// Wraps data keys under root keys from files.
///
/// A key's name is its file's path as configured, its id, or its resolved form `local:<id>`. Wrapped bytes are a blob of
/// `spec/ciphertext-blob.md`: 184 bytes for a data key. Everything happens in this process, without a lock.
pub struct LocalProvider {
    keys: BTreeMap<RootKeyId, Material>,
    ids_by_path: BTreeMap<String, RootKeyId>,
    random: Arc<dyn Random>,
    instance: String,
}

impl LocalProvider {
    /// Reads the root keys that `config` names.
    ///
    /// Blocks on the disk; done once, at start.
    ///
    /// # Errors
    /// As [`RootKeyFile::open`], and `Twice`.
    pub fn open(config: &LocalConfig, random: Arc<dyn Random>) -> Result<Self, LocalError> {
        let files = config.root_key_files.iter().map(|path| RootKeyFile::open(path));
        Self::new(files.collect::<Result<Vec<_>, _>>()?, random)
    }

    /// Holds these root keys.
    ///
    /// # Errors
    /// `Twice` where two files hold one key.
    pub fn new(files: impl IntoIterator<Item = RootKeyFile>, random: Arc<dyn Random>) -> Result<Self, LocalError> {
        let mut keys = BTreeMap::new();
        let mut ids_by_path = BTreeMap::new();
        for file in files {
            let material = Material::new(file.key(), file.id().as_str())
                .map_err(|error| LocalError::new(file.path(), LocalErrorKind::Io).with_source(error))?;
            if keys.insert(file.id().clone(), material).is_some() {
                return Err(LocalError::new(file.path(), LocalErrorKind::Twice));
            }
            ids_by_path.insert(file.path().to_string_lossy().into_owned(), file.id().clone());
        }
        let named: Vec<_> = ids_by_path.iter().map(|(path, id)| format!("{path}={id}")).collect();
        Ok(Self {
            keys,
            ids_by_path,
            random,
            instance: format!("{SCHEME}:{}", named.join(",")),
        })
    }

    fn find(&self, operation: &'static str, name: &str) -> Result<(&RootKeyId, &Material), KmsError> {
        let unresolved = name.strip_prefix("local:").unwrap_or(name);
        let unresolved = unresolved.strip_prefix("//").unwrap_or(unresolved);
        if unresolved.is_empty() || unresolved.len() > 2048 || unresolved.chars().any(char::is_control) {
            return Err(refused(operation, Invalid, name));
        }
        let by_id = || self.keys.get_key_value(&unresolved.parse::<RootKeyId>().ok()?);
        let by_path = || self.keys.get_key_value(self.ids_by_path.get(unresolved)?);
        by_path()
            .or_else(by_id)
            .ok_or_else(|| refused(operation, NotFound, name))
    }
}

#[async_trait]
impl KeyProvider for LocalProvider {
    fn instance(&self) -> &str {
        &self.instance
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: SCHEME,
            native_context: true,
            remote: false,
            key_state: false,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        const OPERATION: &str = "generate data key";
        self.find(OPERATION, key)?;
        let data_key =
            DataKey::generate(&self.random).map_err(|error| refused(OPERATION, Unavailable, key).with_source(error))?;
        let wrapped = self.wrap(key, &data_key, context).await?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let (id, material) = self.find("wrap", key)?;
        let bytes = material
            .encrypt(context, &self.random, data_key.expose_secret())
            .map_err(|error| refused("wrap", Unavailable, key).with_source(error))?;
        Ok(WrappedKey {
            key: format!("{SCHEME}:{id}"),
            bytes,
        })
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        let (_, material) = self.find("unwrap", key)?;
        // One answer for bytes of a wrong form, of another key and of another context.
        let wrong = || refused("unwrap", WrongContext, key);
        let blob = Blob::parse(wrapped).map_err(|_| wrong())?;
        let plaintext = material.decrypt(&blob, context).map_err(|_| wrong())?;
        DataKey::from_slice(plaintext.expose_secret()).ok_or_else(wrong)
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        let (id, _) = self.find("describe", key)?;
        Ok(KeyDescription {
            key: format!("{SCHEME}:{id}"),
            state: KeyState::Enabled,
        })
    }
}

impl fmt::Debug for LocalProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalProvider")
            .field("keys", &self.ids_by_path)
            .finish_non_exhaustive()
    }
}
