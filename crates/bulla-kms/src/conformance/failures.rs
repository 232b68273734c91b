use super::{Broken, Fixture, context, refused};
use crate::KmsErrorKind::{Invalid, WrongContext};

/// What one key wrapped does not open when another is named, nor when that other is named by its resolved name.
pub async fn unwrap_refuses_another_key(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let generated = provider.generate_data_key(&fixture.key(), &context).await?;
    let outcome = provider
        .unwrap(&fixture.other_key(), &generated.wrapped.bytes, &context)
        .await;
    refused(outcome, &[WrongContext], "another key")?;
    let other = provider.describe(&fixture.other_key()).await?.key;
    let outcome = provider.unwrap(&other, &generated.wrapped.bytes, &context).await;
    refused(outcome, &[WrongContext], "another resolved key")
}

/// No single flipped bit in the wrapped bytes is overlooked (every byte up to 256 of them, then a sample).
pub async fn unwrap_refuses_every_flipped_bit(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let wrapped = provider
        .generate_data_key(&fixture.key(), &context)
        .await?
        .wrapped
        .bytes;
    let step = wrapped.len().div_ceil(256).max(1);
    for at in (0..wrapped.len()).step_by(step) {
        let mut bytes = wrapped.clone();
        bytes[at] ^= 1 << (at % 8);
        let outcome = provider.unwrap(&fixture.key(), &bytes, &context).await;
        refused(
            outcome,
            &[WrongContext],
            &format!("a flipped bit in byte {at} of {}", wrapped.len()),
        )?;
    }
    Ok(())
}

/// No prefix of the wrapped bytes opens.
pub async fn unwrap_refuses_truncated_bytes(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let wrapped = provider
        .generate_data_key(&fixture.key(), &context)
        .await?
        .wrapped
        .bytes;
    for length in [1, 8, wrapped.len() / 2, wrapped.len() - 16, wrapped.len() - 1] {
        let outcome = provider.unwrap(&fixture.key(), &wrapped[..length], &context).await;
        refused(
            outcome,
            &[WrongContext],
            &format!("the first {length} bytes of {}", wrapped.len()),
        )?;
    }
    Ok(())
}

/// Nothing may follow the wrapped bytes.
pub async fn unwrap_refuses_appended_bytes(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let mut wrapped = provider
        .generate_data_key(&fixture.key(), &context)
        .await?
        .wrapped
        .bytes;
    wrapped.push(0);
    let outcome = provider.unwrap(&fixture.key(), &wrapped, &context).await;
    refused(outcome, &[WrongContext], "a byte too many")
}

/// Nothing is not a wrapped key.
pub async fn unwrap_refuses_empty_bytes(fixture: &impl Fixture) -> Result<(), Broken> {
    let outcome = fixture.provider().unwrap(&fixture.key(), &[], &context(&[])?).await;
    refused(outcome, &[WrongContext, Invalid], "an empty wrapped key")
}

/// More than 6,144 bytes are not a wrapped key.
pub async fn unwrap_refuses_oversized_bytes(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let mut wrapped = provider
        .generate_data_key(&fixture.key(), &context)
        .await?
        .wrapped
        .bytes;
    wrapped.resize(6145, 0);
    let outcome = provider.unwrap(&fixture.key(), &wrapped, &context).await;
    refused(outcome, &[WrongContext, Invalid], "an oversized wrapped key")
}

/// Bytes that no key wrapped do not open.
pub async fn unwrap_refuses_a_wrapped_value_that_is_not_a_data_key(fixture: &impl Fixture) -> Result<(), Broken> {
    let noise: Vec<u8> = (0..184u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let outcome = fixture.provider().unwrap(&fixture.key(), &noise, &context(&[])?).await;
    refused(outcome, &[WrongContext], "noise")
}
