//! Prints what a group commit costs: `cargo run --release -p bulla-store-sql --example commit_cost -- [URL]`.
//!
//! The URL is that of an empty database; without one a SQLite file in the temporary directory is used.
#![expect(clippy::print_stdout, reason = "an example that prints figures")]

use std::error::Error;
use std::time::Instant;

use bulla_store::{CheckpointRow, EventRow, HeadRow, Store};
use bulla_store_sql::{OpenOptions, SqlStore};

const COMMITS: u64 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let options = match std::env::args().nth(1) {
        Some(url) => OpenOptions::new(url),
        None => OpenOptions::sqlite_file(directory.path().join("bulla.db")),
    };
    let store = SqlStore::open(options).await?;
    let mut sequence = store.head().await?.map_or(0, |head| head.size);
    println!("events/commit  us/commit  us/event  cpu us/commit  cpu us/event");
    for batch in [1, 16, 64, 256] {
        let (started, cpu) = (Instant::now(), cpu_us()?);
        for _ in 0..COMMITS {
            let events: Vec<_> = (sequence..sequence + batch)
                .map(|sequence| EventRow {
                    sequence,
                    event: vec![b'e'; 900],
                })
                .collect();
            sequence += batch;
            let note = "n".repeat(300);
            let mut transaction = store.begin().await?;
            transaction.head().await?;
            transaction.append_events(&events).await?;
            transaction
                .put_checkpoint(&CheckpointRow {
                    size: sequence,
                    note: note.clone(),
                })
                .await?;
            let head = HeadRow {
                size: sequence,
                metadata_revision: 0,
                state: vec![0; 700],
                checkpoint: note,
            };
            transaction.put_head(&head).await?;
            transaction.commit().await?;
        }
        let wall = started.elapsed().as_secs_f64() * 1e6 / COMMITS as f64;
        let cpu = (cpu_us()? - cpu) / COMMITS as f64;
        let events = batch as f64;
        println!(
            "{batch:13}  {wall:9.1}  {:8.2}  {cpu:13.1}  {:12.2}",
            wall / events,
            cpu / events
        );
    }
    Ok(())
}

/// Processor time of this process so far, in µs: user and system, in ticks of 10 ms.
fn cpu_us() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(") ").next().ok_or("no fields")?;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .ok_or("no ticks")
    };
    Ok((ticks(11)? + ticks(12)?) * 10_000.0)
}
