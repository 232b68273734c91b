use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use http::Method;
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::Named;
use crate::output::{self, Format};
use crate::rest::Rest;

#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(super) token: Named,
}

#[derive(Deserialize)]
struct Answer {
    value: Option<String>,
    value_base64: Option<String>,
}

impl Get {
    pub(super) async fn carry_out(&self, rest: &Rest) -> Result<(), anyhow::Error> {
        let body = rest.ask(Method::GET, &self.token.path(""), None).await?;
        if self.token.common.output == Format::Json {
            output::bytes(&body)?;
            return output::bytes(b"\n");
        }
        let answer: Answer = serde_json::from_slice(&body).context("the answer is no token")?;
        let value = Zeroizing::new(match (answer.value, answer.value_base64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(mut text)) => {
                let bytes = STANDARD.decode(&text);
                text.zeroize();
                bytes.context("the answer is no token")?
            }
            (None, None) => anyhow::bail!("the answer is no token"),
        });
        output::bytes(&value)
    }
}
