//! `bulla token client`: the keys that clients' tokens are sealed under.

mod add;
mod list;

use clap::Subcommand;

use crate::key::Common;
use crate::settings::{Environment, Settings};

/// Manages the keys that clients' tokens are sealed under.
#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Makes a client's key, a policy that lets it be used for that client's tokens alone, and its alias
    Add(add::Add),
    /// Lists clients: key, state, number of tokens
    List(list::List),
}

impl Client {
    pub(super) async fn run(&self, environment: &Environment) -> Result<(), anyhow::Error> {
        match self {
            Client::Add(add) => add.run(&settings(&add.common, environment)?).await,
            Client::List(list) => list.run(&settings(&list.common, environment)?).await,
        }
    }
}

fn settings(common: &Common, environment: &Environment) -> Result<Settings, anyhow::Error> {
    Settings::load(environment, None, &common.flags())
}
