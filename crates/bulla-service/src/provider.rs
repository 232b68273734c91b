use std::fmt;

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey, SecretBytes};
use bulla_kms::KmsErrorKind::{AccessDenied, Invalid, KeyDisabled, NotFound, Throttled, Unavailable, WrongContext};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, KmsErrorKind, WrappedKey,
};
use bulla_model::{AccountId, DataKeySpec, EncryptionAlgorithm, KeyArn, KeyRef, KeyState as ServiceKeyState, Region};

use crate::{
    Call, Caller, DecryptRequest, DescribeKeyRequest, EncryptRequest, GenerateDataKeyRequest, RotateKeyOnDemandRequest,
    Service, ServiceError,
};

const SCHEME: &str = "bulla";
const MAX_WRAPPED_BYTES: usize = 6144;

/// The keys of the service in this process, as `bulla:///alias/app` and `bulla://arn:aws:kms:…` name them.
///
/// A name is a key ARN, a key id, an alias or an alias ARN, with or without the scheme; what is no ARN is of the provider's account and
/// region. Answers name the key's ARN. Keys of other accounts are not reached.
///
/// # Security
/// Calls are the service's own (`AWSService` in the log): recorded and durable before a data key is answered, refused for keys that are
/// not enabled, and asked of no policy. A data key is shared by all for whom it is cached, so whoever happens to need it first must
/// not decide who may. Who may is decided by [`Service::access`], for each value and at each access, also where a cache answers, and by the
/// denials of KMS's own actions on the key. So this goes only to use cases that ask there before a value leaves them.
#[derive(Clone)]
pub struct ServiceProvider {
    service: Service,
    account: AccountId,
    region: Region,
    instance: String,
}

impl ServiceProvider {
    /// Makes a provider for the keys of one account; `region` is meant where a name says none.
    pub fn new(service: Service, account: AccountId, region: Region) -> Self {
        Self {
            instance: format!("{SCHEME} {} {account} {region}", service.origin()),
            service,
            account,
            region,
        }
    }

    /// The key's name for the service, and a call in the key's region.
    fn name<'k>(&self, operation: &'static str, key: &'k str) -> Result<(&'k str, Call), KmsError> {
        let invalid = || KmsError::new(Invalid, operation, key);
        let name = key.strip_prefix("bulla:").unwrap_or(key);
        let name = name.strip_prefix("//").unwrap_or(name);
        let name = name.strip_prefix('/').unwrap_or(name);
        let region = if name.starts_with("arn:") {
            let region = name.split(':').nth(3).ok_or_else(invalid)?;
            region.parse().map_err(|_| invalid())?
        } else {
            self.region.clone()
        };
        KeyRef::parse(name, &region).map_err(|error| invalid().with_source(error))?;
        let request_id = self
            .service
            .core
            .draw_uuid()
            .map_err(|error| KmsError::new(Unavailable, operation, key).with_source(error))?;
        let call = Call {
            caller: Caller::service(self.account.clone()),
            region,
            request_id: request_id.into(),
            source_ip: "in-process".into(),
            user_agent: SCHEME.into(),
            secure_transport: true,
        };
        Ok((name, call))
    }
}

