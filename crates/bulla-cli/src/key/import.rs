use std::path::PathBuf;

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::{Blob, DateTime, DateTimeFormat};
use aws_sdk_kms::types::{
    AlgorithmSpec, ExpirationModelType, ImportType, KeyMetadata, OriginType, WrappingKeySpec as AwsWrappingKeySpec,
};
use bulla_crypto::keys::{PublicKey, UseError, WrappingAlgorithm, wrap_for_import};
use bulla_crypto::{DATA_KEY_BYTES, SystemRandom};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::Common;
use super::service::{explain, no_answer};
use crate::failure::Explained;
use crate::output::{self, Format};
use crate::streams;

/// More than a private RSA key of 4,096 bits takes, as PKCS#8.
const MAX_MATERIAL_BYTES: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Key id or key ARN of a key that was made with --external
    key: String,
    /// The material: 32 bytes for SYMMETRIC_DEFAULT, the key itself for HMAC, PKCS#8 (DER) for key pairs; - is stdin
    #[arg(long, value_name = "FILE")]
    material: PathBuf,
    /// When the service deletes it, as in 2027-01-31T00:00:00Z, within a year; default: never
    #[arg(long, value_name = "TIME", value_parser = time)]
    valid_to: Option<DateTime>,
    /// It is new material, for the next rotation on demand; default: what the key had before, or its first
    #[arg(long)]
    new_material: bool,
    /// What people read of it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How it is wrapped on its way
    #[arg(long, value_enum, default_value_t)]
    wrapping: Wrapping,
    /// Under which kind of key
    #[arg(long, value_enum, default_value_t)]
    wrapping_key: WrappingKey,
    #[command(flatten)]
    pub(super) common: Common,
}

/// AWS's ways to wrap material for an import, but for the one that it has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Wrapping {
    /// An AES key with OAEP and SHA-256, the material under that; for material of any length
    #[default]
    #[value(name = "RSA_AES_KEY_WRAP_SHA_256")]
    RsaAesKeyWrapSha256,
    /// The same with SHA-1
    #[value(name = "RSA_AES_KEY_WRAP_SHA_1")]
    RsaAesKeyWrapSha1,
    /// The material itself with OAEP and SHA-256
    #[value(name = "RSAES_OAEP_SHA_256")]
    RsaesOaepSha256,
    /// The same with SHA-1
    #[value(name = "RSAES_OAEP_SHA_1")]
    RsaesOaepSha1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum WrappingKey {
    #[value(name = "RSA_2048")]
    Rsa2048,
    #[default]
    #[value(name = "RSA_3072")]
    Rsa3072,
    #[value(name = "RSA_4096")]
    Rsa4096,
}

impl Import {
    pub(super) async fn carry_out(&self, client: &Client, place: &str) -> Result<(), anyhow::Error> {
        let input = (self.material.as_os_str() != "-").then_some(self.material.as_path());
        let material = streams::read(input, MAX_MATERIAL_BYTES, "and no key is")?;
        let described = client.describe_key().key_id(&self.key).send().await;
        let described = described.map_err(|error| explain(error, place))?;
        let metadata = described.key_metadata().ok_or_else(no_answer)?;
        check(metadata, &material)?;
        let arn = metadata.arn().ok_or_else(no_answer)?;

        let parameters = client
            .get_parameters_for_import()
            .key_id(arn)
            .wrapping_algorithm(self.wrapping.aws())
            .wrapping_key_spec(self.wrapping_key.aws())
            .send()
            .await
            .map_err(|error| explain(error, place))?;
        let public_key = parameters.public_key().ok_or_else(no_answer)?;
        let public_key = PublicKey::from_spki_der(public_key.as_ref())
            .map_err(|error| anyhow::Error::new(error).context(no_answer()))?;
        let wrapped = wrap_for_import(&public_key, self.wrapping.library(), &SystemRandom, &material);
        let wrapped = wrapped.map_err(explain_wrapping)?;

        let expiration = match self.valid_to {
            Some(_) => ExpirationModelType::KeyMaterialExpires,
            None => ExpirationModelType::KeyMaterialDoesNotExpire,
        };
        let imported = client
            .import_key_material()
            .key_id(arn)
            .set_import_token(parameters.import_token().cloned())
            .encrypted_key_material(Blob::new(wrapped))
            .set_valid_to(self.valid_to)
            .expiration_model(expiration)
            .set_import_type(self.new_material.then_some(ImportType::NewKeyMaterial))
            .set_key_material_description(self.description.clone())
            .send()
            .await
            .map_err(|error| explain(error, place))?;
        match self.common.output {
            Format::Json => output::json(&json!({ "Arn": arn, "KeyMaterialId": imported.key_material_id() })),
            Format::Text => {
                let id = imported.key_material_id().map(|id| format!("key material {id}\n"));
                output::bytes(format!("arn          {arn}\n{}", id.unwrap_or_default()).as_bytes())
            }
        }
    }
}

