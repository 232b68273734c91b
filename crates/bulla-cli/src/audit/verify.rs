use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use bulla_audit::{ActualRow, Completeness, Hash, Report, RowFinding, row_digest};
use bulla_store::{RowFilter, Store, Table};
use clap::Args;
use serde_json::json;

use super::walk::Walk;
use super::{Log, OpenLog};
use crate::failure::{CommandResult, Explained, Outcome};
use crate::output::{self, Format};

/// How often the rows are read again because the service changed some meanwhile.
const ATTEMPTS: u32 = 20;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(super) log: Log,
    /// A checkpoint that was kept elsewhere: the log must extend it. May be given several times
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// A row that decides, as it is in the store.
struct StoredRow {
    table: Table,
    id: String,
    revision: u64,
    digest: Hash,
}

impl Verify {
    pub(super) async fn run(&self, log: &OpenLog) -> CommandResult {
        let mut walk = Walk::new(log);
        for path in &self.checkpoint {
            let note =
                fs::read_to_string(path).with_context(|| format!("reading the checkpoint {}", path.display()))?;
            walk.verifier().compare_with(&note).map_err(|error| {
                anyhow::Error::new(error).context(
                    Explained::new(format!("{} is no checkpoint of this log", path.display()))
                        .hint("it is signed by another key: another log's checkpoint, or this log's key was replaced"),
                )
            })?;
        }
        let rows = rows_as_of_the_log(log, &mut walk).await?;
        let report = walk.finish();
        let row_findings = compare(&report, &rows);
        let suspicion = log.suspicion.as_deref();
        match self.output {
            Format::Json => print_json(&report, &row_findings, suspicion, rows.len())?,
            Format::Text => print_text(&report, &row_findings, suspicion, rows.len())?,
        }
        let clean = report.is_consistent() && row_findings.is_empty() && suspicion.is_none();
        Ok(if clean { Outcome::Done } else { Outcome::Found })
    }
}

/// Walks the log and reads every row that decides, at one metadata revision.
async fn rows_as_of_the_log(log: &OpenLog, walk: &mut Walk<'_>) -> Result<Vec<StoredRow>, anyhow::Error> {
    for _ in 0..ATTEMPTS {
        walk.walk_to_end(&mut |_| Ok(())).await?;
        let rows = stored_rows(log).await?;
        let revision = log.store.head().await?.map(|head| head.metadata_revision);
        // A head that fell back while it was read is a finding of its own, not a reason to read on.
        if revision.is_none_or(|revision| revision <= walk.metadata_revision()) {
            return Ok(rows);
        }
    }
    Err(
        Explained::new("the service changed keys or principals faster than they could be compared")
            .hint("try again when it is less busy")
            .into(),
    )
}

async fn stored_rows(log: &OpenLog) -> Result<Vec<StoredRow>, anyhow::Error> {
    let mut rows = Vec::new();
    for table in Table::ALL {
        let mut after: Option<String> = None;
        loop {
            let page = log.store.list(table, RowFilter::All, after.as_deref(), 1000).await?;
            let whole = page.len() == 1000;
            for row in page.into_iter().filter_map(|lookup| lookup.row) {
                after = Some(row.id.clone());
                let digest = row_digest(table.name(), &row.id, &row.owner, row.revision, &row.body);
                rows.push(StoredRow {
                    table,
                    id: row.id,
                    revision: row.revision,
                    digest,
                });
            }
            if !whole {
                break;
            }
        }
    }
    Ok(rows)
}

fn compare(report: &Report, rows: &[StoredRow]) -> Vec<RowFinding> {
    report.expected_rows.compare(rows.iter().map(|row| ActualRow {
        table: row.table.name(),
        id: &row.id,
        revision: row.revision,
        digest: row.digest,
    }))
}

fn print_text(
    report: &Report,
    rows: &[RowFinding],
    suspicion: Option<&str>,
    compared: usize,
) -> Result<(), anyhow::Error> {
    for finding in &report.findings {
        output::line(&finding.to_string())?;
    }
    if report.suppressed > 0 {
        output::line(&format!("and {} more", report.suppressed))?;
    }
    for finding in rows {
        output::line(&finding.to_string().replace(char::is_control, "\u{fffd}"))?;
    }
    if let Some(suspicion) = suspicion {
        output::line(suspicion)?;
    }
    for intent in &report.open_intents {
        output::say(&format!(
            "event {}: {} was announced and its outcome never recorded",
            intent.sequence, intent.event_name
        ));
    }
    if !report.expected_rows_complete {
        output::say("not every event could be read, so not every row could be judged");
    }
    output::line(&format!(
        "{} events, {} checkpoints, {compared} rows that decide",
        report.rows_read, report.checkpoints_read
    ))?;
    if rows.is_empty() || !report.is_consistent() {
        output::line(&report.to_string())
    } else {
        output::line(&format!(
            "the log is {report}; {} rows are not what it says",
            rows.len()
        ))
    }
}

fn print_json(
    report: &Report,
    rows: &[RowFinding],
    suspicion: Option<&str>,
    compared: usize,
) -> Result<(), anyhow::Error> {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({"Kind": format!("{:?}", finding.kind), "First": finding.first, "Last": finding.last, "Text": finding.to_string()})
        })
        .collect();
    let row_findings: Vec<_> = rows
        .iter()
        .map(|finding| {
            json!({
                "Kind": format!("{:?}", finding.kind),
                "Table": finding.table,
                "Id": finding.id,
                "Sequence": finding.sequence,
                "Text": finding.to_string(),
            })
        })
        .collect();
    let vouched = match report.completeness {
        Completeness::NotVouched => None,
        Completeness::VouchedUpTo { size } => Some(size),
    };
    output::json(&json!({
        "Verdict": report.to_string(),
        "Consistent": report.is_consistent() && rows.is_empty() && suspicion.is_none(),
        "CompleteUpTo": vouched,
        "Events": report.rows_read,
        "Checkpoints": report.checkpoints_read,
        "Rows": compared,
        "Findings": findings,
        "SuppressedFindings": report.suppressed,
        "RowFindings": row_findings,
        "Suspicion": suspicion,
        "OpenIntents": report.open_intents.iter().map(|intent| intent.sequence).collect::<Vec<_>>(),
    }))
}
