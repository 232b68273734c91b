use std::io::{self, BufWriter, Write};

use anyhow::Context as _;
use bulla_audit::{BusinessHours, EventFilter, Outcome as Ended, Principals};
use bulla_store::EventRow;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::walk::Walk;
use super::{Log, OpenLog};
use crate::failure::{CommandResult, Explained, Outcome};
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Which report
    #[arg(value_enum)]
    kind: Kind,
    /// The client, for the report of that name
    #[arg(value_name = "CLIENT", required_if_eq("kind", "client"))]
    client: Option<String>,
    #[command(flatten)]
    pub(super) log: Log,
    /// From this moment on (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<i64>,
    /// Before this moment (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<i64>,
    /// Business hours; UTC unless an offset follows
    #[arg(long, value_name = "HOURS", default_value_t)]
    hours: BusinessHours,
    /// json is one event, or one principal, a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Every access for one client
    Client,
    /// Accesses outside business hours
    OutsideHours,
    /// Principals by the number of their accesses
    Principals,
    /// Denied and failed attempts
    Denied,
}

impl Report {
    /// Prints a report and verifies the whole log on the way; exit code 1 where that finds anything.
    pub(super) async fn run(&self, log: &OpenLog) -> CommandResult {
        if self.client.is_some() && self.kind != Kind::Client {
            return Err(Explained::misuse("only the report client takes a client").into());
        }
        let (filter, mut principals) = (self.filter(), Principals::default());
        let mut out = BufWriter::new(io::stdout());
        let mut walk = Walk::new(log);
        walk.walk_to_end(&mut |row| {
            // What is no event is named by the verifier.
            let event: Value = serde_json::from_slice(&row.event).unwrap_or_default();
            if !filter.matches(&event) {
                return Ok(());
            }
            if self.kind == Kind::Principals {
                principals.count(&event);
                return Ok(());
            }
            self.print(&mut out, row, &event).context("writing to stdout")
        })
        .await?;
        if self.kind == Kind::Principals {
            self.print_principals(&mut out, principals)
                .context("writing to stdout")?;
        }
        out.flush().context("writing to stdout")?;
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

    fn filter(&self) -> EventFilter {
        let filter = EventFilter {
            from_micros: self.from,
            to_micros: self.to,
            client: self.client.clone(),
            ..EventFilter::default()
        };
        match self.kind {
            Kind::Client => filter,
            Kind::OutsideHours => EventFilter {
                outside: Some(self.hours),
                accesses_only: true,
                ..filter
            },
            Kind::Principals => EventFilter {
                accesses_only: true,
                ..filter
            },
            Kind::Denied => EventFilter {
                outcome: Some(Ended::Failed),
                ..filter
            },
        }
    }

    fn print(&self, out: &mut impl Write, row: &EventRow, event: &Value) -> io::Result<()> {
        if self.output == Format::Json {
            out.write_all(&row.event)?;
            return out.write_all(b"\n");
        }
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        let line = format!(
            "{:>8}  {}  {:<20}  {:<28}  {}  {}",
            row.sequence,
            text("/eventTime"),
            text("/eventName"),
            text("/errorCode"),
            text("/userIdentity/arn"),
            text("/resources/0/ARN"),
        );
        writeln!(out, "{}", line.replace(char::is_control, "\u{fffd}"))
    }

    fn print_principals(&self, out: &mut impl Write, principals: Principals) -> io::Result<()> {
        let (rows, others) = principals.finish();
        for row in rows {
            if self.output == Format::Json {
                let line = json!({"principal": row.principal, "accesses": row.accesses, "failed": row.failed,
                    "first": row.first, "last": row.last});
                writeln!(out, "{line}")?;
            } else {
                let line = format!(
                    "{:>10}  {:>10}  {}  {}",
                    row.accesses, row.failed, row.last, row.principal
                );
                writeln!(out, "{}", line.replace(char::is_control, "\u{fffd}"))?;
            }
        }
        if others > 0 {
            output::say(&format!(
                "{others} further accesses by principals that were not counted by themselves"
            ));
        }
        Ok(())
    }
}

fn moment(text: &str) -> Result<i64, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "no RFC 3339 time".to_owned())?;
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1000)).map_err(|_| "too far".to_owned())
}
