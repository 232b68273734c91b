use anyhow::Context as _;
use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::put::shown;
use super::{Common, add_purpose};
use crate::output::{self, Format};
use crate::rest::{Rest, encoded};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Whose tokens
    client: String,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Deserialize)]
struct Page {
    tokens: Vec<Value>,
    unreadable: Vec<Value>,
    next_cursor: Option<String>,
}

impl List {
    pub(super) async fn carry_out(&self, rest: &Rest) -> Result<(), anyhow::Error> {
        let (tokens, unreadable) = all(rest, &self.client, self.common.purpose.as_deref()).await?;
        if self.common.output == Format::Json {
            return output::json(&json!({"Tokens": tokens, "Unreadable": unreadable}));
        }
        let row = |token: &Value| {
            ["provider", "name", "version", "expires_at", "type"]
                .map(|member| shown(&token[member]))
                .to_vec()
        };
        output::table(
            &["PROVIDER", "NAME", "VERSION", "EXPIRES", "TYPE"],
            &tokens.iter().map(row).collect::<Vec<_>>(),
        )?;
        for token in &unreadable {
            let [provider, name, code] = ["provider", "name", "code"].map(|member| shown(&token[member]));
            output::say(&format!("{provider} ({name}) can't be read: {code}"));
        }
        Ok(())
    }
}

/// All of a client's tokens, and those that can't be read.
pub(super) async fn all(
    rest: &Rest,
    client: &str,
    purpose: Option<&str>,
) -> Result<(Vec<Value>, Vec<Value>), anyhow::Error> {
    let (mut tokens, mut unreadable) = (Vec::new(), Vec::new());
    let mut cursor: Option<String> = None;
    loop {
        let mut path = format!("/v1/tokens?client={}&limit=500", encoded(client));
        if let Some(cursor) = &cursor {
            path.push_str(&format!("&cursor={}", encoded(cursor)));
        }
        add_purpose(&mut path, purpose);
        let answer = rest.ask(Method::GET, &path, None).await?;
        let page: Page = serde_json::from_slice(&answer).context("the answer is no list of tokens")?;
        tokens.extend(page.tokens);
        unreadable.extend(page.unreadable);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok((tokens, unreadable));
        }
    }
}
