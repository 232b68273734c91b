use bulla_crypto::Context;
use bulla_model::{DataKeySpec, KeyArn, MaterialId};

use crate::{Call, Service, ServiceError};

/// What `GenerateDataKeyWithoutPlaintext` is asked.
#[derive(Debug, Clone)]
pub struct GenerateDataKeyWithoutPlaintextRequest {
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

/// What `GenerateDataKeyWithoutPlaintext` answers.
#[derive(Debug, Clone)]
pub struct GenerateDataKeyWithoutPlaintextResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// The data key, encrypted.
    pub ciphertext_blob: Vec<u8>,
    /// The version of its material.
    pub key_material_id: MaterialId,
}

impl Service {
    /// Makes a data key, encrypted only.
    ///
    /// # Errors
    /// As `Encrypt`.
    pub async fn generate_data_key_without_plaintext(
        &self,
        call: &Call,
        request: GenerateDataKeyWithoutPlaintextRequest,
    ) -> Result<GenerateDataKeyWithoutPlaintextResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
