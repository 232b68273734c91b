//! What GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext have in common.

use bulla_crypto::{Context, SecretBytes};
use bulla_model::{DataKeyPairSpec, KeyArn, KeyUsage, MaterialId, Operation as Asked};

use crate::ServiceError;
use crate::authorised::KeyForms;
use crate::decision::Decision;
use crate::key_material::generate_key;
use crate::operations::data_key::require_symmetric;
use crate::runner::Operation;

pub(crate) struct DataKeyPairRequest<'a> {
    pub(crate) action: &'static str,
    pub(crate) asked: Asked,
    pub(crate) key_id: &'a str,
    pub(crate) encryption_context: &'a Context,
    pub(crate) key_pair_spec: DataKeyPairSpec,
    pub(crate) dry_run: bool,
}

pub(crate) struct MadeDataKeyPair {
    pub(crate) key_arn: KeyArn,
    pub(crate) private_key: SecretBytes,
    pub(crate) private_key_ciphertext_blob: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) key_material_id: MaterialId,
}

impl DataKeyPairRequest<'_> {
    pub(crate) async fn generate<O: Operation>(
        &self,
        decision: &mut Decision<'_>,
    ) -> Result<MadeDataKeyPair, ServiceError> {
        let key = decision
            .authorise_key::<O>(self.action, self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::EncryptDecrypt, self.asked.as_str())?;
        key.require_state(self.asked)?;
        require_symmetric(&key)?;
        if self.key_pair_spec == DataKeyPairSpec::Sm2 {
            // Not confirmed.
            return Err(ServiceError::Unsupported(
                "KeyPairSpec SM2 is not supported in this Region".to_owned(),
            ));
        }
        let material = key.current_material(decision).await?;
        if self.dry_run {
            // What is left can only succeed, and costs up to seconds.
            return Err(ServiceError::DryRun);
        }
        let pair = generate_key(decision.core, self.key_pair_spec.key_spec()).await?;
        let halves = pair.pkcs8_der().zip(pair.public_key_der());
        let (private_key, public_key) = halves.ok_or(ServiceError::Internal("a data key pair without two halves"))?;
        let private_key_ciphertext_blob =
            material.encrypt(decision, self.encryption_context, private_key.expose_secret())?;
        Ok(MadeDataKeyPair {
            key_arn: key.key.arn.clone(),
            private_key,
            private_key_ciphertext_blob,
            public_key: public_key.to_vec(),
            key_material_id: material.id(),
        })
    }
}
