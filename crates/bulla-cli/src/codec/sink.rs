//! The record of a codec that runs alone: one JSON object a line, written before the answer that it is about.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use anyhow::Context as _;
use async_trait::async_trait;
use bulla_server::codec::AccessSink;
use tokio::sync::oneshot;

/// Lines that wait to be written; more are refused, and with them their requests.
const MOST_WAITING: usize = 4_096;

/// Hands lines to a thread that writes all who wait at once and syncs once.
#[derive(Debug)]
struct Sink(SyncSender<Line>);

struct Line {
    bytes: Vec<u8>,
    written: oneshot::Sender<io::Result<()>>,
}

enum Target {
    Stdout,
    File(File),
}

/// Starts the thread that writes to a file, or to stdout.
pub(super) fn start(path: Option<&Path>) -> Result<Arc<dyn AccessSink>, anyhow::Error> {
    let target = match path {
        None => Target::Stdout,
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            Target::File(file.with_context(|| format!("opening the record {}", path.display()))?)
        }
    };
    let (sender, receiver) = sync_channel(MOST_WAITING);
    let thread = std::thread::Builder::new().name("access-log".to_owned());
    thread
        .spawn(move || write_all(&receiver, target))
        .context("starting a thread")?;
    Ok(Arc::new(Sink(sender)))
}

fn write_all(lines: &Receiver<Line>, mut target: Target) {
    while let Ok(first) = lines.recv() {
        let mut batch = vec![first];
        batch.extend(lines.try_iter());
        let bytes: Vec<u8> = batch.iter().flat_map(|line| line.bytes.iter().copied()).collect();
        let result = target.write(&bytes);
        for line in batch {
            let result = result
                .as_ref()
                .copied()
                .map_err(|error| io::Error::new(error.kind(), error.to_string()));
            // Who gave up waiting needs no answer.
            let _ = line.written.send(result);
        }
    }
}

impl Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::File(file) => {
                file.write_all(bytes)?;
                file.sync_data()
            }
        }
    }
}

#[async_trait]
impl AccessSink for Sink {
    async fn write(&self, line: Vec<u8>) -> io::Result<()> {
        let (written, waiting) = oneshot::channel();
        self.0
            .try_send(Line { bytes: line, written })
            .map_err(|error| match error {
                TrySendError::Full(_) => io::Error::new(io::ErrorKind::WouldBlock, "too many lines wait"),
                TrySendError::Disconnected(_) => io::Error::other("the thread that writes has ended"),
            })?;
        waiting
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the thread that writes has ended")))
    }
}
