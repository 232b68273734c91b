use std::io::{self, BufWriter, Write};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::walk::Walk;
use super::{Log, OpenLog};
use crate::failure::{CommandResult, Outcome};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(super) log: Log,
    /// First event
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    from: u64,
    /// Last event; the newest unless given
    #[arg(long, value_name = "SEQUENCE")]
    to: Option<u64>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ExportFormat {
    /// One event a line, the exact bytes that were signed
    #[default]
    JsonLines,
    /// One document: {"Records": […]}
    Cloudtrail,
}

impl Export {
    pub(super) async fn run(&self, log: &OpenLog) -> CommandResult {
        let mut out = BufWriter::new(io::stdout());
        let cloudtrail = self.format == ExportFormat::Cloudtrail;
        let written = "writing to stdout";
        if cloudtrail {
            out.write_all(b"{\"Records\":[").context(written)?;
        }
        let mut walk = Walk::new(log);
        let mut first = true;
        let to = self.to.unwrap_or(u64::MAX);
        walk.walk_to_end(&mut |event| {
            if (self.from..=to).contains(&event.sequence) {
                if cloudtrail && !first {
                    out.write_all(b",").context(written)?;
                }
                first = false;
                out.write_all(&event.event)
                    .and_then(|()| out.write_all(b"\n"))
                    .context(written)?;
            }
            Ok(())
        })
        .await?;
        if cloudtrail {
            out.write_all(b"]}\n").context(written)?;
        }
        out.flush().context(written)?;
        // All of it was read, so all of it is judged, whatever was printed.
        let report = walk.finish();
        if report.is_consistent() {
            return Ok(Outcome::Done);
        }
        for finding in &report.findings {
            output::say(&finding.to_string());
        }
        output::say(&report.to_string());
        Ok(Outcome::Found)
    }
}
