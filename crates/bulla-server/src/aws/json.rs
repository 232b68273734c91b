//! Reading a request's body as AWS's front end does: what a member may look like, and what it says of one that does not.
//!
//! No message holds a byte of the input: a mistyped plaintext must not come back in an error that somebody logs.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::wire::Failure;

/// Marks the messages below among those that serde makes, which may quote input.
const OURS: char = '\u{1}';
const LIST: &str = "Start of list found where not expected";
const MAP: &str = "Start of structure or map found where not expected.";

/// Parses a body into the members of one operation. Unknown members are ignored, as AWS ignores them.
///
/// # Errors
/// `SerializationException`: not UTF-8, not JSON, not an object, nested deeper than 128, a member twice or of another type.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| Failure::serialization(None))?;
    if is_nested_too_deep(body) {
        return Err(Failure::serialization(None));
    }
    let object: Result<Object<T>, _> = serde_json::from_str(text);
    object.map(|object| object.0).map_err(|error| {
        let message = error.to_string();
        let ours = message
            .strip_prefix(OURS)
            .map(|rest| rest.rsplit_once(" at line ").map_or(rest, |(text, _)| text));
        Failure::serialization(ours.map(str::to_owned))
    })
}

/// Whether brackets are nested deeper than any request needs. serde_json bounds what it builds, but not what it skips.
fn is_nested_too_deep(body: &[u8]) -> bool {
    const MAX_DEPTH: usize = 128;
    let opens = |byte: &&u8| matches!(**byte, b'[' | b'{');
    if body.iter().filter(opens).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    body.iter().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

/// A string.
#[derive(Debug)]
pub(super) struct Text(pub(super) String);

/// A whole number; a fraction is cut off, as AWS does.
#[derive(Debug)]
pub(super) struct Number(pub(super) i64);

/// A moment, sent as seconds since 1970 with a fraction; kept as whole milliseconds.
#[derive(Debug)]
pub(super) struct Moment(pub(super) i64);

/// A boolean.
#[derive(Debug)]
pub(super) struct Flag(pub(super) bool);

/// Bytes in standard base64 with padding. Wiped on drop: nothing here knows which blobs are secret.
pub(super) struct Blob(pub(super) Zeroizing<Vec<u8>>);

/// A map of strings, in the order sent, each key once.
#[derive(Debug)]
pub(super) struct Pairs(pub(super) Vec<(String, Option<Text>)>);

/// A list.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<Option<T>>);

/// A structure, written as an object (serde by itself would also take an array).
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob([{} bytes, redacted])", self.0.len())
    }
}

/// Writes a `Deserialize` whose visitor takes what is listed and answers everything else with AWS's words.
macro_rules! member {
    ($({$($generics:tt)*})? $target:ty, $what:literal, else $mismatch:expr, { $($method:item)* }) => {
        impl<'de $(, $($generics)*)?> Deserialize<'de> for $target {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Reader::<$target>(PhantomData))
            }
        }

        impl<'de $(, $($generics)*)?> Visitor<'de> for Reader<$target> {
            type Value = $target;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($what)
            }
            $($method)*
        }

        impl $(<$($generics)*>)? Mismatch for $target {
            const WORDS: Words = $mismatch;
        }
    };
}

struct Reader<T>(PhantomData<T>);

/// How a mismatch is put: by the Java class that was sent, or by what was expected.
enum Words {
    Class(&'static str),
    Expected(&'static str),
}

trait Mismatch {
    const WORDS: Words;
}

fn refuse<T: Mismatch, E: Error>(class: &str) -> E {
    match T::WORDS {
        Words::Class(target) => E::custom(format_args!("{OURS}class {class} can not be converted to {target}")),
        Words::Expected(words) => E::custom(format_args!("{OURS}{words}")),
    }
}

fn refuse_start<E: Error>(start: &str) -> E {
    E::custom(format_args!("{OURS}{start}"))
}

const STRING: &str = "java.lang.String";
const BOOLEAN: &str = "java.lang.Boolean";
const NUMBER: &str = "com.amazon.coral.value.json.numbers.TruncatingBigNumber";

macro_rules! no_string {
    () => {
        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(refuse::<Self::Value, E>(STRING))
        }
    };
}
macro_rules! no_bool {
    () => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Err(refuse::<Self::Value, E>(BOOLEAN))
        }
    };
}
macro_rules! no_i64 {
    () => {
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Err(refuse::<Self::Value, E>(NUMBER))
        }
    };
}
macro_rules! no_u64 {
    () => {
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Err(refuse::<Self::Value, E>(NUMBER))
        }
    };
}
macro_rules! no_f64 {
    () => {
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Err(refuse::<Self::Value, E>(NUMBER))
        }
    };
}
macro_rules! no_list {
    () => {
        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(refuse_start(LIST))
        }
    };
}
macro_rules! no_map {
    () => {
        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(refuse_start(MAP))
        }
    };
}

member!(Text, "a string", else Words::Class("an String"), {
    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }
    no_bool!(); no_i64!(); no_u64!(); no_f64!(); no_list!(); no_map!();
});

member!(Number, "a number", else Words::Class("an Integer"), {
    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(number))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number(number as i64))
    }
    no_string!(); no_bool!(); no_list!(); no_map!();
});

member!(Moment, "a timestamp", else Words::Class("a Date"), {
    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Moment, E> {
        Ok(Moment(seconds.saturating_mul(1000)))
    }
    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Moment, E> {
        Ok(Moment(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)))
    }
    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Moment, E> {
        Ok(Moment((seconds * 1000.0).round() as i64))
    }
    no_string!(); no_bool!(); no_list!(); no_map!();
});

member!(Flag, "a boolean", else Words::Class("an Boolean"), {
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(flag))
    }
    no_string!(); no_i64!(); no_u64!(); no_f64!(); no_list!(); no_map!();
});

member!(Blob, "base64", else Words::Class("a Blob"), {
    fn visit_str<E: Error>(self, text: &str) -> Result<Blob, E> {
        match base64_simd::STANDARD.decode_to_vec(text) {
            Ok(bytes) => Ok(Blob(Zeroizing::new(bytes))),
            Err(_) => Err(refuse_start("The value can not be converted to a Blob: Invalid Base64")),
        }
    }
    no_bool!(); no_i64!(); no_u64!(); no_f64!(); no_list!(); no_map!();
});

member!(Pairs, "a map", else Words::Expected("Expected map or null"), {
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs: Vec<(String, Option<Text>)> = Vec::new();
        while let Some(pair) = map.next_entry::<String, Option<Text>>()? {
            pairs.push(pair);
        }
        let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|two| two[0] == two[1]) {
            return Err(A::Error::custom("a key occurs twice"));
        }
        Ok(Pairs(pairs))
    }
    no_string!(); no_bool!(); no_i64!(); no_u64!(); no_f64!(); no_list!();
});

member!({T: DeserializeOwned} List<T>, "a list", else Words::Expected("Expected list or null"), {
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = sequence.next_element::<Option<T>>()? {
            list.push(element);
        }
        Ok(List(list))
    }
    no_string!(); no_bool!(); no_i64!(); no_u64!(); no_f64!(); no_map!();
});

member!({T: DeserializeOwned} Object<T>, "a structure", else Words::Expected("Expected null"), {
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
    no_string!(); no_bool!(); no_i64!(); no_u64!(); no_f64!(); no_list!();
});

#[cfg(test)]
mod tests;
