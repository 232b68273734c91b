use std::path::PathBuf;
use std::str::FromStr;

use bulla_kms::{Signer, SignerSettings, SigningAlgorithm};
use clap::Args;

use crate::failure::{CommandResult, Outcome};
use crate::node::system_random;
use crate::settings::{Environment, Flags, Settings};
use crate::signature::{self, MAX_MESSAGE_BYTES, SignatureFormat};
use crate::{process, roots, streams};

/// Signs a message from stdin or a file, at most 1 GiB; it is hashed here.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// Key URI: aws-kms:///alias/signer, aws-kms://arn:…, local:///path/to/signing.key
    #[arg(long, value_name = "URI")]
    key: String,
    /// How to sign, as ECDSA_SHA_256; default: what is recommended for the key's spec
    #[arg(long, value_name = "ALGORITHM", value_parser = SigningAlgorithm::from_str)]
    algorithm: Option<SigningAlgorithm>,
    /// Where AWS KMS is; default: $AWS_ENDPOINT_URL, else AWS's own
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Reads the message from this file instead of stdin
    #[arg(long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
    /// Writes the signature to this file (0600, whole or not at all) instead of stdout
    #[arg(long = "out", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Form of the signature
    #[arg(long, value_enum, default_value_t)]
    output: SignatureFormat,
}

impl Sign {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let settings = Settings::load(environment, None, &Flags::default())?;
        let region = settings.client.region.as_deref();
        process::runtime(Some(1))?.block_on(async {
            let key = roots::open_signing(&self.key, self.endpoint.as_deref(), region, &system_random()).await?;
            let message = streams::read(self.input.as_deref(), MAX_MESSAGE_BYTES, "the most that is signed")?;
            let signer = Signer::new(key.provider, SignerSettings::default());
            let signed = signer.sign(&key.name, self.algorithm, &message).await;
            let signed = signed.map_err(|error| signature::explain(error, "the message was not signed"))?;
            streams::write(self.file.as_deref(), &self.output.write(&signed)?)?;
            Ok(Outcome::Done)
        })
    }
}
