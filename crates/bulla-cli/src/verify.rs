use std::path::PathBuf;
use std::str::FromStr;

use bulla_kms::{Signer, SignerSettings, SigningAlgorithm, Verification};
use clap::Args;
use serde_json::json;

use crate::failure::{CommandResult, Explained, Outcome};
use crate::node::system_random;
use crate::output::{self, Format};
use crate::settings::{Environment, Flags, Settings};
use crate::signature::{self, MAX_MESSAGE_BYTES};
use crate::{process, roots, streams};

/// Tells whether a signature is a key's over the message from stdin or a file: exit code 0 where it is, 1 where it is not.
///
/// The key is asked for its public half only. That it can't be had is an error, with exit code 1 too, and says nothing of the signature.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Key URI: aws-kms:///alias/signer, aws-kms://arn:…, local:///path/to/signing.key
    #[arg(long, value_name = "URI")]
    key: String,
    /// The signature, in any form that bulla sign writes
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    /// How it was signed; default: what the signature's JSON says, else what is recommended for the key's spec
    #[arg(long, value_name = "ALGORITHM", value_parser = SigningAlgorithm::from_str)]
    algorithm: Option<SigningAlgorithm>,
    /// Where AWS KMS is; default: $AWS_ENDPOINT_URL, else AWS's own
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Reads the message from this file instead of stdin
    #[arg(long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Verify {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let settings = Settings::load(environment, None, &Flags::default())?;
        let region = settings.client.region.as_deref();
        process::runtime(Some(1))?.block_on(async {
            let key = roots::open_signing(&self.key, self.endpoint.as_deref(), region, &system_random()).await?;
            let read = streams::read(Some(&self.signature), signature::MAX_FILE_BYTES, "and no signature is")?;
            let read = signature::read(&read)?;
            if let (Some(asked), Some(said)) = (self.algorithm, read.algorithm)
                && asked != said
            {
                let what = format!("the signature was made with {said}, and not with {asked}");
                return Err(Explained::misuse(what).into());
            }
            let message = streams::read(self.input.as_deref(), MAX_MESSAGE_BYTES, "the most that is signed")?;
            let signer = Signer::new(key.provider, SignerSettings::default());
            let algorithm = self.algorithm.or(read.algorithm);
            let verified = signer.verify(&key.name, algorithm, &message, &read.bytes).await;
            let verified = verified
                .map_err(|error| signature::explain(error, "it was not found out whether the signature is valid"))?;
            let valid = verified == Verification::Valid;
            match self.output {
                Format::Json => output::json(&json!({ "SignatureValid": valid, "Key": self.key }))?,
                Format::Text if valid => output::line("valid")?,
                Format::Text => output::line("invalid: the signature is not this key's over this message")?,
            }
            Ok(if valid { Outcome::Done } else { Outcome::Found })
        })
    }
}
