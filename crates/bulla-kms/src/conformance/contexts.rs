use super::{Broken, Fixture, context, ensure, refused};
use crate::KmsErrorKind::WrongContext;

/// The empty context binds too: what was wrapped without one does not open with one, nor the reverse.
pub async fn the_empty_context_is_a_context_of_its_own(fixture: &impl Fixture) -> Result<(), Broken> {
    opens_only_under(fixture, &[], &[("tenant", "a")]).await?;
    opens_only_under(fixture, &[("tenant", "a")], &[]).await
}

/// One byte of a key or of a value is enough to refuse.
pub async fn unwrap_refuses_a_context_that_differs_in_one_byte(fixture: &impl Fixture) -> Result<(), Broken> {
    opens_only_under(fixture, &[("tenant", "alpha")], &[("tenant", "alphb")]).await?;
    opens_only_under(fixture, &[("tenant", "alpha")], &[("tenans", "alpha")]).await?;
    opens_only_under(fixture, &[("tenant", "alpha")], &[("tenant", "Alpha")]).await?;
    opens_only_under(fixture, &[("tenant", "alpha")], &[("tenant", "alpha ")]).await
}

/// A context that lost a pair is another one.
pub async fn unwrap_refuses_a_context_with_a_pair_missing(fixture: &impl Fixture) -> Result<(), Broken> {
    opens_only_under(fixture, &[("purpose", "token"), ("tenant", "a")], &[("tenant", "a")]).await
}

/// A context that gained a pair is another one.
pub async fn unwrap_refuses_a_context_with_a_pair_more(fixture: &impl Fixture) -> Result<(), Broken> {
    opens_only_under(fixture, &[("tenant", "a")], &[("purpose", "token"), ("tenant", "a")]).await
}

/// Values belong to their keys.
pub async fn unwrap_refuses_swapped_values(fixture: &impl Fixture) -> Result<(), Broken> {
    opens_only_under(fixture, &[("from", "a"), ("to", "b")], &[("from", "b"), ("to", "a")]).await
}

/// Where a key ends and its value begins counts: concatenation alone binds nothing.
pub async fn unwrap_refuses_a_boundary_that_moved(fixture: &impl Fixture) -> Result<(), Broken> {
    opens_only_under(fixture, &[("tenant", "a1")], &[("tenanta", "1")]).await
}

/// Any Unicode text is bound byte for byte, without normalisation.
pub async fn a_context_in_any_language_is_bound(fixture: &impl Fixture) -> Result<(), Broken> {
    opens_only_under(
        fixture,
        &[("mandant", "Zürich 東京 🔑")],
        &[("mandant", "Zu\u{308}rich 東京 🔑")],
    )
    .await
}

/// A context of some thousand bytes is bound to its last byte.
pub async fn a_long_context_is_bound(fixture: &impl Fixture) -> Result<(), Broken> {
    let long = "v".repeat(3_000);
    let other = format!("{}w", &long[1..]);
    opens_only_under(fixture, &[("long", &long)], &[("long", &other)]).await
}

async fn opens_only_under(
    fixture: &impl Fixture,
    right: &[(&str, &str)],
    wrong: &[(&str, &str)],
) -> Result<(), Broken> {
    let provider = fixture.provider();
    let (right, wrong) = (context(right)?, context(wrong)?);
    let generated = provider.generate_data_key(&fixture.key(), &right).await?;
    let wrapped = provider.wrap(&fixture.key(), &generated.data_key, &right).await?;
    for bytes in [&generated.wrapped.bytes, &wrapped.bytes] {
        let unwrapped = provider.unwrap(&fixture.key(), bytes, &right).await?;
        ensure(
            unwrapped.expose_secret() == generated.data_key.expose_secret(),
            "the right context gives another key",
        )?;
        let outcome = provider.unwrap(&fixture.key(), bytes, &wrong).await;
        refused(outcome, &[WrongContext], "a wrong context")?;
    }
    Ok(())
}
