//! What `seal` and `open` share: key, context, binding, input and output.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bulla_crypto::Context;
use bulla_envelope::{AccessRecord, KeyPattern, KeyRing, Sealer};
use clap::Args;
use zeroize::Zeroizing;

use crate::failure::Explained;
use crate::node::system_random;
use crate::roots;

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
    /// Builds the Sealer; `accept` are further keys whose records it opens.
    pub(crate) async fn sealer(&self, accept: &[String]) -> Result<Sealer, anyhow::Error> {
        let mut ring = KeyRing::same_account();
        for pattern in accept {
            let pattern =
                KeyPattern::new(pattern).map_err(|error| Explained::misuse(format!("--accept {pattern}: {error}")))?;
            ring = ring.accept(pattern);
        }
        let random = system_random();
        let key = roots::open(&self.key, self.endpoint.as_deref(), &random).await?;
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
        let (mut source, name): (Box<dyn Read>, String) = match &self.input {
            Some(path) => {
                let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
                (Box::new(file), path.display().to_string())
            }
            None => (Box::new(io::stdin().lock()), "stdin".to_owned()),
        };
        // One buffer that never grows leaves no copies behind; a small one first, as most values are small.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        loop {
            let room = bytes.capacity() - bytes.len();
            let read = source
                .by_ref()
                .take(room as u64)
                .read_to_end(&mut bytes)
                .with_context(|| format!("reading {name}"))?;
            if read < room {
                break;
            }
            if bytes.len() > limit {
                let what = format!(
                    "{name} is longer than {} MiB, the most that one record holds",
                    limit >> 20
                );
                return Err(Explained::new(what).hint("split the file").into());
            }
            let mut larger = Zeroizing::new(Vec::with_capacity(
                (bytes.capacity() * 4).min(limit.max(bytes.capacity()) + 1),
            ));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        if bytes.len() > limit {
            let what = format!(
                "{name} is longer than {} MiB, the most that one record holds",
                limit >> 20
            );
            return Err(Explained::new(what).hint("split the file").into());
        }
        Ok(bytes)
    }

    /// Writes all output, or nothing of it.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), anyhow::Error> {
        match &self.output {
            None => crate::output::bytes(bytes),
            Some(path) => write_whole(path, bytes).with_context(|| format!("writing {}", path.display())),
        }
    }
}

/// Writes beside the file, then renames: a crash leaves the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), io::Error> {
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write a pair as key=value".to_owned()),
    }
}
