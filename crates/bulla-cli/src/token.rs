//! `bulla token`: tokens in the vault of a running service, over REST.

mod client;
mod get;
mod list;
mod put;

use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;

use crate::failure::{CommandResult, Outcome};
use crate::output::{self, Format};
use crate::process;
use crate::rest::{Rest, encoded};
use crate::settings::{Environment, Flags, Settings};

/// Keeps and gives out tokens in the vault of a running service.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Keeps a token; its value comes from stdin, every byte of it
    Put(put::Put),
    /// Prints a token's value
    Get(get::Get),
    /// Lists a client's tokens, without their values
    List(list::List),
    /// Has a token fetched anew from its provider
    Refresh(Named),
    /// Deletes a token
    Delete(Named),
    /// Deletes everything of a client and bars what there was
    Revoke(Revoke),
    /// Manages the keys that clients' tokens are sealed under
    #[command(subcommand)]
    Client(client::Client),
}

#[derive(Debug, Args)]
struct Common {
    /// The service; default: $BULLA_ENDPOINT, else http://127.0.0.1:4599
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Region that requests are signed for
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What for; the audit log has it
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Whose token
    client: String,
    /// Who issued it
    provider: String,
    /// Which of the provider's tokens, where there is more than one
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Whose tokens
    client: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Revoked {
    revoked: u64,
}

impl Token {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let runtime = process::runtime(Some(1))?;
        let done = runtime.block_on(self.carry_out(environment));
        done.map(|()| Outcome::Done)
    }

    async fn carry_out(&self, environment: &Environment) -> Result<(), anyhow::Error> {
        match self {
            Token::Put(put) => put.carry_out(&put.token.common.rest(environment).await?).await,
            Token::Get(get) => get.carry_out(&get.token.common.rest(environment).await?).await,
            Token::List(list) => list.carry_out(&list.common.rest(environment).await?).await,
            Token::Refresh(named) => {
                let rest = named.common.rest(environment).await?;
                let answer = rest.ask(Method::POST, &named.path("/refresh"), None).await?;
                put::print(&answer, named.common.output)
            }
            Token::Delete(named) => {
                let rest = named.common.rest(environment).await?;
                rest.ask(Method::DELETE, &named.path(""), None).await.map(drop)
            }
            Token::Revoke(revoke) => {
                let rest = revoke.common.rest(environment).await?;
                let mut path = format!("/v1/tokens/{}/revoke", encoded(&revoke.client));
                revoke.common.add_purpose(&mut path);
                let answer = rest.ask(Method::POST, &path, None).await?;
                let Revoked { revoked } = serde_json::from_slice(&answer)?;
                match revoke.common.output {
                    Format::Json => output::bytes(&[answer.as_slice(), b"\n"].concat()),
                    Format::Text => output::line(&format!("{revoked} entries are gone")),
                }
            }
            Token::Client(client) => client.run(environment).await,
        }
    }
}

impl Named {
    /// The token's place, with what follows it.
    fn path(&self, after: &str) -> String {
        let mut path = format!(
            "/v1/tokens/{}/{}{after}",
            encoded(&self.client),
            encoded(&self.provider)
        );
        if let Some(name) = &self.name {
            path.push_str("?name=");
            path.push_str(&encoded(name));
        }
        self.common.add_purpose(&mut path);
        path
    }
}

impl Common {
    async fn rest(&self, environment: &Environment) -> Result<Rest, anyhow::Error> {
        let mut flags = Flags::default();
        flags.set("client.endpoint", self.endpoint.clone());
        flags.set("client.region", self.region.clone());
        Rest::new(&Settings::load(environment, None, &flags)?).await
    }

    fn add_purpose(&self, path: &mut String) {
        add_purpose(path, self.purpose.as_deref());
    }
}

fn add_purpose(path: &mut String, purpose: Option<&str>) {
    if let Some(purpose) = purpose {
        path.push_str(if path.contains('?') { "&purpose=" } else { "?purpose=" });
        path.push_str(&encoded(purpose));
    }
}
