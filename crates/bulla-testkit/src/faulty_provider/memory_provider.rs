use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::{Context, DataKey, SystemRandom};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, KmsErrorKind, WrappedKey,
};

const SCHEME: &str = "memory";

/// Holds keys and aliases in memory; they are gone with it.
pub(super) struct MemoryProvider {
    keyring: Mutex<Keyring>,
}

#[derive(Default)]
struct Keyring {
    keys: BTreeMap<String, (Arc<Material>, KeyState)>,
    aliases: BTreeMap<String, String>,
}

impl MemoryProvider {
    /// Makes `key-a` and `key-b`, and the alias `alias/app` of `key-a`.
    pub(super) fn new() -> Self {
        let provider = Self {
            keyring: Mutex::default(),
        };
        provider.set_key_state("key-a", KeyState::Enabled);
        provider.set_key_state("key-b", KeyState::Enabled);
        provider.set_alias("alias/app", "key-a");
        provider
    }

    pub(super) fn set_key_state(&self, name: &str, state: KeyState) {
        let mut keyring = self.keyring();
        let id = keyring.resolve(name).to_owned();
        keyring
            .keys
            .entry(id)
            .or_insert_with_key(|id| (Arc::new(new_material(id)), state))
            .1 = state;
    }

    pub(super) fn set_alias(&self, alias: &str, key: &str) {
        let mut keyring = self.keyring();
        let id = keyring.resolve(key).to_owned();
        keyring
            .keys
            .entry(id.clone())
            .or_insert_with_key(|id| (Arc::new(new_material(id)), KeyState::Enabled));
        keyring.aliases.insert(alias.to_owned(), id);
    }

    fn keyring(&self) -> MutexGuard<'_, Keyring> {
        self.keyring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, operation: &'static str, name: &str) -> Result<(String, Arc<Material>, KeyState), KmsError> {
        let keyring = self.keyring();
        let id = keyring.resolve(name);
        match keyring.keys.get(id) {
            Some((material, state)) => Ok((id.to_owned(), Arc::clone(material), *state)),
            None if id.is_empty() || id.chars().any(char::is_control) => {
                Err(KmsError::new(KmsErrorKind::Invalid, operation, name))
            }
            None => Err(KmsError::new(KmsErrorKind::NotFound, operation, name)),
        }
    }

    fn find_enabled(&self, operation: &'static str, name: &str) -> Result<(String, Arc<Material>), KmsError> {
        let (id, material, state) = self.find(operation, name)?;
        match state {
            KeyState::Enabled => Ok((id, material)),
            KeyState::Disabled | KeyState::PendingDeletion => {
                Err(KmsError::new(KmsErrorKind::KeyDisabled, operation, name))
            }
            KeyState::Unavailable => Err(KmsError::new(KmsErrorKind::Unavailable, operation, name)),
        }
    }
}

impl Keyring {
    fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        let name = name.strip_prefix("memory:").unwrap_or(name);
        self.aliases.get(name).map_or(name, String::as_str)
    }
}

fn new_material(id: &str) -> Material {
    let key = DataKey::generate(&SystemRandom).expect("the system has randomness");
    Material::new(&key, id).expect("a name of a test's key is short")
}

#[async_trait]
impl KeyProvider for MemoryProvider {
    fn instance(&self) -> &str {
        SCHEME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: SCHEME,
            native_context: true,
            remote: true,
            key_state: true,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        let data_key = DataKey::generate(&SystemRandom)
            .map_err(|error| KmsError::new(KmsErrorKind::Unavailable, "generate data key", key).with_source(error))?;
        let wrapped = self.wrap(key, &data_key, context).await?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let (id, material) = self.find_enabled("wrap", key)?;
        let bytes = material
            .encrypt(context, &SystemRandom, data_key.expose_secret())
            .map_err(|error| KmsError::new(KmsErrorKind::Unavailable, "wrap", key).with_source(error))?;
        Ok(WrappedKey {
            key: format!("{SCHEME}:{id}"),
            bytes,
        })
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        let (_, material) = self.find_enabled("unwrap", key)?;
        let refused = || KmsError::new(KmsErrorKind::WrongContext, "unwrap", key);
        let blob = Blob::parse(wrapped).map_err(|_| refused())?;
        let plaintext = material.decrypt(&blob, context).map_err(|_| refused())?;
        let mut bytes: [u8; 32] = plaintext.expose_secret().try_into().map_err(|_| refused())?;
        Ok(DataKey::from_bytes(&mut bytes))
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        let (id, _, state) = self.find("describe", key)?;
        Ok(KeyDescription {
            key: format!("{SCHEME}:{id}"),
            state,
        })
    }
}

impl fmt::Debug for MemoryProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyring = self.keyring();
        let keys: Vec<_> = keyring.keys.iter().map(|(id, (_, state))| (id, state)).collect();
        f.debug_struct("MemoryProvider")
            .field("keys", &keys)
            .field("aliases", &keyring.aliases)
            .finish()
    }
}
