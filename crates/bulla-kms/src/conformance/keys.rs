use super::round_trips::random_data_key;
use super::{Broken, Fixture, context, ensure, refused};

use crate::KmsErrorKind::{Invalid, NotFound, WrongContext};

/// A key that does not exist is `NotFound`, whatever is asked of it.
pub async fn an_unknown_key_is_not_found(fixture: &impl Fixture) -> Result<(), Broken> {
    let (provider, unknown) = (fixture.provider(), fixture.unknown_key());
    let context = context(&[("tenant", "a")])?;
    let wrapped = provider
        .generate_data_key(&fixture.key(), &context)
        .await?
        .wrapped
        .bytes;
    refused(
        provider.describe(&unknown).await,
        &[NotFound],
        "describe of an unknown key",
    )?;
    refused(
        provider.generate_data_key(&unknown, &context).await,
        &[NotFound],
        "generate under an unknown key",
    )?;
    refused(
        provider.wrap(&unknown, &random_data_key()?, &context).await,
        &[NotFound],
        "wrap under an unknown key",
    )?;
    refused(
        provider.unwrap(&unknown, &wrapped, &context).await,
        &[NotFound],
        "unwrap under an unknown key",
    )
}

/// A name that can't be a key's is refused, and the provider goes on working.
pub async fn a_malformed_key_name_is_refused(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let wrapped = provider
        .generate_data_key(&fixture.key(), &context)
        .await?
        .wrapped
        .bytes;
    let long = "k".repeat(3_000);
    for name in [
        "",
        " ",
        "\0",
        "a\nb",
        "../../etc/passwd",
        "local:",
        "arn:aws:kms",
        "🔑",
        &long,
    ] {
        let what = format!("the key name {:?}", name.chars().take(20).collect::<String>());
        let kinds = [NotFound, Invalid];
        refused(provider.describe(name).await, &kinds, &what)?;
        refused(provider.generate_data_key(name, &context).await, &kinds, &what)?;
        refused(provider.unwrap(name, &wrapped, &context).await, &kinds, &what)?;
    }
    provider.unwrap(&fixture.key(), &wrapped, &context).await?;
    Ok(())
}

/// Every method resolves a key to the same name, which carries the scheme and is itself a name of the key.
pub async fn the_resolved_key_is_stable_and_usable(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let generated = provider.generate_data_key(&fixture.key(), &context).await?;
    let resolved = &generated.wrapped.key;
    ensure(resolved.len() <= 512, "the resolved key is longer than 512 bytes")?;
    let prefix = format!("{}:", provider.capabilities().scheme);
    ensure(
        resolved.starts_with(&prefix),
        "the resolved key does not begin with its scheme",
    )?;
    let wrapped = provider.wrap(&fixture.key(), &generated.data_key, &context).await?;
    ensure(&wrapped.key == resolved, "wrap resolves the key to another name")?;
    ensure(
        &provider.describe(&fixture.key()).await?.key == resolved,
        "describe resolves the key to another name",
    )?;
    ensure(
        &provider.describe(resolved).await?.key == resolved,
        "the resolved key resolves to another name",
    )?;
    let unwrapped = provider.unwrap(resolved, &wrapped.bytes, &context).await?;
    ensure(
        unwrapped.expose_secret() == generated.data_key.expose_secret(),
        "the resolved key unwraps another key",
    )?;
    let again = provider.generate_data_key(resolved, &context).await?;
    ensure(
        &again.wrapped.key == resolved,
        "generating under the resolved key resolves to another name",
    )?;
    let other = provider.describe(&fixture.other_key()).await?.key;
    ensure(&other != resolved, "two keys resolve to one name")
}

/// What was wrapped through an alias opens under its resolved key after the alias moved, and no longer through the alias.
pub async fn an_alias_resolves_and_may_move(fixture: &impl Fixture) -> Result<(), Broken> {
    let Some(alias) = fixture.alias().await else {
        return Ok(());
    };
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let before = provider.generate_data_key(&alias, &context).await?;
    ensure(!before.wrapped.key.contains(&alias), "the resolved key is the alias")?;
    provider.unwrap(&alias, &before.wrapped.bytes, &context).await?;
    fixture.move_alias().await;
    let after = provider.generate_data_key(&alias, &context).await?;
    ensure(
        before.wrapped.key != after.wrapped.key,
        "the alias still resolves to the key of before",
    )?;
    let unwrapped = provider
        .unwrap(&before.wrapped.key, &before.wrapped.bytes, &context)
        .await?;
    ensure(
        unwrapped.expose_secret() == before.data_key.expose_secret(),
        "the resolved key unwraps another key",
    )?;
    refused(
        provider.unwrap(&alias, &before.wrapped.bytes, &context).await,
        &[WrongContext],
        "the alias that moved",
    )
}

/// What a provider says of itself stays the same.
pub async fn capabilities_and_instance_do_not_change(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let (instance, capabilities) = (provider.instance().to_owned(), provider.capabilities());
    ensure(!instance.is_empty(), "the instance is empty")?;
    let scheme = capabilities.scheme;
    let well_formed = scheme
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    ensure(!scheme.is_empty() && well_formed, "the scheme is not one of a key URI")?;
    provider.generate_data_key(&fixture.key(), &context(&[])?).await?;
    ensure(provider.instance() == instance, "the instance changed")?;
    ensure(provider.capabilities() == capabilities, "the capabilities changed")
}
