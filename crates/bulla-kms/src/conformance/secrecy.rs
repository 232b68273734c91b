use std::error::Error;
use std::fmt::Write as _;

use super::round_trips::random_data_key;
use super::{Broken, Fixture, context, ensure};
use crate::KmsError;

/// No error of a call with a data key at hand shows that key, in hexadecimal, base64 or as a list of numbers.
pub async fn errors_carry_no_secret(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let (right, wrong) = (context(&[("tenant", "a")])?, context(&[("tenant", "b")])?);
    let data_key = random_data_key()?;
    let wrapped = provider.wrap(&fixture.key(), &data_key, &right).await?.bytes;
    let errors = [
        provider.unwrap(&fixture.key(), &wrapped, &wrong).await.err(),
        provider.unwrap(&fixture.unknown_key(), &wrapped, &right).await.err(),
        provider
            .unwrap(&fixture.key(), &wrapped[..wrapped.len() - 1], &right)
            .await
            .err(),
        provider.wrap(&fixture.unknown_key(), &data_key, &right).await.err(),
        provider.wrap("", &data_key, &right).await.err(),
    ];
    for error in errors {
        let error = error.ok_or_else(|| Broken::new("a call that must fail did not"))?;
        let told = everything_told_by(&error);
        ensure(!shows(&told, data_key.expose_secret()), "an error shows the data key")?;
        ensure(!shows(&told, &wrapped), "an error shows the wrapped bytes")?;
    }
    Ok(())
}

/// `Debug` of a provider and of what it answers shows no data key.
pub async fn debug_carries_no_secret(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let generated = provider.generate_data_key(&fixture.key(), &context(&[])?).await?;
    let secret = *generated.data_key.expose_secret();
    let told = format!("{generated:?} {generated:#?} {provider:?} {provider:#?}");
    ensure(!shows(&told, &secret), "Debug shows the data key")
}

fn everything_told_by(error: &KmsError) -> String {
    let mut told = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(told, " {cause} {cause:?} {cause:#?}");
        source = cause.source();
    }
    told
}

/// Tells whether `text` holds at least six consecutive bytes of `secret` in some usual notation.
fn shows(text: &str, secret: &[u8]) -> bool {
    let lower: String = text.to_ascii_lowercase().split_whitespace().collect();
    secret.windows(6).any(|six| {
        let hex: String = six.iter().map(|byte| format!("{byte:02x}")).collect();
        let numbers: Vec<_> = six.iter().map(u8::to_string).collect();
        lower.contains(&hex) || lower.contains(&numbers.join(","))
    }) || (0..secret.len().saturating_sub(9)).any(|at| text.contains(&base64_of_nine(&secret[at..at + 9])))
}

fn base64_of_nine(nine: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in nine.chunks_exact(3) {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for shift in [18, 12, 6, 0] {
            text.push(char::from(ALPHABET[(bits >> shift) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_seen_in_every_notation() {
        let secret: Vec<u8> = (200..232).collect();
        for text in [
            "key=c8c9cacbcccdcecf",
            "KEY=C8C9CACBCCCDCECF",
            "[200, 201, 202, 203, 204, 205, 206]",
            "yMnKy8zNzs/Q0dLT1NXW",
        ] {
            assert!(shows(text, &secret), "{text}");
        }
        assert!(!shows("[200, 201, 202] c8c9ca", &secret));
    }
}
