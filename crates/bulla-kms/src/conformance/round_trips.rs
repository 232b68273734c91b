use std::collections::BTreeSet;
use std::sync::Arc;

use bulla_crypto::{DataKey, SystemRandom};
use tokio::task::JoinSet;

use super::{Broken, Fixture, context, ensure};

/// A generated data key unwraps to itself, any number of times.
pub async fn generate_then_unwrap_gives_the_same_key(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a"), ("purpose", "token")])?;
    let generated = provider.generate_data_key(&fixture.key(), &context).await?;
    ensure(!generated.wrapped.bytes.is_empty(), "nothing was wrapped")?;
    ensure(
        generated.wrapped.bytes.len() <= 6144,
        "the wrapped key is longer than 6,144 bytes",
    )?;
    for _ in 0..2 {
        let unwrapped = provider
            .unwrap(&fixture.key(), &generated.wrapped.bytes, &context)
            .await?;
        ensure(
            unwrapped.expose_secret() == generated.data_key.expose_secret(),
            "what was unwrapped is not what was generated",
        )?;
    }
    Ok(())
}

/// A caller's data key unwraps to itself, and is not in the wrapped bytes.
pub async fn wrap_then_unwrap_gives_the_same_key(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let data_key = random_data_key()?;
    let wrapped = provider.wrap(&fixture.key(), &data_key, &context).await?;
    ensure(
        wrapped.bytes.len() <= 6144,
        "the wrapped key is longer than 6,144 bytes",
    )?;
    let secret = data_key.expose_secret();
    ensure(
        !wrapped.bytes.windows(8).any(|w| secret.windows(8).any(|s| s == w)),
        "the wrapped bytes show the key",
    )?;
    let unwrapped = provider.unwrap(&fixture.key(), &wrapped.bytes, &context).await?;
    ensure(
        unwrapped.expose_secret() == secret,
        "what was unwrapped is not what was wrapped",
    )
}

/// No two generated keys are equal.
pub async fn fresh_data_keys_differ(fixture: &impl Fixture) -> Result<(), Broken> {
    let context = context(&[("tenant", "a")])?;
    let mut seen = BTreeSet::new();
    for _ in 0..16 {
        let generated = fixture.provider().generate_data_key(&fixture.key(), &context).await?;
        ensure(
            generated.data_key.expose_secret() != &[0; 32],
            "a generated key is all zeros",
        )?;
        ensure(
            seen.insert(*generated.data_key.expose_secret()),
            "two generated keys are equal",
        )?;
    }
    Ok(())
}

/// Wrapping one key twice gives different bytes: the wrapping is randomised.
pub async fn wrapping_twice_differs(fixture: &impl Fixture) -> Result<(), Broken> {
    let context = context(&[])?;
    let data_key = random_data_key()?;
    let one = fixture.provider().wrap(&fixture.key(), &data_key, &context).await?;
    let two = fixture.provider().wrap(&fixture.key(), &data_key, &context).await?;
    ensure(one.bytes != two.bytes, "one key wrapped twice gives the same bytes")
}

/// Calls that run at once, under one key and many contexts, each get their own answer.
pub async fn two_hundred_calls_at_once_do_not_mix(fixture: &impl Fixture) -> Result<(), Broken> {
    let mut calls = JoinSet::new();
    for i in 0..200 {
        let (provider, key) = (fixture.provider(), fixture.key());
        calls.spawn(async move {
            let context = context(&[("call", &i.to_string())])?;
            let generated = provider.generate_data_key(&key, &context).await?;
            let unwrapped = provider.unwrap(&key, &generated.wrapped.bytes, &context).await?;
            ensure(
                unwrapped.expose_secret() == generated.data_key.expose_secret(),
                "a call that ran beside others got another's key",
            )?;
            Ok::<_, Broken>(Arc::new(generated))
        });
    }
    let mut seen = BTreeSet::new();
    while let Some(call) = calls.join_next().await {
        let generated = call.map_err(|error| Broken::new(format!("a call ended: {error}")))??;
        ensure(
            seen.insert(generated.wrapped.bytes.clone()),
            "two calls got the same wrapped key",
        )?;
    }
    ensure(seen.len() == 200, "a call is missing")
}

pub(super) fn random_data_key() -> Result<DataKey, Broken> {
    DataKey::generate(&SystemRandom).map_err(|error| Broken::new(format!("the suite's own randomness: {error}")))
}
