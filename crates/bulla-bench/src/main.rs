//! Measures Bulla beside its floors: `bulla-bench [--quick] [--json] [FILTER]`.
//!
//! Each figure stands beside what the same machine does at least for the same work, measured in the same run and in turns with it.

mod codec;
mod report;
mod seal;
mod serve;
mod tokens;

use anyhow::Result;
use clap::Parser;

use crate::report::{Figure, Reporter};

/// Measures Bulla beside its floors.
#[derive(Debug, Parser)]
#[command(name = "bulla-bench")]
struct Arguments {
    /// Measures for a shorter time: within 30 s in all.
    #[arg(long)]
    quick: bool,
    /// Prints one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Measures only what has this in its name, such as seal/256 or serve.
    filter: Option<String>,
}

/// Measures a group: gets `quick`, which names are wanted, and where figures go.
type Group = fn(bool, &dyn Fn(&str) -> bool, &mut dyn FnMut(Figure)) -> Result<()>;

/// The groups, in the order in which they run.
const GROUPS: &[Group] = &[seal::run, serve::run, tokens::run, codec::run];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wanted = |name: &str| {
        arguments
            .filter
            .as_ref()
            .is_none_or(|filter| name.contains(filter.as_str()))
    };
    let mut reporter = Reporter::new(arguments.json);
    for group in GROUPS {
        group(arguments.quick, &wanted, &mut |figure| reporter.report(&figure))?;
    }
    Ok(())
}
