use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::keys::{self, PrivateKey, UseError};
use bulla_crypto::{Context, DataKey, Random};
use bulla_kms::KmsErrorKind::{Invalid, NotFound, Unavailable, WrongContext};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeySpec, KeyState, KeyUsage, KmsError,
    PublicKeyDescription, Signed, SigningAlgorithm, SigningInput, SigningLimits, Verification, WrappedKey,
};

use crate::error::{KeyFileKind, refused};
use crate::{LocalConfig, LocalError, LocalErrorKind, RootKeyFile, SigningKeyFile};

const SCHEME: &str = "local";

/// A message lies in memory, and so does all that is signed of it.
const LIMITS: SigningLimits = SigningLimits {
    max_message_bytes: usize::MAX,
};

/// Wraps data keys under root keys from files, and signs with signing keys from files.
///
/// A key's name is its file's path as configured, its id, or its resolved form `local:<id>`. Wrapped bytes are a blob of
/// `spec/ciphertext-blob.md`: 184 bytes for a data key. Everything happens in this process, without a lock.
pub struct LocalProvider {
    keys: BTreeMap<String, Key>,
    ids_by_path: BTreeMap<String, String>,
    random: Arc<dyn Random>,
    instance: String,
}

/// What a file holds, ready to use.
enum Key {
    Root(Material),
    Signing(Box<SigningKey>),
}

struct SigningKey {
    spec: KeySpec,
    private: PrivateKey,
}

impl LocalProvider {
    /// Reads the keys that `config` names.
    ///
    /// Blocks on the disk; done once, at start.
    ///
    /// # Errors
    /// As [`RootKeyFile::open`] and [`SigningKeyFile::open`], and `Twice`.
    pub fn open(config: &LocalConfig, random: Arc<dyn Random>) -> Result<Self, LocalError> {
        let files = config.root_key_files.iter().map(|path| RootKeyFile::open(path));
        let signing = config.signing_key_files.iter().map(|path| SigningKeyFile::open(path));
        let signing = signing.collect::<Result<Vec<_>, _>>()?;
        Self::new(files.collect::<Result<Vec<_>, _>>()?, random)?.with_signing_keys(signing)
    }

    /// Holds these root keys.
    ///
    /// # Errors
    /// `Twice` where two files hold one key.
    pub fn new(files: impl IntoIterator<Item = RootKeyFile>, random: Arc<dyn Random>) -> Result<Self, LocalError> {
        let mut keys = BTreeMap::new();
        let mut ids_by_path = BTreeMap::new();
        for file in files {
            let fail = |kind| LocalError::new(file.path(), KeyFileKind::RootKey, kind);
            let material = Material::new(file.key(), file.id().as_str())
                .map_err(|error| fail(LocalErrorKind::Io).with_source(error))?;
            if keys.insert(file.id().to_string(), Key::Root(material)).is_some() {
                return Err(fail(LocalErrorKind::Twice));
            }
            ids_by_path.insert(file.path().to_string_lossy().into_owned(), file.id().to_string());
        }
        Ok(Self {
            instance: instance(&ids_by_path),
            keys,
            ids_by_path,
            random,
        })
    }

    /// Holds these signing keys too.
    ///
    /// # Errors
    /// `Twice` where two files hold one key.
    pub fn with_signing_keys(mut self, files: impl IntoIterator<Item = SigningKeyFile>) -> Result<Self, LocalError> {
        for file in files {
            let (path, id, spec) = (file.path().to_owned(), file.id().to_string(), file.spec());
            let private = file.into_key();
            let key = Key::Signing(Box::new(SigningKey { spec, private }));
            if self.keys.insert(id.clone(), key).is_some() {
                return Err(LocalError::new(&path, KeyFileKind::SigningKey, LocalErrorKind::Twice));
            }
            self.ids_by_path.insert(path.to_string_lossy().into_owned(), id);
        }
        self.instance = instance(&self.ids_by_path);
        Ok(self)
    }

    fn find_root(&self, operation: &'static str, name: &str) -> Result<(&str, &Material), KmsError> {
        match self.find(operation, name)? {
            (id, Key::Root(material)) => Ok((id, material)),
            (_, Key::Signing(key)) => {
                let reason = format!("a key of spec {} signs, and wraps no data keys", key.spec);
                Err(refused(operation, Invalid, name).with_source(reason))
            }
        }
    }

    fn find_signing(&self, operation: &'static str, name: &str) -> Result<(&str, &SigningKey), KmsError> {
        match self.find(operation, name)? {
            (id, Key::Signing(key)) => Ok((id, key)),
            (_, Key::Root(_)) => {
                Err(refused(operation, Invalid, name).with_source("a root key wraps data keys, and signs nothing"))
            }
        }
    }

