use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeyMetadata, KeyState as AwsKeyState};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bulla_crypto::{Context, DataKey};
use bulla_kms::KmsErrorKind::{Invalid, Unavailable, WrongContext};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, KmsErrorKind,
    PublicKeyDescription, Signed, SigningAlgorithm, SigningInput, Verification, WrappedKey,
};
use zeroize::Zeroizing;

use crate::aliases::Aliases;
use crate::error::Failure;
use crate::key_name::KeyName;
use crate::regions::{RegionClient, Regions};
use crate::{AwsConfig, AwsConfigError, session, signing};

const SCHEME: &str = "aws-kms";
const MAX_CIPHERTEXT_BYTES: usize = 6144;

/// Wraps data keys under keys of AWS KMS, and signs with them.
///
/// A key's name is a key ARN, a key id, an alias or an alias ARN, with or without `aws-kms://`. Answers name the key ARN. An
/// ARN is asked for in its own region, everything else in the first configured one; multi-Region keys in the next while one
/// region is unavailable or throttles. An alias is one region's: it stands for the same key elsewhere only once the first region has
/// said which multi-Region key that is.
///
/// # Security
/// A plaintext data key is wiped where this crate holds it. The SDK's own copies (the HTTP body, the JSON text in base64, its
/// parsed form until it is moved here) are freed without being wiped; the SDK offers no way to it.
pub struct AwsProvider {
    regions: Regions,
    aliases: Aliases,
    instance: String,
}

type SdkOutcome<T, E> = Result<T, SdkError<E, HttpResponse>>;

impl AwsProvider {
    /// Makes a provider; asks nothing of AWS yet (see [`probe`](Self::probe)).
    ///
    /// # Errors
    /// As [`AwsConfig::validate`].
    pub async fn connect(config: &AwsConfig) -> Result<Self, AwsConfigError> {
        config.validate()?;
        let sdk = session::load(config).await;
        let instance = config.instance(sdk.region().map(AsRef::as_ref));
        Ok(Self {
            regions: Regions::new(sdk, config),
            aliases: Aliases::default(),
            instance,
        })
    }

    /// The client of the region where keys are made.
    pub(crate) fn home(&self, operation: &'static str, key: &str) -> Result<Arc<RegionClient>, KmsError> {
        let home = self.regions.home().map(|region| self.regions.of(region));
        home.ok_or_else(|| KmsError::new(Invalid, operation, key).with_source("no region is set"))
    }

    pub(crate) fn regions(&self) -> &Regions {
        &self.regions
    }

    /// Makes a call in one region after the other, until one answers.
    ///
    /// `call` gets the client and the key's name there, and gives what was answered and the ARN of the key that it was for.
    pub(crate) async fn in_regions<T, E, F, Call>(
        &self,
        operation: &'static str,
        key: &str,
        call: F,
    ) -> Result<(T, String), KmsError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Fn(&RegionClient, String) -> Call + Send + Sync,
        Call: Future<Output = SdkOutcome<(T, Option<String>), E>> + Send,
        T: Send,
    {
        let error = |failure: Failure| KmsError::new(failure.kind, operation, key).with_source(failure.fault);
        let Some(name) = KeyName::parse(key) else {
            return Err(KmsError::new(Invalid, operation, key));
        };
        let candidates = self.regions.candidates(&name);
        let own_region = name.region().or(self.regions.home()).map(str::to_owned);
        let mut told: Option<Failure> = None;
        for region in candidates {
            let is_own = own_region.as_ref() == Some(&region.region);
            let asked_for = match name.alias() {
                Some(alias) if !is_own => match self.aliases.replica(alias, &region.region) {
                    Ok(replica) => replica,
                    Err(reason) => {
                        let failure = Failure::new(Unavailable, &region.region, reason);
                        told = Some(joined(told, failure, is_own));
                        continue;
                    }
                },
                _ => name.in_region(&region.region).into_owned(),
            };
            // Whoever loses patience drops this future: the region has failed then, too.
            let pending = region.pending();
            let answered = call(&region, asked_for.clone()).await;
            pending.ended();
            let failure = match answered {
                Ok((answer, Some(arn))) => match accept(&asked_for, &region, &arn, operation) {
                    Ok(()) => {
                        if let Some(alias) = name.alias().filter(|_| is_own) {
                            self.aliases.note(alias, &arn);
                        }
                        region.note(false);
                        return Ok((answer, arn));
                    }
                    Err(failure) => failure,
                },
                Ok((_, None)) => Failure::new(Unavailable, &region.region, "the answer names no key"),
                Err(answer) => Failure::read(&region.region, &answer),
            };
            region.note(failure.kind.is_retryable());
            // A replica has the same material, so what does not open there opens nowhere; what it says of itself (disabled,
            // not there, not permitted) does not speak for the key.
            if failure.kind == WrongContext || (is_own && !failure.kind.is_retryable()) {
                return Err(error(failure));
            }
            tracing::warn!(region = region.region, fault = %failure.fault, operation, "a region of AWS KMS failed");
            told = Some(joined(told, failure, is_own));
        }
        Err(told.map_or_else(
            || KmsError::new(Invalid, operation, key).with_source("no region is set, and the key's name says none"),
            error,
        ))
    }
}

/// Checks that an answer is for the key that was asked for.
fn accept(asked_for: &str, region: &RegionClient, arn: &str, operation: &str) -> Result<(), Failure> {
    if KeyName::parse(asked_for).is_some_and(|name| name.is_answered_by(arn, &region.region)) {
        return Ok(());
    }
    let kind = if operation == "unwrap" { WrongContext } else { Invalid };
    let text = format!("the answer is for another key, {arn}");
    Err(Failure::new(kind, &region.region, text))
}

