use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_tokens::MAX_VALUE_BYTES;
use clap::Args;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Named;
use crate::output::{self, Format};
use crate::rest::Rest;
use crate::sealing::pair;
use crate::streams;

#[derive(Debug, Args)]
pub(crate) struct Put {
    #[command(flatten)]
    pub(super) token: Named,
    /// How long it is valid: seconds, or as in 15m, 12h, 90d; default: for ever
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    ttl: Option<u64>,
    /// What kind of token it is, as in Bearer
    #[arg(long = "type", value_name = "TYPE")]
    token_type: Option<String>,
    /// What it is good for. May be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Sealed with it. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Reads this file instead of stdin
    #[arg(long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<u64>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    scopes: &'a [String],
    metadata: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Stored {
    version: String,
    expires_at: Option<String>,
}

impl Put {
    pub(super) async fn carry_out(&self, rest: &Rest) -> Result<(), anyhow::Error> {
        let value = streams::read(self.input.as_deref(), MAX_VALUE_BYTES, "the most that a token holds")?;
        let text = std::str::from_utf8(&value).ok();
        let encoded = text.is_none().then(|| Zeroizing::new(STANDARD.encode(&*value)));
        let metadata = self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let body = Body {
            value: text,
            value_base64: encoded.as_ref().map(|text| text.as_str()),
            ttl_seconds: self.ttl,
            token_type: self.token_type.as_deref(),
            scopes: &self.scopes,
            metadata: metadata.collect(),
        };
        // As much as it can become, each byte an escape of six: a vector that grows leaves copies behind.
        let mut json = Zeroizing::new(Vec::with_capacity(6 * value.len() + 64 * 1024));
        serde_json::to_writer(&mut *json, &body)?;
        let answer = rest.ask(Method::PUT, &self.token.path(""), Some(&json)).await?;
        print(&answer, self.token.common.output)
    }
}

/// Prints what was written.
pub(super) fn print(answer: &[u8], format: Format) -> Result<(), anyhow::Error> {
    let Stored { version, expires_at } = serde_json::from_slice(answer)?;
    match format {
        Format::Json => output::json(&json!({"Version": version, "ExpiresAt": expires_at})),
        Format::Text => {
            let expires = expires_at.map_or_else(|| "never expires".to_owned(), |at| format!("expires {at}"));
            output::line(&format!("version {version}, {expires}"))
        }
    }
}

/// The text that a JSON value is, or a dash.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || "write a time as a number of seconds, or as in 15m, 12h, 90d".to_owned();
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let found = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (number, unit) = found.unwrap_or((text, 1));
    match number.parse::<u32>() {
        Ok(number) if number > 0 => Ok(u64::from(number) * unit),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_are_not_nothing() {
        for (text, expected) in [
            ("900", 900),
            ("15m", 900),
            ("1s", 1),
            ("12h", 43_200),
            ("90d", 7_776_000),
        ] {
            assert_eq!(seconds(text).expect(text), expected);
        }
        for wrong in ["", "0", "0m", "-1", "m", "1w", "1.5h", "99999999999"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
