//! Signing keys in files of this machine.

use std::path::Path;

use bulla_kms::KeySpec;
use bulla_kms_local::SigningKeyFile;
use serde_json::json;

use super::public_key;
use crate::node::system_random;
use crate::output::{self, Format};
use crate::{process, roots};

/// Makes a signing key in a new file, and prints how it is named.
pub(super) fn create(path: &Path, spec: KeySpec, format: Format) -> Result<(), anyhow::Error> {
    let random = system_random();
    let made = SigningKeyFile::create(path, spec, &random).map_err(roots::explain_signing)?;
    let uri = roots::local_uri(path)?;
    match format {
        Format::Json => output::json(&json!({
            "KeyId": format!("local:{}", made.id()), "KeyUri": uri, "KeySpec": spec.as_str(), "KeyUsage": "SIGN_VERIFY",
        })),
        Format::Text => output::bytes(format!("key id       local:{}\nuri          {uri}\n", made.id()).as_bytes()),
    }
}

/// Prints the public half of the signing key in a file.
pub(super) fn print_public_key(path: &str, format: Format) -> Result<(), anyhow::Error> {
    let path = std::path::absolute(path.strip_prefix("local://").unwrap_or(path))?;
    let provider = roots::open_signing_file(&path, &system_random())?;
    let name = path.to_string_lossy().into_owned();
    process::runtime(Some(1))?.block_on(async { public_key::carry_out(&provider, &name, format).await })?
}
