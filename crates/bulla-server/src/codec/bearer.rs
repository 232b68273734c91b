use http::HeaderMap;
use http::header::HeaderName;

use super::gate::Refusal;

/// Gives a header's one value, if it has any.
///
/// # Errors
/// [`Refusal::Unauthenticated`] where it has two, or one that is no text.
pub(super) fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    match (value.transpose(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(Refusal::Unauthenticated),
    }
}

/// Takes the token out of `Bearer <token>`; the CLI sends whatever it is told to, so the scheme may be missing before a token.
pub(super) fn token(authorization: &str) -> Option<&str> {
    let authorization = authorization.trim_ascii();
    let token = match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_ascii(),
        Some(_) => return None,
        None => authorization,
    };
    (!token.is_empty() && token.len() <= 8 * 1024).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_out_of_their_header() {
        for (value, found) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("abc", Some("abc")),
            ("Basic abc", None),
            ("Bearer ", Some("Bearer")),
            ("", None),
        ] {
            assert_eq!(token(value), found, "{value}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(only_value(&headers, &http::header::AUTHORIZATION), Ok(None));
        headers.append("authorization", "a".parse().unwrap());
        assert_eq!(only_value(&headers, &http::header::AUTHORIZATION), Ok(Some("a")));
        headers.append("authorization", "b".parse().unwrap());
        assert!(only_value(&headers, &http::header::AUTHORIZATION).is_err());
    }
}
