use bulla_crypto::{Context, SecretBytes};
use bulla_model::{DataKeyPairSpec, KeyArn, MaterialId, Operation as Asked};
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{context_value, members, shown};
use crate::operations::data_key_pair::DataKeyPairRequest;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GenerateDataKeyPair` is asked.
#[derive(Debug, Clone)]
pub struct GenerateDataKeyPairRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// Non-secret pairs that bind the encrypted private key.
    pub encryption_context: Context,
    /// What kind of key pair to make.
    pub key_pair_spec: DataKeyPairSpec,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `GenerateDataKeyPair` answers.
#[derive(Debug)]
pub struct GenerateDataKeyPairResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// The private key, DER PKCS#8, encrypted.
    pub private_key_ciphertext_blob: Vec<u8>,
    /// The private key, DER PKCS#8.
    pub private_key_plaintext: SecretBytes,
    /// DER `SubjectPublicKeyInfo`.
    pub public_key: Vec<u8>,
    /// What kind of key pair it is.
    pub key_pair_spec: DataKeyPairSpec,
    /// The version of the key's material.
    pub key_material_id: MaterialId,
}

impl Service {
    /// Makes a key pair for use elsewhere, its private half in the clear and encrypted.
    ///
    /// # Errors
    /// `NotFound`, `Disabled`, `InvalidState`, `InvalidKeyUsage`, `Validation`, `AccessDenied`, `DryRun`.
    pub async fn generate_data_key_pair(
        &self,
        call: &Call,
        request: GenerateDataKeyPairRequest,
    ) -> Result<GenerateDataKeyPairResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GenerateDataKeyPairRequest {
    type Response = GenerateDataKeyPairResponse;

    const EVENT: EventKind = EventKind {
        name: "GenerateDataKeyPair",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("keyPairSpec", self.key_pair_spec.as_str().into()),
            ("encryptionContext", context_value(&self.encryption_context)),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let wanted = DataKeyPairRequest {
            action: "kms:GenerateDataKeyPair",
            asked: Asked::GenerateDataKeyPair,
            key_id: &self.key_id,
            encryption_context: &self.encryption_context,
            key_pair_spec: self.key_pair_spec,
            dry_run: self.dry_run,
        };
        let made = wanted.generate::<Self>(decision).await?;
        Ok(GenerateDataKeyPairResponse {
            key_arn: made.key_arn,
            private_key_ciphertext_blob: made.private_key_ciphertext_blob,
            private_key_plaintext: made.private_key,
            public_key: made.public_key,
            key_pair_spec: self.key_pair_spec,
            key_material_id: made.key_material_id,
        })
    }
}
