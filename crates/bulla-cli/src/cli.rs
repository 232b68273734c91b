use clap::{Parser, Subcommand};

use crate::failure::CommandResult;
use crate::settings::Environment;
use crate::{audit, codec, doctor, init, key, open, policy, principal, root, seal, serve, sign, token, verify};

/// Seals what applications store, holds the keys in a service that speaks the AWS KMS API, and proves who opened what
#[derive(Debug, Parser)]
#[command(
    name = "bulla",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 120
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Creates a data directory: root key, audit key, administrator
    Init(init::Init),
    /// Runs the service
    Serve(serve::Serve),
    /// Manages keys of a running service
    #[command(subcommand)]
    Key(key::Key),
    /// Keeps and gives out tokens in the vault of a running service
    #[command(subcommand)]
    Token(token::Token),
    /// Manages who may use the service, on its data directory
    #[command(subcommand)]
    Principal(principal::Principal),
    /// Explains what policies, roles and grants decide, on the data directory
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Seals a value from stdin or a file, at most 64 MiB
    Seal(seal::Seal),
    /// Opens a sealed value
    Open(open::Open),
    /// Signs a message from stdin or a file with any provider's key
    Sign(sign::Sign),
    /// Tells whether a signature is a key's over the message from stdin or a file
    Verify(verify::Verify),
    /// Reads, verifies and proves the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Brings a lost root key back
    #[command(subcommand)]
    Root(root::Root),
    /// Runs the Temporal codec server alone
    Codec(Box<codec::RunCodec>),
    /// Says what is wrong with this configuration
    Doctor(doctor::Doctor),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        match self.command {
            Command::Init(command) => command.run(environment),
            Command::Serve(command) => command.run(environment),
            Command::Key(command) => command.run(environment),
            Command::Token(command) => command.run(environment),
            Command::Principal(command) => command.run(environment),
            Command::Policy(command) => command.run(environment),
            Command::Seal(command) => command.run(environment),
            Command::Open(command) => command.run(environment),
            Command::Sign(command) => command.run(environment),
            Command::Verify(command) => command.run(environment),
            Command::Audit(command) => command.run(environment),
            Command::Root(command) => command.run(environment),
            Command::Codec(command) => command.run(environment),
            Command::Doctor(command) => command.run(environment),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_contradict_nothing() {
        super::Cli::command().debug_assert();
    }
}