/// Refuses what can't be, before the material is wrapped for anybody.
fn check(metadata: &KeyMetadata, material: &[u8]) -> Result<(), Explained> {
    if metadata.origin() != Some(&OriginType::External) {
        let what = "the key has material that the service made, and takes no other";
        return Err(Explained::misuse(what).hint("make one for imported material with bulla key create --external"));
    }
    let symmetric = metadata
        .key_spec()
        .is_none_or(|spec| spec.as_str() == "SYMMETRIC_DEFAULT");
    if symmetric && material.len() != DATA_KEY_BYTES {
        return Err(Explained::misuse(format!(
            "the material of a symmetric key is {DATA_KEY_BYTES} bytes, and these are {}",
            material.len()
        )));
    }
    if material.is_empty() {
        return Err(Explained::misuse("the material is empty"));
    }
    Ok(())
}

fn explain_wrapping(error: UseError) -> anyhow::Error {
    let explained = match error {
        UseError::TooLong { max } => Explained::misuse(format!("OAEP alone wraps at most {max} bytes under this key"))
            .hint("wrap the material with --wrapping RSA_AES_KEY_WRAP_SHA_256"),
        _ => Explained::new("the material can't be wrapped"),
    };
    anyhow::Error::new(error).context(explained)
}

fn time(text: &str) -> Result<DateTime, String> {
    DateTime::from_str(text, DateTimeFormat::DateTime).map_err(|_| "write a time as in 2027-01-31T00:00:00Z".to_owned())
}

impl Wrapping {
    fn aws(self) -> AlgorithmSpec {
        match self {
            Self::RsaAesKeyWrapSha256 => AlgorithmSpec::RsaAesKeyWrapSha256,
            Self::RsaAesKeyWrapSha1 => AlgorithmSpec::RsaAesKeyWrapSha1,
            Self::RsaesOaepSha256 => AlgorithmSpec::RsaesOaepSha256,
            Self::RsaesOaepSha1 => AlgorithmSpec::RsaesOaepSha1,
        }
    }

    fn library(self) -> WrappingAlgorithm {
        match self {
            Self::RsaAesKeyWrapSha256 => WrappingAlgorithm::RsaAesKeyWrapSha256,
            Self::RsaAesKeyWrapSha1 => WrappingAlgorithm::RsaAesKeyWrapSha1,
            Self::RsaesOaepSha256 => WrappingAlgorithm::RsaesOaepSha256,
            Self::RsaesOaepSha1 => WrappingAlgorithm::RsaesOaepSha1,
        }
    }
}

impl WrappingKey {
    fn aws(self) -> AwsWrappingKeySpec {
        match self {
            Self::Rsa2048 => AwsWrappingKeySpec::Rsa2048,
            Self::Rsa3072 => AwsWrappingKeySpec::Rsa3072,
            Self::Rsa4096 => AwsWrappingKeySpec::Rsa4096,
        }
    }
}
