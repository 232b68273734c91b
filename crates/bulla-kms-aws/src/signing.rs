use aws_sdk_kms::operation::describe_key::DescribeKeyOutput;
use aws_sdk_kms::operation::get_public_key::{GetPublicKeyError, GetPublicKeyOutput};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyUsageType, MessageType, SigningAlgorithmSpec};
use bulla_kms::KmsErrorKind::{Invalid, Unavailable, WrongContext};
use bulla_kms::{KmsError, PublicKeyDescription, Signed, SigningAlgorithm, SigningInput, SigningLimits, Verification};

use crate::AwsProvider;
use crate::provider::resolved;
use crate::regions::RegionClient;

/// What `Sign` and `Verify` take undigested: the limit of `Message`.
pub(crate) const LIMITS: SigningLimits = SigningLimits {
    max_message_bytes: 4096,
};

const MAX_SIGNATURE_BYTES: usize = 6144;
const MAX_PUBLIC_KEY_BYTES: usize = 8192;

impl AwsProvider {
    pub(crate) async fn sign_there(
        &self,
        key: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
    ) -> Result<Signed, KmsError> {
        check(algorithm, input).map_err(|reason| KmsError::new(Invalid, "sign", key).with_source(reason))?;
        let call = |region: &RegionClient, key_id: String| {
            let (message, message_type) = message(algorithm, input);
            let request = region
                .client
                .sign()
                .key_id(key_id)
                .message(message)
                .message_type(message_type)
                .signing_algorithm(SigningAlgorithmSpec::from(algorithm.as_str()));
            async move {
                let answer = request.send().await?;
                Ok((answer.signature, answer.key_id))
            }
        };
        let (signature, arn) = self.in_regions("sign", key, call).await?;
        let signature = signature.map(Blob::into_inner).unwrap_or_default();
        if signature.is_empty() || signature.len() > MAX_SIGNATURE_BYTES {
            let size = format!("a signature of {} bytes was answered", signature.len());
            return Err(KmsError::new(Unavailable, "sign", key).with_source(size));
        }
        Ok(Signed {
            signature,
            key_id: resolved(&arn),
            algorithm,
        })
    }

    pub(crate) async fn verify_there(
        &self,
        key: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
        signature: &[u8],
    ) -> Result<Verification, KmsError> {
        check(algorithm, input).map_err(|reason| KmsError::new(Invalid, "verify", key).with_source(reason))?;
        if signature.is_empty() || signature.len() > MAX_SIGNATURE_BYTES {
            return Ok(Verification::Invalid);
        }
        let call = |region: &RegionClient, key_id: String| {
            let (message, message_type) = message(algorithm, input);
            let request = region
                .client
                .verify()
                .key_id(key_id)
                .message(message)
                .message_type(message_type)
                .signature(Blob::new(signature))
                .signing_algorithm(SigningAlgorithmSpec::from(algorithm.as_str()));
            async move {
                let answer = request.send().await?;
                Ok((answer.signature_valid, answer.key_id))
            }
        };
        // AWS says a signature that does not verify as an error, KMSInvalidSignatureException; an emulator, as `false`.
        match self.in_regions("verify", key, call).await {
            Ok((true, _)) => Ok(Verification::Valid),
            Ok((false, _)) => Ok(Verification::Invalid),
            Err(error) if error.kind == WrongContext => Ok(Verification::Invalid),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn public_key_there(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        const OPERATION: &str = "public key";
        let call = |region: &RegionClient, key_id: String| {
            let client = region.client.clone();
            async move {
                let mut answer = client.get_public_key().key_id(&key_id).send().await?;
                if answer.key_id().is_some_and(|id| !id.starts_with("arn:")) {
                    // An emulator that answers the id alone, where AWS answers the ARN.
                    let told = client.describe_key().key_id(key_id).send().await.map_err(|error| {
                        error.map_service_error(|refusal| GetPublicKeyError::generic(refusal.meta().clone()))
                    })?;
                    let DescribeKeyOutput { key_metadata, .. } = told;
                    answer.key_id = key_metadata.and_then(|metadata| metadata.arn);
                }
                let arn = answer.key_id.clone();
                Ok((answer, arn))
            }
        };
        let (answer, arn) = self.in_regions(OPERATION, key, call).await?;
        describe(answer, &arn).map_err(|what| KmsError::new(Unavailable, OPERATION, key).with_source(what))
    }
}

/// Checks what can be checked of algorithm and input without the key.
fn check(algorithm: SigningAlgorithm, input: SigningInput<'_>) -> Result<(), String> {
    match input {
        SigningInput::Message([]) => Err("AWS KMS signs no empty message undigested".to_owned()),
        input => algorithm.check_input(input, LIMITS),
    }
}

fn message(algorithm: SigningAlgorithm, input: SigningInput<'_>) -> (Blob, MessageType) {
    match (input, algorithm) {
        (SigningInput::Message(message), _) => (Blob::new(message), MessageType::Raw),
        (SigningInput::Digest(mu), SigningAlgorithm::MlDsaShake256) => (Blob::new(mu), MessageType::ExternalMu),
        (SigningInput::Digest(digest), _) => (Blob::new(digest), MessageType::Digest),
    }
}

fn describe(answer: GetPublicKeyOutput, arn: &str) -> Result<PublicKeyDescription, String> {
    // The older name of the member is all that an emulator may answer.
    #[expect(deprecated, reason = "moto answers CustomerMasterKeySpec alone")]
    let older = answer.customer_master_key_spec.as_ref().map(|spec| spec.as_str());
    let spec = answer.key_spec.as_ref().map(|spec| spec.as_str()).or(older);
    let spec = spec.unwrap_or_default().parse().map_err(|error| format!("{error}"))?;
    let usage = answer.key_usage.as_ref().map_or("", KeyUsageType::as_str);
    let usage = usage.parse().map_err(|error| format!("{error}"))?;
    let algorithms = answer.signing_algorithms.unwrap_or_default();
    let spki_der = answer.public_key.map(Blob::into_inner).unwrap_or_default();
    if spki_der.is_empty() || spki_der.len() > MAX_PUBLIC_KEY_BYTES {
        return Err(format!("a public key of {} bytes was answered", spki_der.len()));
    }
    Ok(PublicKeyDescription {
        key: resolved(arn),
        spec,
        usage,
        // One that this program does not know is one that it does not use.
        algorithms: algorithms
            .iter()
            .filter_map(|algorithm| algorithm.as_str().parse().ok())
            .collect(),
        spki_der,
    })
}
