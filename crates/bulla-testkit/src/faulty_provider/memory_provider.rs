use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::keys::{self, PrivateKey};
use bulla_crypto::{Context, DataKey, SystemRandom};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeySpec, KeyState, KeyUsage, KmsError, KmsErrorKind,
    PublicKeyDescription, Signed, SigningAlgorithm, SigningInput, SigningLimits, Verification, WrappedKey,
};

const SCHEME: &str = "memory";

/// As AWS KMS has it.
const LIMITS: SigningLimits = SigningLimits {
    max_message_bytes: 4096,
};

/// Holds keys and aliases in memory; they are gone with it.
pub(super) struct MemoryProvider {
    keyring: Mutex<Keyring>,
}

#[derive(Default)]
struct Keyring {
    keys: BTreeMap<String, (Key, KeyState)>,
    aliases: BTreeMap<String, String>,
}

#[derive(Clone)]
enum Key {
    /// All materials, the current one last.
    Wrapping(Vec<Arc<Material>>),
    Signing(KeySpec, Arc<PrivateKey>),
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
            .or_insert_with_key(|id| (Key::new_wrapping(id), state))
            .1 = state;
    }

    pub(super) fn set_alias(&self, alias: &str, key: &str) {
        let mut keyring = self.keyring();
        let id = keyring.resolve(key).to_owned();
        keyring
            .keys
            .entry(id.clone())
            .or_insert_with_key(|id| (Key::new_wrapping(id), KeyState::Enabled));
        keyring.aliases.insert(alias.to_owned(), id);
    }

    fn keyring(&self) -> MutexGuard<'_, Keyring> {
        self.keyring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a signing key.
    pub(super) fn add_signing_key(&self, name: &str, spec: KeySpec) {
        let primitive = spec.primitive().expect("a spec that signs");
        let key = PrivateKey::generate(primitive, &SystemRandom).expect("the system has randomness");
        let key = Key::Signing(spec, Arc::new(key));
        self.keyring().keys.insert(name.to_owned(), (key, KeyState::Enabled));
    }

    fn find(&self, operation: &'static str, name: &str) -> Result<(String, Key, KeyState), KmsError> {
        let keyring = self.keyring();
        let id = keyring.resolve(name);
        match keyring.keys.get(id) {
            Some((key, state)) => Ok((id.to_owned(), key.clone(), *state)),
            None if id.is_empty() || id.chars().any(char::is_control) => {
                Err(KmsError::new(KmsErrorKind::Invalid, operation, name))
            }
            None => Err(KmsError::new(KmsErrorKind::NotFound, operation, name)),
        }
    }

    fn find_enabled(&self, operation: &'static str, name: &str) -> Result<(String, Key), KmsError> {
        let (id, key, state) = self.find(operation, name)?;
        match state {
            KeyState::Enabled => Ok((id, key)),
            KeyState::Disabled | KeyState::PendingDeletion => {
                Err(KmsError::new(KmsErrorKind::KeyDisabled, operation, name))
            }
            KeyState::Unavailable => Err(KmsError::new(KmsErrorKind::Unavailable, operation, name)),
        }
    }

    fn find_wrapping(&self, operation: &'static str, name: &str) -> Result<(String, Vec<Arc<Material>>), KmsError> {
        match self.find_enabled(operation, name)? {
            (id, Key::Wrapping(materials)) => Ok((id, materials)),
            (_, Key::Signing(..)) => Err(KmsError::new(KmsErrorKind::Invalid, operation, name)),
        }
    }

    fn find_signing(
        &self,
        operation: &'static str,
        name: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
    ) -> Result<(String, Arc<PrivateKey>), KmsError> {
        let (id, key) = self.find_enabled(operation, name)?;
        let invalid = || KmsError::new(KmsErrorKind::Invalid, operation, name);
        let Key::Signing(spec, key) = key else {
            return Err(invalid());
        };
        let checked = spec.signing_algorithm(KeyUsage::SignVerify, Some(algorithm));
        checked.map_err(|error| invalid().with_source(error))?;
        let checked = algorithm.check_input(input, LIMITS);
        checked.map_err(|reason| invalid().with_source(reason))?;
        Ok((id, key))
    }
}

