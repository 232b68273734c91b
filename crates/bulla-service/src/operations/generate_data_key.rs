use bulla_crypto::{Context, SecretBytes};
use bulla_model::{DataKeySpec, KeyArn, MaterialId};

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
    /// Grant tokens; nothing grants yet, so they decide nothing.
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
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
