use super::round_trips::random_data_key;
use super::{Broken, Fixture, context, ensure, refused};
use crate::KeyState;
use crate::KmsErrorKind::KeyDisabled;

/// A key that works is described as enabled.
pub async fn an_enabled_key_is_described_as_enabled(fixture: &impl Fixture) -> Result<(), Broken> {
    let description = fixture.provider().describe(&fixture.key()).await?;
    ensure(
        description.state == KeyState::Enabled,
        "an enabled key is described as something else",
    )
}

/// A disabled key refuses every use, is described, and works again once enabled.
pub async fn a_disabled_key_refuses_every_use(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let Some(key) = fixture.switchable_key().await else {
        return ensure(
            !provider.capabilities().key_state,
            "a provider with key states needs a key that can be disabled",
        );
    };
    let context = context(&[("tenant", "a")])?;
    let generated = provider.generate_data_key(&key, &context).await?;
    let wrapped = &generated.wrapped.bytes;
    fixture.set_enabled(&key, false).await;
    ensure(
        provider.describe(&key).await?.state == KeyState::Disabled,
        "a disabled key is described as something else",
    )?;
    refused(
        provider.unwrap(&key, wrapped, &context).await,
        &[KeyDisabled],
        "unwrap under a disabled key",
    )?;
    refused(
        provider.generate_data_key(&key, &context).await,
        &[KeyDisabled],
        "generate under a disabled key",
    )?;
    refused(
        provider.wrap(&key, &random_data_key()?, &context).await,
        &[KeyDisabled],
        "wrap under a disabled key",
    )?;
    fixture.set_enabled(&key, true).await;
    ensure(
        provider.describe(&key).await?.state == KeyState::Enabled,
        "a key enabled again is described as disabled",
    )?;
    let unwrapped = provider.unwrap(&key, wrapped, &context).await?;
    ensure(
        unwrapped.expose_secret() == generated.data_key.expose_secret(),
        "a key enabled again unwraps another key",
    )
}