impl Key {
    fn new_wrapping(id: &str) -> Self {
        Self::Wrapping(vec![Arc::new(new_material(id))])
    }
}

impl Keyring {
    fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        let name = name.strip_prefix("memory:").unwrap_or(name);
        let name = name.strip_prefix("//").unwrap_or(name);
        self.aliases.get(name).map_or(name, String::as_str)
    }
}

/// The key's name with its scheme; ARNs as in URIs.
fn resolved(id: &str) -> String {
    let slashes = if id.starts_with("arn:") { "//" } else { "" };
    format!("{SCHEME}:{slashes}{id}")
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
            signing: Some(LIMITS),
            rotation: true,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        let data_key = DataKey::generate(&SystemRandom)
            .map_err(|error| KmsError::new(KmsErrorKind::Unavailable, "generate data key", key).with_source(error))?;
        let wrapped = self.wrap(key, &data_key, context).await?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let (id, materials) = self.find_wrapping("wrap", key)?;
        let bytes = materials
            .last()
            .expect("a key has material")
            .encrypt(context, &SystemRandom, data_key.expose_secret())
            .map_err(|error| KmsError::new(KmsErrorKind::Unavailable, "wrap", key).with_source(error))?;
        Ok(WrappedKey {
            key: resolved(&id),
            bytes,
        })
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        let (_, materials) = self.find_wrapping("unwrap", key)?;
        let refused = || KmsError::new(KmsErrorKind::WrongContext, "unwrap", key);
        let blob = Blob::parse(wrapped).map_err(|_| refused())?;
        let plaintext = materials
            .iter()
            .rev()
            .find_map(|material| material.decrypt(&blob, context).ok());
        let plaintext = plaintext.ok_or_else(refused)?;
        let mut bytes: [u8; 32] = plaintext.expose_secret().try_into().map_err(|_| refused())?;
        Ok(DataKey::from_bytes(&mut bytes))
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        let (id, found, state) = self.find("describe", key)?;
        let described = KeyDescription::symmetric(resolved(&id), state);
        Ok(match found {
            Key::Wrapping(_) => described,
            Key::Signing(spec, _) => KeyDescription {
                spec: Some(spec),
                usage: Some(KeyUsage::SignVerify),
                ..described
            },
        })
    }

    async fn sign(&self, key: &str, algorithm: SigningAlgorithm, input: SigningInput<'_>) -> Result<Signed, KmsError> {
        let (id, private) = self.find_signing("sign", key, algorithm, input)?;
        let signature = private.sign(algorithm.primitive(), algorithm.primitive_input(input), &SystemRandom);
        Ok(Signed {
            signature: signature
                .map_err(|error| KmsError::new(KmsErrorKind::Unavailable, "sign", key).with_source(error))?,
            key_id: resolved(&id),
            algorithm,
        })
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
        signature: &[u8],
    ) -> Result<Verification, KmsError> {
        let (_, private) = self.find_signing("verify", key, algorithm, input)?;
        let public = private.public_key().expect("a signing key has a public half");
        match public.verify(algorithm.primitive(), algorithm.primitive_input(input), signature) {
            Ok(keys::Verification::Valid) => Ok(Verification::Valid),
            Ok(_) => Ok(Verification::Invalid),
            Err(error) => Err(KmsError::new(KmsErrorKind::Unavailable, "verify", key).with_source(error)),
        }
    }

    async fn public_key(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        let (id, Key::Signing(spec, private)) = self.find_enabled("public key", key)? else {
            return Err(KmsError::new(KmsErrorKind::Invalid, "public key", key));
        };
        Ok(PublicKeyDescription {
            key: resolved(&id),
            spec,
            usage: KeyUsage::SignVerify,
            algorithms: spec.signing_algorithms().to_vec(),
            spki_der: private
                .public_key_der()
                .expect("a signing key has a public half")
                .to_vec(),
        })
    }

    async fn rotate(&self, key: &str) -> Result<(), KmsError> {
        let (id, _) = self.find_wrapping("rotate", key)?;
        let fresh = Arc::new(new_material(&id));
        if let Some((Key::Wrapping(materials), _)) = self.keyring().keys.get_mut(&id) {
            materials.push(fresh);
        }
        Ok(())
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
