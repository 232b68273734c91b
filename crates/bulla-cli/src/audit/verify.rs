use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use bulla_audit::{ActualRow, Completeness, Hash, Report, RowFinding, row_digest};
use bulla_service::{ForgedRow, Service};
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

/// What was found beside the log.
struct Findings {
    /// Rows that are not what the log says.
    rows: Vec<RowFinding>,
    /// Rows that are what the log says, and that the service refuses nevertheless.
    forged: Vec<ForgedRow>,
    suspicion: Vec<String>,
    /// Rows that were compared.
    compared: usize,
    /// Whether MACs were checked, too.
    with_macs: bool,
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
        let mut findings = Findings {
            rows: compare(&report, &rows),
            forged: Vec::new(),
            suspicion: log.suspicion.iter().cloned().collect(),
            compared: rows.len(),
            with_macs: log.service.is_some(),
        };
        drop(rows);
        if let Some(service) = &log.service {
            findings.check_macs(service).await?;
        }
        match self.output {
            Format::Json => print_json(&report, &findings)?,
            Format::Text => print_text(&report, &findings)?,
        }
        let clean = report.is_consistent() && findings.is_empty();
        Ok(if clean { Outcome::Done } else { Outcome::Found })
    }
}

impl Findings {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.forged.is_empty() && self.suspicion.is_empty()
    }

    /// Checks what only the store key can tell.
    async fn check_macs(&mut self, service: &Service) -> Result<(), anyhow::Error> {
        let named: HashSet<(&str, &str)> = self
            .rows
            .iter()
            .map(|finding| (finding.table.as_str(), finding.id.as_str()))
            .collect();
        let forged = &mut self.forged;
        let verified = service
            .verify_rows(&mut |row| {
                // Each row is named once; what the log says of it comes first.
                if !named.contains(&(row.table, row.id.as_str())) {
                    forged.push(row);
                }
            })
            .await?;
        if verified.changes_up_to.is_none() {
            let suspicion = "the change feed has a gap, a forged change, or one that the log does not know";
            self.suspicion.push(suspicion.to_owned());
        }
        Ok(())
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
    for table in Table::ALL.into_iter().filter(|table| table.decides()) {
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

fn print_text(report: &Report, findings: &Findings) -> Result<(), anyhow::Error> {
    let Findings { rows, compared, .. } = findings;
    for finding in &report.findings {
        output::line(&finding.to_string())?;
    }
    if report.suppressed > 0 {
        output::line(&format!("and {} more", report.suppressed))?;
    }
    for finding in rows {
        output::line(&finding.to_string().replace(char::is_control, "\u{fffd}"))?;
    }
    for forged in &findings.forged {
        output::line(&forged.to_string().replace(char::is_control, "\u{fffd}"))?;
    }
    for suspicion in &findings.suspicion {
        output::line(suspicion)?;
    }
    if !findings.with_macs {
        output::say("the MACs of rows and changes were not checked: that takes the root key");
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
    if findings.is_empty() || !report.is_consistent() {
        output::line(&report.to_string())
    } else {
        output::line(&format!(
            "the log is {report}; {} rows are not what they must be",
            rows.len() + findings.forged.len()
        ))
    }
}

fn print_json(report: &Report, findings: &Findings) -> Result<(), anyhow::Error> {
    let log_findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({"Kind": format!("{:?}", finding.kind), "First": finding.first, "Last": finding.last, "Text": finding.to_string()})
        })
        .collect();
    let forged = findings.forged.iter().map(|row| {
        json!({
            "Kind": "Forged",
            "Table": row.table,
            "Id": row.id,
            "Sequence": null,
            "Text": row.to_string(),
        })
    });
    let row_findings: Vec<_> = findings
        .rows
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
        .chain(forged)
        .collect();
    let vouched = match report.completeness {
        Completeness::NotVouched => None,
        Completeness::VouchedUpTo { size } => Some(size),
    };
    output::json(&json!({
        "Verdict": report.to_string(),
        "Consistent": report.is_consistent() && findings.is_empty(),
        "CompleteUpTo": vouched,
        "Events": report.rows_read,
        "Checkpoints": report.checkpoints_read,
        "Rows": findings.compared,
        "MacsChecked": findings.with_macs,
        "Findings": log_findings,
        "SuppressedFindings": report.suppressed,
        "RowFindings": row_findings,
        "Suspicions": findings.suspicion,
        "OpenIntents": report.open_intents.iter().map(|intent| intent.sequence).collect::<Vec<_>>(),
    }))
}
