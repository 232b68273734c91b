use super::signing::signing_keys;
use super::{Broken, Fixture, context, ensure, refused};
use crate::KmsErrorKind::{Invalid, Unsupported};

/// A key that was rotated unwraps what was wrapped before, and wraps on, under the same name.
pub async fn what_was_wrapped_before_a_rotation_unwraps_after_it(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    if !provider.capabilities().rotation {
        let outcome = provider.rotate(&fixture.key()).await;
        return refused(outcome, &[Unsupported], "rotation by a provider that does not rotate");
    }
    let context = context(&[("tenant", "a")])?;
    let before = provider.generate_data_key(&fixture.key(), &context).await?;
    provider.rotate(&fixture.key()).await?;
    let after = provider.generate_data_key(&fixture.key(), &context).await?;
    ensure(
        before.wrapped.key == after.wrapped.key,
        "a rotation changes the key's name",
    )?;
    for generated in [&before, &after] {
        let unwrapped = provider
            .unwrap(&fixture.key(), &generated.wrapped.bytes, &context)
            .await?;
        ensure(
            unwrapped.expose_secret() == generated.data_key.expose_secret(),
            "after a rotation another key is unwrapped",
        )?;
    }
    Ok(())
}

/// A key that signs has one material for ever.
pub async fn a_signing_key_is_not_rotated(fixture: &impl Fixture) -> Result<(), Broken> {
    for (key, spec) in signing_keys(fixture).await? {
        let outcome = fixture.provider().rotate(&key).await;
        refused(
            outcome,
            &[Invalid, Unsupported],
            &format!("rotation of a key of spec {spec}"),
        )?;
    }
    Ok(())
}
