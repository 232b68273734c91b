//! Markers between pages: opaque to callers, and believed only as a place to go on from.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::ServiceError;

/// Makes the marker of the entry after which the next page begins.
pub(crate) fn marker(list: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1/{list}/{last}"))
}

/// Reads a marker of the same list.
pub(crate) fn place(list: &str, marker: Option<&str>) -> Result<Option<String>, ServiceError> {
    let Some(marker) = marker else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD
        .decode(marker)
        .map_err(|_| ServiceError::InvalidMarker)?;
    let text = String::from_utf8(bytes).map_err(|_| ServiceError::InvalidMarker)?;
    let last = text
        .strip_prefix("1/")
        .and_then(|rest| rest.strip_prefix(list))
        .and_then(|rest| rest.strip_prefix('/'));
    let legal = |last: &&str| (1..=512).contains(&last.len()) && !last.chars().any(char::is_control);
    last.filter(legal)
        .map(|last| Some(last.to_owned()))
        .ok_or(ServiceError::InvalidMarker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_of_its_own_list() {
        let there = marker("keys", "abc");
        assert_eq!(place("keys", Some(&there)).expect("reads").as_deref(), Some("abc"));
        assert!(place("aliases", Some(&there)).is_err());
        for wrong in ["", "!", "abc", &marker("keys", ""), &marker("keys", "a\nb")] {
            assert!(place("keys", Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(place("keys", None).expect("reads"), None);
    }
}