    /// Finds a signing key that signs so, and so much.
    fn find_signing_as(
        &self,
        operation: &'static str,
        name: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
    ) -> Result<(&str, &SigningKey), KmsError> {
        let (id, key) = self.find_signing(operation, name)?;
        let checked = key.spec.signing_algorithm(KeyUsage::SignVerify, Some(algorithm));
        checked.map_err(|error| refused(operation, Invalid, name).with_source(error))?;
        let checked = algorithm.check_input(input, LIMITS);
        checked.map_err(|reason| refused(operation, Invalid, name).with_source(reason))?;
        Ok((id, key))
    }

    fn find(&self, operation: &'static str, name: &str) -> Result<(&str, &Key), KmsError> {
        let unresolved = name.strip_prefix("local:").unwrap_or(name);
        let unresolved = unresolved.strip_prefix("//").unwrap_or(unresolved);
        if unresolved.is_empty() || unresolved.len() > 2048 || unresolved.chars().any(char::is_control) {
            return Err(refused(operation, Invalid, name));
        }
        let by_id = || self.keys.get_key_value(unresolved);
        let by_path = || self.keys.get_key_value(self.ids_by_path.get(unresolved)?);
        by_path()
            .or_else(by_id)
            .map(|(id, key)| (id.as_str(), key))
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
            signing: Some(LIMITS),
            // A root key is rotated by making another, and wrapping anew: bulla root.
            rotation: false,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        const OPERATION: &str = "generate data key";
        self.find_root(OPERATION, key)?;
        let data_key =
            DataKey::generate(&self.random).map_err(|error| refused(OPERATION, Unavailable, key).with_source(error))?;
        let wrapped = self.wrap(key, &data_key, context).await?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let (id, material) = self.find_root("wrap", key)?;
        let bytes = material
            .encrypt(context, &self.random, data_key.expose_secret())
            .map_err(|error| refused("wrap", Unavailable, key).with_source(error))?;
        Ok(WrappedKey {
            key: format!("{SCHEME}:{id}"),
            bytes,
        })
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        let (_, material) = self.find_root("unwrap", key)?;
        // One answer for bytes of a wrong form, of another key and of another context.
        let wrong = || refused("unwrap", WrongContext, key);
        let blob = Blob::parse(wrapped).map_err(|_| wrong())?;
        let plaintext = material.decrypt(&blob, context).map_err(|_| wrong())?;
        DataKey::from_slice(plaintext.expose_secret()).ok_or_else(wrong)
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        let (id, found) = self.find("describe", key)?;
        let described = KeyDescription::symmetric(format!("{SCHEME}:{id}"), KeyState::Enabled);
        Ok(match found {
            Key::Root(_) => described,
            Key::Signing(signing) => KeyDescription {
                spec: Some(signing.spec),
                usage: Some(KeyUsage::SignVerify),
                ..described
            },
        })
    }

    async fn sign(&self, key: &str, algorithm: SigningAlgorithm, input: SigningInput<'_>) -> Result<Signed, KmsError> {
        let (id, found) = self.find_signing_as("sign", key, algorithm, input)?;
        let (primitive, message) = (algorithm.primitive(), algorithm.primitive_input(input));
        let signature = found.private.sign(primitive, message, &self.random);
        Ok(Signed {
            signature: signature.map_err(|error| failed("sign", key, error))?,
            key_id: format!("{SCHEME}:{id}"),
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
        let (_, found) = self.find_signing_as("verify", key, algorithm, input)?;
        let (primitive, message) = (algorithm.primitive(), algorithm.primitive_input(input));
        let public = found.private.public_key();
        let outcome = public.and_then(|public| public.verify(primitive, message, signature));
        match outcome.map_err(|error| failed("verify", key, error))? {
            keys::Verification::Valid => Ok(Verification::Valid),
            keys::Verification::Invalid => Ok(Verification::Invalid),
        }
    }

    async fn public_key(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        let (id, found) = self.find_signing("public key", key)?;
        Ok(PublicKeyDescription {
            key: format!("{SCHEME}:{id}"),
            spec: found.spec,
            usage: KeyUsage::SignVerify,
            algorithms: found.spec.signing_algorithms().to_vec(),
            spki_der: found.private.public_key_der().unwrap_or_default().to_vec(),
        })
    }
}

fn failed(operation: &'static str, key: &str, error: UseError) -> KmsError {
    refused(operation, Unavailable, key).with_source(error)
}

fn instance(ids_by_path: &BTreeMap<String, String>) -> String {
    let named: Vec<_> = ids_by_path.iter().map(|(path, id)| format!("{path}={id}")).collect();
    format!("{SCHEME}:{}", named.join(","))
}

impl fmt::Debug for LocalProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalProvider")
            .field("keys", &self.ids_by_path)
            .finish_non_exhaustive()
    }
}
