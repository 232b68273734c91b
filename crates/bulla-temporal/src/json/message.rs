//! The messages `Payloads` and `Payload` as JSON: every member known, none twice, counts within the limits.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::details::Details;
use super::raw::RawPayload;
use super::text::Text;
use super::{BESIDE, MAX_METADATA_ENTRIES, MAX_PAYLOADS};

/// `Payloads`: a list under one name.
pub(super) struct RawPayloads<'a>(pub(super) Vec<RawPayload<'a>>);

impl<'de> Deserialize<'de> for RawPayloads<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Message;
        impl<'de> Visitor<'de> for Message {
            type Value = RawPayloads<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPayloads<'de>, A::Error> {
                let mut payloads = None;
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if &*name != "payloads" {
                        return Err(A::Error::custom(UNKNOWN));
                    }
                    if payloads
                        .replace(map.next_value::<Maybe<ListOfPayloads<'de>>>()?)
                        .is_some()
                    {
                        return Err(A::Error::custom(TWICE));
                    }
                }
                let payloads = payloads.and_then(|payloads| payloads.0).map(|list| list.0);
                Ok(RawPayloads(payloads.unwrap_or_default()))
            }
        }
        deserializer.deserialize_map(Message)
    }
}

/// A member that may be `null`, which is as if it were not there.
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(Maybe)
    }
}

struct ListOfPayloads<'a>(Vec<RawPayload<'a>>);

impl<'de> Deserialize<'de> for ListOfPayloads<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = ListOfPayloads<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ListOfPayloads<'de>, A::Error> {
                let mut payloads = Vec::new();
                let mut budget = MAX_METADATA_ENTRIES;
                while let Some(payload) = list.next_element_seed(OnePayload(&mut budget))? {
                    if payloads.len() == MAX_PAYLOADS {
                        return Err(A::Error::custom(TOO_MANY));
                    }
                    payloads.push(payload);
                }
                Ok(ListOfPayloads(payloads))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Reads one payload; counts metadata entries down from what is left for the request.
pub(super) struct OnePayload<'b>(pub(super) &'b mut usize);

impl<'de> DeserializeSeed<'de> for OnePayload<'_> {
    type Value = RawPayload<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawPayload<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OnePayload<'_> {
    type Value = RawPayload<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payload")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<RawPayload<'de>, E> {
        Err(E::custom(NULL_ELEMENT))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPayload<'de>, A::Error> {
        let mut payload = RawPayload::default();
        // metadata, data, externalPayloads, and what may lie beside them.
        let mut seen = [false; 3 + BESIDE.len()];
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let beside = BESIDE.iter().position(|beside| **beside == *name);
            let member = match &*name {
                "metadata" => 0,
                "data" => 1,
                "externalPayloads" | "external_payloads" => 2,
                _ => 3 + beside.ok_or_else(|| A::Error::custom(UNKNOWN))?,
            };
            if std::mem::replace(&mut seen[member], true) {
                return Err(A::Error::custom(TWICE));
            }
            match member {
                0 => payload.metadata = map.next_value_seed(Metadata(self.0))?,
                1 => payload.data = map.next_value::<Maybe<Text<'de>>>()?.0,
                2 => {
                    let sizes = map.next_value::<Maybe<Vec<Details>>>()?.0.unwrap_or_default();
                    payload.external_payloads = sizes.into_iter().map(|details| details.0).collect();
                }
                _ => payload.beside[member - 3] = map.next_value::<Maybe<Text<'de>>>()?.0,
            }
        }
        Ok(payload)
    }
}

struct Metadata<'b>(&'b mut usize);

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = BTreeMap<String, Option<Text<'de>>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = BTreeMap<String, Option<Text<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Self::Value = BTreeMap::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            *self.0 = self
                .0
                .checked_sub(1)
                .ok_or_else(|| A::Error::custom(TOO_MUCH_METADATA))?;
            let value = map.next_value::<Maybe<Text<'de>>>()?.0;
            if entries.insert((*name).to_owned(), value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(entries)
    }
}

/// What may be said of a body that is refused: nothing of its content.
pub(super) const REASONS: [&str; 6] = [UNKNOWN, TWICE, NULL_ELEMENT, TOO_MANY, TOO_MUCH_METADATA, NO_SIZE];

pub(super) const UNKNOWN: &str = "an unknown member";
pub(super) const TWICE: &str = "a member given twice";
const NULL_ELEMENT: &str = "null as an element";
const TOO_MANY: &str = "more than 16384 payloads";
const TOO_MUCH_METADATA: &str = "more than 65536 metadata entries";
pub(super) const NO_SIZE: &str = "a size that is no 64-bit integer";
