//! `Signer` over keys in memory behind a provider that counts and fails as it is told.

mod batches;
mod emulators;
mod public_keys;
mod signatures;

use std::sync::Arc;

use bulla_kms::{KeySpec, Signer, SignerSettings};
use bulla_testkit::FaultyProvider;

const P256: &str = "p256";

fn provider() -> Arc<FaultyProvider> {
    let provider = FaultyProvider::in_memory();
    provider.add_signing_key(P256, KeySpec::EccNistP256);
    provider
}

fn signer(provider: &Arc<FaultyProvider>) -> Signer {
    Signer::new(Arc::clone(provider) as _, SignerSettings::default())
}
