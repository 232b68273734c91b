//! The program `bulla`: builds the adapters and injects them; the only crate that names one.
//!
//! One file per command. Errors are `error:`, `caused by:` and `hint:` lines on stderr, data goes to stdout, and the exit code is 0 for
//! done, 1 for failed or found wrong, 2 for misuse.

mod audit;
mod cli;
mod codec;
mod data_dir;
mod doctor;
mod failure;
mod init;
mod key;
mod node;
mod open;
mod output;
mod place;
mod policy;
mod principal;
mod process;
mod recovery;
mod rest;
mod root;
mod roots;
mod seal;
mod sealing;
mod serve;
mod settings;
mod sign;
mod signature;
mod streams;
mod token;
mod vault;
mod verify;

use std::process::ExitCode;

use clap::Parser;

/// The server allocates and frees a hundred times a request; this allocator does it in half the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // Before the first byte of a key is in memory, and before a file is made.
    failure::conclude(process::guard().and_then(|()| cli.run(&settings::Environment::of_this_process())))
}
