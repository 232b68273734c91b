//! What `seal` and `open` share: key, context, binding, input and output.

use std::path::PathBuf;

use bulla_crypto::Context;
use bulla_envelope::{AccessRecord, KeyPattern, KeyRing, Sealer};
use clap::Args;
use zeroize::Zeroizing;

use crate::failure::Explained;
use crate::node::system_random;
use crate::settings::Settings;
use crate::{roots, streams};

/// Under which key, bound to what, from where and where to.
#[derive(Debug, Args)]
pub(crate) struct Sealing {
    /// Key URI: aws-kms:///alias/app, aws-kms://arn:…, local:///path/to/root.key
    #[arg(long, value_name = "URI")]
    key: String,
    /// What the value is; the same pairs open it. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    /// Where the value lives, as a row's primary key; the same text opens it
    #[arg(long, value_name = "TEXT", default_value = "")]
    binding: String,
    /// Where AWS KMS is; default: $AWS_ENDPOINT_URL, else AWS's own
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Reads this file instead of stdin
    #[arg(long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
    /// Writes this file (0600, whole or not at all) instead of stdout
    #[arg(long = "out", value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Sealing {
    /// Builds the Sealer, in the settings' region; `accept` are further keys whose records it opens.
    pub(crate) async fn sealer(&self, settings: &Settings, accept: &[String]) -> Result<Sealer, anyhow::Error> {
        let mut ring = KeyRing::same_account();
        for pattern in accept {
            let pattern =
                KeyPattern::new(pattern).map_err(|error| Explained::misuse(format!("--accept {pattern}: {error}")))?;
            ring = ring.accept(pattern);
        }
        let random = system_random();
        let key = roots::open(
            &self.key,
            self.endpoint.as_deref(),
            settings.client.region.as_deref(),
            &random,
        )
        .await?;
        roots::check_wraps(&key, &self.key).await?;
        // One value and the process ends; what the key service does is in its own log.
        let builder = Sealer::builder(key.provider, key.name, AccessRecord::Unrecorded, random);
        Ok(builder.key_ring(ring).build()?)
    }

    pub(crate) fn context(&self) -> Result<Context, anyhow::Error> {
        let pairs = self.context.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Context::from_caller_pairs(pairs).map_err(|error| Explained::misuse(format!("--context: {error}")).into())
    }

    pub(crate) fn binding(&self) -> &[u8] {
        self.binding.as_bytes()
    }

    /// Reads all input.
    ///
    /// # Errors
    /// It can't be read, or is longer than `limit` bytes.
    pub(crate) fn read(&self, limit: usize) -> Result<Zeroizing<Vec<u8>>, anyhow::Error> {
        streams::read(self.input.as_deref(), limit, "the most that one record holds")
    }

    /// Writes all output, or nothing of it.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), anyhow::Error> {
        streams::write(self.output.as_deref(), bytes)
    }
}

/// Reads `key=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write a pair as key=value".to_owned()),
    }
}
