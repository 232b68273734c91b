use super::Problem;
use super::route::QueryParameter;

const MAX_PAIRS: usize = 32;
const MAX_VALUE_BYTES: usize = 2048;

/// The query of a request: only parameters that its route has, each once unless it may be repeated.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    pub(super) fn parse(text: &str, known: &[QueryParameter]) -> Result<Self, Problem> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let unreadable = || Problem::invalid("the query is not percent-encoded UTF-8");
            let (name, value) = (
                decode(name, true).ok_or_else(unreadable)?,
                decode(value, true).ok_or_else(unreadable)?,
            );
            let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
                return Err(Problem::invalid("the query has a parameter that is not documented"));
            };
            if value.len() > MAX_VALUE_BYTES || query.0.len() >= MAX_PAIRS {
                return Err(Problem::invalid("the query is too long"));
            }
            if !parameter.repeated && query.one(parameter.name).is_some() {
                return Err(Problem::invalid(format!("{} is given twice", parameter.name)));
            }
            query.0.push((parameter.name, value));
        }
        Ok(query)
    }

    /// The value of a parameter that is there once.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(of, _)| *of == name);
        of_name.map(|(_, value)| value.as_str())
    }

    /// A number, or what stands for it where it is not given.
    pub(crate) fn number(&self, name: &str, default: u64) -> Result<u64, Problem> {
        let Some(text) = self.one(name) else {
            return Ok(default);
        };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.ok_or_else(|| Problem::invalid(format!("{name} is no number")))
    }
}

/// Decodes percent-encoding; `None` where it is broken or not UTF-8.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
                bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
                rest = tail.get(2..)?;
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_query_is_read_or_refused_without_panic(text in ".*", encoded in "(limit|context)=(%[0-9a-fA-F%]{0,2}|[a-z+&=])*") {
            for text in [text, encoded] {
                if let Ok(query) = Query::parse(&text, KNOWN) {
                    prop_assert!(query.0.len() <= MAX_PAIRS);
                }
            }
        }

        #[test]
        fn what_was_encoded_is_decoded(text in ".*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode(&encoded, true), Some(text));
        }
    }

    const KNOWN: &[QueryParameter] = &[
        QueryParameter {
            name: "limit",
            repeated: false,
            schema: "{}",
            doc: "",
        },
        QueryParameter {
            name: "context",
            repeated: true,
            schema: "{}",
            doc: "",
        },
    ];

    #[test]
    fn a_query_has_what_its_route_has() {
        let query = Query::parse("limit=7&context=a%3Db+c&context=%C3%BC", KNOWN).unwrap();
        assert_eq!(query.number("limit", 1).unwrap(), 7);
        assert_eq!(query.all("context").collect::<Vec<_>>(), ["a=b c", "ü"]);
        for wrong in ["limit=1&limit=2", "other=1", "context=%f", "context=%ff", "context=%+1"] {
            assert_eq!(
                Query::parse(wrong, KNOWN).unwrap_err().code,
                "invalid_request",
                "{wrong}"
            );
        }
        for wrong in ["", "-1", "+1", "1e3", "99999999999999999999"] {
            let query = Query::parse(&format!("limit={wrong}"), KNOWN).unwrap();
            assert!(query.number("limit", 1).is_err(), "{wrong}");
        }
        let many = "context=a&".repeat(MAX_PAIRS + 1);
        assert!(Query::parse(&many, KNOWN).is_err());
    }
}
