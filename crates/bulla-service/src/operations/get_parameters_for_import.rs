use bulla_crypto::keys::PrivateKey;
use bulla_model::{KeyArn, KeySpec, Operation as Asked, Timestamp, WrappingAlgorithm, WrappingKeySpec};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use crate::authorised::{Authorised, KeyForms};
use crate::decision::{Decision, EventKind};
use crate::import_token::{ImportToken, VALID_MICROS};
use crate::key_material::generate_key;
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GetParametersForImport` is asked.
#[derive(Debug, Clone)]
pub struct GetParametersForImportRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// How the material will be wrapped.
    pub wrapping_algorithm: WrappingAlgorithm,
    /// Under what kind of key.
    pub wrapping_key_spec: WrappingKeySpec,
}

/// What `GetParametersForImport` answers.
#[derive(Debug, Clone)]
pub struct GetParametersForImportResponse {
    /// The key that material is to be imported into.
    pub key_arn: KeyArn,
    /// For `ImportKeyMaterial`; at most 6,144 bytes (`spec/import-token.md`).
    pub import_token: Vec<u8>,
    /// The key to wrap the material under: DER of a SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// When both end: in 24 hours.
    pub valid_to: Timestamp,
}

impl Service {
    /// Makes a key pair under whose public half material can be wrapped for import. Nothing of it is kept.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `Unsupported`, `AccessDenied`.
    pub async fn get_parameters_for_import(
        &self,
        call: &Call,
        request: GetParametersForImportRequest,
    ) -> Result<GetParametersForImportResponse, ServiceError> {
        let parameters = Parameters {
            request,
            wrapping_key: OnceCell::new(),
        };
        self.core.run(call, &parameters).await
    }
}

/// The request, and the pair that was made for it: it is made once, however often the request is decided again.
struct Parameters {
    request: GetParametersForImportRequest,
    wrapping_key: OnceCell<PrivateKey>,
}

impl Operation for Parameters {
    type Response = GetParametersForImportResponse;

    const EVENT: EventKind = EventKind {
        name: "GetParametersForImport",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.request.key_id)),
            ("wrappingAlgorithm", self.request.wrapping_algorithm.as_str().into()),
            ("wrappingKeySpec", self.request.wrapping_key_spec.as_str().into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key: Authorised<Self> = decision
            .authorise_key("kms:GetParametersForImport", &self.request.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::GetParametersForImport)?;
        let (algorithm, spec) = (self.request.wrapping_algorithm, self.request.wrapping_key_spec);
        let spec = require_wrappable(key.key.body.spec, algorithm, spec)?;
        let core = decision.core;
        let pair = self.wrapping_key.get_or_try_init(|| generate_key(core, spec));
        let wrapping_key = pair.await?;
        let public_key = wrapping_key.public_key_der();
        let token = ImportToken {
            algorithm,
            spec,
            valid_to: decision.now.plus_micros(VALID_MICROS),
        };
        let import_token = token
            .seal(
                &core.rows.store_key,
                &*core.random,
                &key.key,
                wrapping_key.stored_bytes(),
            )
            .map_err(|_| ServiceError::Internal("the import token can't be sealed"))?;
        decision.response = members([
            ("keyId", key.key.arn.as_str().into()),
            ("parametersValidTo", token.valid_to.to_string().into()),
        ]);
        Ok(GetParametersForImportResponse {
            key_arn: key.key.arn.clone(),
            import_token,
            public_key: public_key
                .ok_or(ServiceError::Internal("an RSA key without a public half"))?
                .to_vec(),
            valid_to: token.valid_to,
        })
    }
}

/// Requires that material of `spec` can be wrapped so, and gives the spec of the pair. The words of these refusals are not confirmed.
fn require_wrappable(
    spec: KeySpec,
    algorithm: WrappingAlgorithm,
    wrapping_key: WrappingKeySpec,
) -> Result<KeySpec, ServiceError> {
    use WrappingAlgorithm as A;
    let direct = match algorithm {
        A::RsaesOaepSha1 | A::RsaesOaepSha256 => true,
        A::RsaAesKeyWrapSha1 | A::RsaAesKeyWrapSha256 => false,
        A::RsaesPkcs1V15 | A::Sm2Pke => {
            return Err(ServiceError::Unsupported(format!(
                "The wrapping algorithm {algorithm} is not supported."
            )));
        }
    };
    let pair = match wrapping_key {
        WrappingKeySpec::Rsa2048 => KeySpec::Rsa2048,
        WrappingKeySpec::Rsa3072 => KeySpec::Rsa3072,
        WrappingKeySpec::Rsa4096 => KeySpec::Rsa4096,
        WrappingKeySpec::Sm2 => {
            return Err(ServiceError::Unsupported(format!(
                "The wrapping key spec {wrapping_key} is not supported."
            )));
        }
    };
    // "To import an RSA private key, you must use an RSA_AES wrapping algorithm." "You cannot use an RSA_2048 public key to directly wrap
    // an ECC_NIST_P521 private key."
    let too_long = match spec {
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => true,
        KeySpec::EccNistP521 => wrapping_key == WrappingKeySpec::Rsa2048,
        _ => false,
    };
    if direct && too_long {
        return Err(ServiceError::Unsupported(format!(
            "The wrapping algorithm {algorithm} with the wrapping key spec {wrapping_key} is not supported for key spec {spec}."
        )));
    }
    Ok(pair)
}
