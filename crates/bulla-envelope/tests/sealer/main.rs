//! The rules of `bulla-envelope`, one test each, over a provider that fails as it is told to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access_log;
mod current_keys;
mod foreign_keys;
mod invalidation;
mod key_rings;
mod nonces;
mod outages;
mod polling;
mod records;
mod unwrapped_keys;

use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::{Context, SystemRandom};
use bulla_envelope::{AccessRecord, Sealer, SealerBuilder, Settings};
use bulla_testkit::FaultyProvider;

const BINDING: &[u8] = b"row-1";

/// Begins a Sealer under `alias/app` that records nothing.
fn builder(provider: &Arc<FaultyProvider>) -> SealerBuilder {
    builder_under(provider, "alias/app")
}

fn builder_under(provider: &Arc<FaultyProvider>, key: &str) -> SealerBuilder {
    Sealer::builder(
        Arc::clone(provider) as _,
        key,
        AccessRecord::Unrecorded,
        Arc::new(SystemRandom),
    )
}

fn sealer(provider: &Arc<FaultyProvider>, settings: Settings) -> Sealer {
    builder(provider).settings(settings).build().unwrap()
}

fn context(tenant: &str) -> Context {
    Context::from_caller_pairs([("tenant", tenant)]).unwrap()
}

async fn seal(sealer: &Sealer, tenant: &str) -> Vec<u8> {
    sealer.seal(&context(tenant), BINDING, b"value").await.unwrap()
}

async fn opens(sealer: &Sealer, record: &[u8], tenant: &str) -> bool {
    match sealer.open(record, &context(tenant), BINDING).await {
        Ok(plaintext) => plaintext.expose_secret() == b"value",
        Err(_) => false,
    }
}

/// Lets every task run until all of them wait; time stands still meanwhile.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Moves paused time, in steps, and lets the tasks in the background follow.
async fn pass(time: Duration) {
    for _ in 0..20 {
        tokio::time::advance(time / 20).await;
        settle().await;
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
