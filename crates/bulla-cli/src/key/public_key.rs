use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_kms::{KeyProvider, KmsError, PublicKeyDescription};
use serde_json::json;

use crate::output::{self, Format};

/// Asks for the public half of a key and prints it; what is wrong with stdout is inside, what the provider refuses outside.
pub(super) async fn carry_out(
    provider: &dyn KeyProvider,
    key: &str,
    format: Format,
) -> Result<Result<(), anyhow::Error>, KmsError> {
    Ok(print(&provider.public_key(key).await?, format))
}

/// Prints a public key: PEM (RFC 7468) for people, AWS's members for programs.
fn print(public: &PublicKeyDescription, format: Format) -> Result<(), anyhow::Error> {
    let encoded = STANDARD.encode(&public.spki_der);
    if format == Format::Json {
        let algorithms: Vec<_> = public.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        return output::json(&json!({
            "KeyId": public.key,
            "KeySpec": public.spec.as_str(),
            "KeyUsage": public.usage.as_str(),
            "SigningAlgorithms": algorithms,
            "PublicKey": encoded,
        }));
    }
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in encoded.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    output::bytes(pem.as_bytes())
}
