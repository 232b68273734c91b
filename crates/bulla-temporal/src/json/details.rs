use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::message::{Maybe, NO_SIZE, TWICE, UNKNOWN};
use super::text::Text;
use crate::ExternalPayload;

/// `ExternalPayloadDetails`.
pub(super) struct Details(pub(super) ExternalPayload);

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Message;
        impl<'de> Visitor<'de> for Message {
            type Value = Details;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Details, A::Error> {
                let mut size = None;
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if !matches!(&*name, "sizeBytes" | "size_bytes") {
                        map.next_value::<IgnoredAny>()?;
                        return Err(A::Error::custom(UNKNOWN));
                    }
                    if size.replace(map.next_value::<Maybe<Size>>()?).is_some() {
                        return Err(A::Error::custom(TWICE));
                    }
                }
                let size_bytes = size.and_then(|size| size.0).map_or(0, |size| size.0);
                Ok(Details(ExternalPayload { size_bytes }))
            }
        }
        deserializer.deserialize_map(Message)
    }
}

/// A 64-bit integer as a number or a string.
struct Size(i64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Size, E> {
                Ok(Size(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Size, E> {
                i64::try_from(value).map(Size).map_err(|_| E::custom(NO_SIZE))
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Size, E> {
                // Whole numbers that a double holds exactly, as in 1e3.
                let exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
                exact.then_some(Size(value as i64)).ok_or_else(|| E::custom(NO_SIZE))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                let plain = !text.starts_with('+');
                let size = text.parse().ok().filter(|_| plain);
                size.map(Size).ok_or_else(|| E::custom(NO_SIZE))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use crate::json::read;

    #[test]
    fn both_spellings_of_names_and_numbers_are_read() {
        for (size, value) in [
            ("7", 7),
            (r#""7""#, 7),
            ("-1", -1),
            ("1e3", 1000),
            (r#""9223372036854775807""#, i64::MAX),
            ("9223372036854775807", i64::MAX),
        ] {
            for (list, name) in [("externalPayloads", "sizeBytes"), ("external_payloads", "size_bytes")] {
                let json = format!(r#"{{"payloads":[{{"{list}":[{{"{name}":{size}}}]}}]}}"#);
                assert_eq!(
                    read(json.as_bytes()).unwrap().payloads[0].external_payloads[0].size_bytes,
                    value,
                    "{json}"
                );
            }
        }
    }
}