/// Puts the failures of several regions together; that of the key's own comes first.
fn joined(before: Option<Failure>, failure: Failure, is_own: bool) -> Failure {
    match before {
        None => failure,
        Some(before) => before.beside(failure, is_own),
    }
}

#[async_trait]
impl KeyProvider for AwsProvider {
    fn instance(&self) -> &str {
        &self.instance
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: SCHEME,
            native_context: true,
            remote: true,
            key_state: true,
            signing: Some(signing::LIMITS),
            rotation: true,
        }
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        const OPERATION: &str = "generate data key";
        let call = |region: &RegionClient, key_id: String| {
            let request = region
                .client
                .generate_data_key()
                .key_id(key_id)
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context));
            async move {
                let mut answer = request.send().await?;
                let arn = answer.key_id.take();
                Ok(((answer.plaintext.take().map(taken), answer.ciphertext_blob.take()), arn))
            }
        };
        let ((plaintext, ciphertext), arn) = self.in_regions(OPERATION, key, call).await?;
        let data_key = data_key(plaintext).ok_or_else(|| not_32_bytes(Unavailable, OPERATION, key))?;
        let wrapped = wrapped_key(OPERATION, key, ciphertext, &arn)?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let call = |region: &RegionClient, key_id: String| {
            let request = region
                .client
                .encrypt()
                .key_id(key_id)
                .plaintext(Blob::new(data_key.expose_secret().as_slice()))
                .set_encryption_context(pairs(context));
            async move {
                let answer = request.send().await?;
                Ok((answer.ciphertext_blob, answer.key_id))
            }
        };
        let (ciphertext, arn) = self.in_regions("wrap", key, call).await?;
        wrapped_key("wrap", key, ciphertext, &arn)
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        if wrapped.is_empty() || wrapped.len() > MAX_CIPHERTEXT_BYTES {
            return Err(KmsError::new(WrongContext, "unwrap", key));
        }
        let call = |region: &RegionClient, key_id: String| {
            let request = region
                .client
                .decrypt()
                .key_id(key_id)
                .ciphertext_blob(Blob::new(wrapped))
                .set_encryption_context(pairs(context));
            async move {
                let mut answer = request.send().await?;
                Ok((answer.plaintext.take().map(taken), answer.key_id.take()))
            }
        };
        let (plaintext, _) = self.in_regions("unwrap", key, call).await?;
        data_key(plaintext).ok_or_else(|| not_32_bytes(WrongContext, "unwrap", key))
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        let (metadata, arn) = self.metadata_of("describe", key).await?;
        // AWS says neither of a symmetric key that is older than the words.
        let spec = metadata.key_spec().map_or("SYMMETRIC_DEFAULT", |spec| spec.as_str());
        let usage = metadata.key_usage().map_or("ENCRYPT_DECRYPT", |usage| usage.as_str());
        Ok(KeyDescription {
            key: resolved(&arn),
            state: state_of(&metadata),
            spec: spec.parse().ok(),
            usage: usage.parse().ok(),
        })
    }

    async fn sign(&self, key: &str, algorithm: SigningAlgorithm, input: SigningInput<'_>) -> Result<Signed, KmsError> {
        self.sign_there(key, algorithm, input).await
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
        signature: &[u8],
    ) -> Result<Verification, KmsError> {
        self.verify_there(key, algorithm, input, signature).await
    }

    async fn public_key(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        self.public_key_there(key).await
    }

    async fn rotate(&self, key: &str) -> Result<(), KmsError> {
        self.rotate_there(key).await
    }
}

impl fmt::Debug for AwsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsProvider")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

pub(crate) fn state_of(metadata: &KeyMetadata) -> KeyState {
    match metadata.key_state() {
        // A key that is being updated (its primary is changing region) works on.
        Some(AwsKeyState::Enabled | AwsKeyState::Updating) => KeyState::Enabled,
        Some(AwsKeyState::Disabled) => KeyState::Disabled,
        Some(AwsKeyState::PendingDeletion | AwsKeyState::PendingReplicaDeletion) => KeyState::PendingDeletion,
        Some(_) => KeyState::Unavailable,
        None if metadata.enabled() => KeyState::Enabled,
        None => KeyState::Disabled,
    }
}

pub(crate) fn resolved(arn: &str) -> String {
    format!("{SCHEME}://{arn}")
}

pub(crate) fn pairs(context: &Context) -> Option<HashMap<String, String>> {
    let pairs = context.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    (!context.is_empty()).then(|| pairs.collect())
}

/// Takes a plaintext out of the SDK's hands; wiped on drop.
fn taken(blob: Blob) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(blob.into_inner())
}

fn data_key(plaintext: Option<Zeroizing<Vec<u8>>>) -> Option<DataKey> {
    DataKey::from_slice(&plaintext?)
}

fn not_32_bytes(kind: KmsErrorKind, operation: &'static str, key: &str) -> KmsError {
    KmsError::new(kind, operation, key).with_source("what was answered is not a data key of 32 bytes")
}

fn wrapped_key(
    operation: &'static str,
    key: &str,
    ciphertext: Option<Blob>,
    arn: &str,
) -> Result<WrappedKey, KmsError> {
    let bytes = ciphertext.map(Blob::into_inner).unwrap_or_default();
    if bytes.is_empty() || bytes.len() > MAX_CIPHERTEXT_BYTES {
        let size = format!("a wrapped key of {} bytes was answered", bytes.len());
        return Err(KmsError::new(Unavailable, operation, key).with_source(size));
    }
    Ok(WrappedKey {
        key: resolved(arn),
        bytes,
    })
}
