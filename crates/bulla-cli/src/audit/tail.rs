use std::time::Duration;

use bulla_store::{EventRow, Store};
use clap::Args;
use serde_json::Value;

use super::{Log, OpenLog};
use crate::failure::{CommandResult, Outcome};
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(super) log: Log,
    /// How many events
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    lines: u64,
    /// Goes on printing events as they come, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// json is one event a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Tail {
    pub(super) async fn run(&self, log: &OpenLog) -> CommandResult {
        let mut next = log.head.size.saturating_sub(self.lines);
        loop {
            let events = log.store.events(next, 1000).await?;
            for event in &events {
                self.print(event)?;
                next = event.sequence + 1;
            }
            if events.is_empty() {
                if !self.follow {
                    return Ok(Outcome::Done);
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }

    fn print(&self, row: &EventRow) -> Result<(), anyhow::Error> {
        if self.output == Format::Json {
            let mut line = row.event.clone();
            line.push(b'\n');
            return output::bytes(&line);
        }
        let event: Value = serde_json::from_slice(&row.event).unwrap_or_default();
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        let line = format!(
            "{:>8}  {}  {:<24}  {}  {}  {}",
            row.sequence,
            text("/eventTime"),
            text("/eventName"),
            text("/errorCode"),
            text("/userIdentity/arn"),
            text("/resources/0/ARN"),
        );
        output::line(&line.replace(char::is_control, "\u{fffd}"))
    }
}
