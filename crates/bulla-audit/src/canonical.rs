//! RFC 8785 canonical JSON, without the numbers that are not integers.
//!
//! Members are ordered by the UTF-16 code units of their names; strings have RFC 8785's minimal escapes; numbers are integers in
//! ±(2^53 − 1), the range that every JSON parser reads exactly (RFC 7493 §2.2).

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// The greatest integer that canonical JSON holds: 2^53 − 1.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// How deep arrays and objects nest at most.
pub const MAX_DEPTH: usize = 32;

/// JSON that has no canonical form here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A fraction, an exponent, or an integer outside ±(2^53 − 1).
    #[error("a number is not an integer within 2^53 - 1")]
    Number,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested too deep")]
    Depth,
    /// Not JSON in UTF-8.
    #[error("not JSON")]
    Syntax,
    /// JSON, but these are not its canonical bytes.
    #[error("not in canonical form")]
    Form,
}

/// Writes a value's canonical bytes.
///
/// # Errors
/// [`CanonicalError::Number`] and [`CanonicalError::Depth`].
pub fn to_vec(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(256);
    write_value(&mut out, value, 0)?;
    Ok(out)
}

/// Parses bytes that must be the canonical form of what they say.
///
/// Duplicate names, white space, another order, another escape or another spelling of a number are [`CanonicalError::Form`].
pub fn parse(bytes: &[u8]) -> Result<Value, CanonicalError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| CanonicalError::Syntax)?;
    if to_vec(&value)? == bytes {
        Ok(value)
    } else {
        Err(CanonicalError::Form)
    }
}

pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), CanonicalError> {
    if depth > MAX_DEPTH {
        return Err(CanonicalError::Depth);
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => write_bool(out, *value),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, item, depth + 1)?;
            }
            out.push(b']');
        }
        Value::Object(members) => write_object(out, members, depth)?,
    }
    Ok(())
}

pub(crate) fn write_object(
    out: &mut Vec<u8>,
    members: &Map<String, Value>,
    depth: usize,
) -> Result<(), CanonicalError> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    if !sorted.is_sorted_by(|a, b| compare_names(a.0, b.0).is_lt()) {
        sorted.sort_unstable_by(|a, b| compare_names(a.0, b.0));
    }
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(out, name);
        out.push(b':');
        write_value(out, value, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

/// Orders names by UTF-16 code units (RFC 8785 §3.2.3), which is byte order unless a name leaves the BMP.
fn compare_names(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        a.cmp(b)
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

fn write_number(out: &mut Vec<u8>, number: &Number) -> Result<(), CanonicalError> {
    if let Some(value) = number.as_u64() {
        write_integer(out, value)
    } else {
        let value = number.as_i64().ok_or(CanonicalError::Number)?;
        out.push(b'-');
        write_integer(out, value.unsigned_abs())
    }
}

pub(crate) fn write_integer(out: &mut Vec<u8>, value: u64) -> Result<(), CanonicalError> {
    if value > MAX_INTEGER {
        return Err(CanonicalError::Number);
    }
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = value;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
    Ok(())
}

pub(crate) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Writes a string with the escapes of RFC 8785 §3.2.2.2; runs without any are copied whole.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut copied = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[copied..index]);
        copied = index + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(to_vec(value).unwrap()).unwrap()
    }

    #[test]
    fn names_are_ordered_by_utf_16_code_units_as_in_the_example_of_rfc_8785() {
        // RFC 8785 §3.2.3: the expected order of the values.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh", "1": "One",
            "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let expected = [
            "Carriage Return",
            "One",
            "Control",
            "Latin Small Letter O With Diaeresis",
            "Euro Sign",
            "Emoji: Grinning Face",
            "Hebrew Letter Dalet With Dagesh",
        ];
        let written = text(&value);
        let places: Vec<usize> = expected.iter().map(|value| written.find(value).unwrap()).collect();
        assert!(places.is_sorted(), "{written}");
    }

    #[test]
    fn strings_have_only_the_escapes_of_rfc_8785() {
        let value = json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}\u{8}\t\u{c}\r\u{1f}");
        assert_eq!(
            text(&value),
            "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\\b\\t\\f\\r\\u001f\""
        );
    }

    #[test]
    fn numbers_outside_the_exact_integers_are_refused() {
        assert_eq!(
            text(&json!([0, -1, 9_007_199_254_740_991_u64, -9_007_199_254_740_991_i64])),
            "[0,-1,9007199254740991,-9007199254740991]"
        );
        for value in [
            json!(9_007_199_254_740_992_u64),
            json!(-9_007_199_254_740_992_i64),
            json!(1.5),
            json!(1e3),
            json!(-0.0),
        ] {
            assert_eq!(to_vec(&value), Err(CanonicalError::Number), "{value}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut value = json!(1);
        for _ in 0..MAX_DEPTH {
            value = json!([value]);
        }
        assert!(to_vec(&value).is_ok());
        assert_eq!(to_vec(&json!([value])), Err(CanonicalError::Depth));
    }

    #[test]
    fn bytes_that_are_not_their_own_canonical_form_are_refused() {
        assert!(parse(br#"{"a":1,"b":[true,null,"x"]}"#).is_ok());
        for bytes in [
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a": 1}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\/"}"#,
            r#"[1 ]"#,
            "1\n",
        ] {
            assert_eq!(parse(bytes.as_bytes()), Err(CanonicalError::Form), "{bytes}");
        }
        assert_eq!(parse(b"[1.0]"), Err(CanonicalError::Number));
        assert_eq!(parse(b"[1"), Err(CanonicalError::Syntax));
        assert_eq!(parse(b"\"\xff\""), Err(CanonicalError::Syntax));
        assert_eq!(parse(b"1 2"), Err(CanonicalError::Syntax));
    }
}