#[async_trait]
impl KeyProvider for ServiceProvider {
    fn instance(&self) -> &str {
        &self.instance
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: SCHEME,
            native_context: true,
            remote: false,
            key_state: true,
            signing: None,
            rotation: true,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        const OPERATION: &str = "generate data key";
        let (name, call) = self.name(OPERATION, key)?;
        let request = GenerateDataKeyRequest {
            key_id: name.to_owned(),
            encryption_context: context.clone(),
            key_spec: Some(DataKeySpec::Aes256),
            number_of_bytes: None,
            grant_tokens: Vec::new(),
            dry_run: false,
        };
        let made = self.service.generate_data_key(&call, request).await;
        let made = made.map_err(|error| failed(OPERATION, key, error))?;
        let data_key = DataKey::from_slice(made.plaintext.expose_secret());
        Ok(GeneratedDataKey {
            data_key: data_key.ok_or_else(|| KmsError::new(Unavailable, OPERATION, key))?,
            wrapped: WrappedKey {
                key: resolved(&made.key_arn),
                bytes: made.ciphertext_blob,
            },
        })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let (name, call) = self.name("wrap", key)?;
        let request = EncryptRequest {
            key_id: name.to_owned(),
            plaintext: SecretBytes::from_vec(data_key.expose_secret().to_vec()),
            encryption_context: context.clone(),
            encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
            grant_tokens: Vec::new(),
            dry_run: false,
        };
        let made = self.service.encrypt(&call, request).await;
        let made = made.map_err(|error| failed("wrap", key, error))?;
        Ok(WrappedKey {
            key: resolved(&made.key_arn),
            bytes: made.ciphertext_blob,
        })
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        if wrapped.is_empty() || wrapped.len() > MAX_WRAPPED_BYTES {
            return Err(KmsError::new(WrongContext, "unwrap", key));
        }
        let (name, call) = self.name("unwrap", key)?;
        let request = DecryptRequest {
            key_id: Some(name.to_owned()),
            ciphertext_blob: wrapped.to_vec(),
            encryption_context: context.clone(),
            encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
            grant_tokens: Vec::new(),
            dry_run: false,
        };
        let opened = self.service.decrypt(&call, request).await;
        let opened = opened.map_err(|error| failed("unwrap", key, error))?;
        DataKey::from_slice(opened.plaintext.expose_secret()).ok_or_else(|| KmsError::new(WrongContext, "unwrap", key))
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        let (name, call) = self.name("describe", key)?;
        let request = DescribeKeyRequest {
            key_id: name.to_owned(),
            grant_tokens: Vec::new(),
        };
        let described = self.service.describe_key(&call, request).await;
        let key = described.map_err(|error| failed("describe", key, error))?.key;
        Ok(KeyDescription {
            key: resolved(&key.arn),
            state: match key.state {
                ServiceKeyState::Enabled | ServiceKeyState::Updating => KeyState::Enabled,
                ServiceKeyState::Disabled => KeyState::Disabled,
                ServiceKeyState::PendingDeletion | ServiceKeyState::PendingReplicaDeletion => KeyState::PendingDeletion,
                _ => KeyState::Unavailable,
            },
            spec: key.spec.as_str().parse().ok(),
            usage: key.usage.as_str().parse().ok(),
        })
    }

    async fn rotate(&self, key: &str) -> Result<(), KmsError> {
        let (name, call) = self.name("rotate", key)?;
        // Rotation takes no alias.
        let described = self.describe(key).await?;
        let arn = described.key.strip_prefix("bulla://").unwrap_or(name);
        let request = RotateKeyOnDemandRequest { key_id: arn.to_owned() };
        let rotated = self.service.rotate_key_on_demand(&call, request).await;
        rotated.map(drop).map_err(|error| failed("rotate", key, error))
    }
}

impl fmt::Debug for ServiceProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceProvider")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

fn resolved(arn: &KeyArn) -> String {
    format!("{SCHEME}://{arn}")
}

fn failed(operation: &'static str, key: &str, error: ServiceError) -> KmsError {
    KmsError::new(kind_of(&error), operation, key).with_source(error)
}

fn kind_of(error: &ServiceError) -> KmsErrorKind {
    use ServiceError as E;
    match error {
        E::NotFound(_) => NotFound,
        E::AccessDenied(_) | E::UnrecognizedClient => AccessDenied,
        E::Disabled(_) | E::InvalidState(_) => KeyDisabled,
        E::InvalidCiphertext { .. } | E::IncorrectKey(_) => WrongContext,
        E::Throttled => Throttled,
        error if error.is_internal() => Unavailable,
        _ => Invalid,
    }
}
