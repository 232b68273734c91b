use bulla_crypto::{Context, SecretBytes};
use bulla_model::{DataKeySpec, KeyArn, MaterialId, Operation as Asked};
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{context_value, members, shown};
use crate::operations::data_key::DataKeyRequest;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GenerateDataKey` is asked.
#[derive(Debug, Clone)]
pub struct GenerateDataKeyRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// Non-secret pairs that bind the ciphertext.
    pub encryption_context: Context,
    /// Exactly one of this and `number_of_bytes`.
    pub key_spec: Option<DataKeySpec>,
    /// 1 to 1,024.
    pub number_of_bytes: Option<u32>,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `GenerateDataKey` answers.
#[derive(Debug)]
pub struct GenerateDataKeyResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// The data key.
    pub plaintext: SecretBytes,
    /// The data key, encrypted.
    pub ciphertext_blob: Vec<u8>,
    /// The version of its material.
    pub key_material_id: MaterialId,
}

impl Service {
    /// Makes a data key, in the clear and encrypted.
    ///
    /// # Errors
    /// As `Encrypt`.
    pub async fn generate_data_key(
        &self,
        call: &Call,
        request: GenerateDataKeyRequest,
    ) -> Result<GenerateDataKeyResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GenerateDataKeyRequest {
    type Response = GenerateDataKeyResponse;

    const EVENT: EventKind = EventKind {
        name: "GenerateDataKey",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            (
                "keySpec",
                self.key_spec.map_or(Value::Null, |spec| spec.as_str().into()),
            ),
            ("numberOfBytes", self.number_of_bytes.into()),
            ("encryptionContext", context_value(&self.encryption_context)),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let wanted = DataKeyRequest {
            operation: "GenerateDataKey",
            asked: Asked::GenerateDataKey,
            key_id: &self.key_id,
            encryption_context: &self.encryption_context,
            key_spec: self.key_spec,
            number_of_bytes: self.number_of_bytes,
            dry_run: self.dry_run,
        };
        let made = wanted.generate::<Self>(decision).await?;
        Ok(GenerateDataKeyResponse {
            key_arn: made.key_arn,
            plaintext: made.plaintext,
            ciphertext_blob: made.ciphertext_blob,
            key_material_id: made.key_material_id,
        })
    }
}
