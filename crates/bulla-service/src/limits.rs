//! AWS's limits on members, in AWS's words.

use bulla_crypto::Context;
use serde_json::{Map, Value};

use crate::ServiceError;

fn refused(value: &str, member: &str, constraint: &str) -> ServiceError {
    ServiceError::Validation(format!(
        "1 validation error detected: Value {value}at '{member}' failed to satisfy constraint: Member must have {constraint}"
    ))
}

/// Requires `min <= value <= max`.
pub(crate) fn range(member: &str, value: u32, min: u32, max: u32) -> Result<(), ServiceError> {
    if value > max {
        return Err(refused(
            &format!("'{value}' "),
            member,
            &format!("value less than or equal to {max}"),
        ));
    }
    if value < min {
        return Err(refused(
            &format!("'{value}' "),
            member,
            &format!("value greater than or equal to {min}"),
        ));
    }
    Ok(())
}

/// Requires a length in bytes of a blob, whose value is not repeated.
pub(crate) fn blob(member: &str, length: usize, min: usize, max: usize) -> Result<(), ServiceError> {
    if length > max {
        return Err(refused("", member, &format!("length less than or equal to {max}")));
    }
    if length < min {
        return Err(refused("", member, &format!("length greater than or equal to {min}")));
    }
    Ok(())
}

/// Requires a length in characters of a text.
pub(crate) fn text(member: &str, value: &str, min: usize, max: usize) -> Result<(), ServiceError> {
    let length = value.chars().count();
    if length > max {
        return Err(refused(
            &format!("'{value}' "),
            member,
            &format!("length less than or equal to {max}"),
        ));
    }
    if length < min {
        return Err(refused(
            &format!("'{value}' "),
            member,
            &format!("length greater than or equal to {min}"),
        ));
    }
    Ok(())
}

/// The limit of a page: 1 to `max`, `default` where none was asked for.
pub(crate) fn page(limit: Option<u32>, default: u32, max: u32) -> Result<usize, ServiceError> {
    let limit = limit.unwrap_or(default);
    range("limit", limit, 1, max)?;
    Ok(limit as usize)
}

/// An encryption context as an event shows it.
pub(crate) fn context_value(context: &Context) -> Value {
    Value::Object(
        context
            .iter()
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect::<Map<_, _>>(),
    )
}

/// Members of an event, without those that are null.
pub(crate) fn members<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What an event shows of a text of a client's: at most 2,048 bytes of it.
pub(crate) fn shown(text: &str) -> Value {
    let mut end = text.len().min(2048);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Value::from(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_speak_as_aws_does() {
        assert_eq!(
            range("limit", 1001, 1, 1000).expect_err("refused").to_string(),
            "1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000"
        );
        assert_eq!(
            blob("plaintext", 4097, 1, 4096).expect_err("refused").to_string(),
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
        );
        assert!(range("limit", 0, 1, 1000).is_err());
        assert!(text("description", &"é".repeat(8192), 0, 8192).is_ok());
    }
}
