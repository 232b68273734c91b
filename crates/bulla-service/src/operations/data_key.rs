//! What GenerateDataKey and GenerateDataKeyWithoutPlaintext have in common.

use bulla_crypto::{Context, SecretBytes};
use bulla_model::{DataKeySpec, KeyArn, KeySpec, MaterialId, Operation as Asked};

use crate::authorised::{Authorised, KeyForms};
use crate::decision::Decision;
use crate::runner::Operation;
use crate::{ServiceError, limits};

pub(crate) struct DataKeyRequest<'a> {
    pub(crate) operation: &'static str,
    pub(crate) asked: Asked,
    pub(crate) key_id: &'a str,
    pub(crate) encryption_context: &'a Context,
    pub(crate) key_spec: Option<DataKeySpec>,
    pub(crate) number_of_bytes: Option<u32>,
    pub(crate) dry_run: bool,
}

pub(crate) struct MadeDataKey {
    pub(crate) key_arn: KeyArn,
    pub(crate) plaintext: SecretBytes,
    pub(crate) ciphertext_blob: Vec<u8>,
    pub(crate) key_material_id: MaterialId,
}

/// Data keys are encrypted under symmetric keys only.
pub(crate) fn require_symmetric<O: Operation>(key: &Authorised<O>) -> Result<(), ServiceError> {
    if key.key.body.spec == KeySpec::SymmetricDefault {
        return Ok(());
    }
    Err(ServiceError::InvalidKeyUsage(
        "You cannot generate a data key with an asymmetric CMK".to_owned(),
    ))
}

impl DataKeyRequest<'_> {
    pub(crate) async fn generate<O: Operation>(
        &self,
        decision: &mut Decision<'_>,
    ) -> Result<MadeDataKey, ServiceError> {
        if let Some(bytes) = self.number_of_bytes {
            limits::range("numberOfBytes", bytes, 1, 1024)?;
        }
        let action = format!("kms:{}", self.operation);
        let key = decision.authorise_key::<O>(&action, self.key_id, KeyForms::All).await?;
        let length = match (self.key_spec, self.number_of_bytes) {
            (Some(spec), None) => spec.size_bytes(),
            (None, Some(bytes)) => bytes as usize,
            _ => {
                return Err(ServiceError::Validation(
                    "Please specify either number of bytes or key spec.".to_owned(),
                ));
            }
        };
        key.require_encryption(self.operation)?;
        key.require_state(self.asked)?;
        require_symmetric(&key)?;
        let material = key.current_material(decision).await?;
        let plaintext = decision.core.draw_secret(length)?;
        let ciphertext_blob = material.encrypt(decision, self.encryption_context, plaintext.expose_secret())?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(MadeDataKey {
            key_arn: key.key.arn.clone(),
            plaintext,
            ciphertext_blob,
            key_material_id: material.id(),
        })
    }
}
