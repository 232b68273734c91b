use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use super::SpoolError;
use super::files::{Directory, disk};

/// Bytes after which the next segment begins.
const SEGMENT_BYTES: u64 = 1 << 20;
/// Events that one sync is for at most.
const TOGETHER: usize = 1_000;

/// A thread that appends events and syncs them, for all who wait at once.
pub(super) struct Writer {
    requests: mpsc::Sender<Request>,
    waiting: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    written: watch::Receiver<u64>,
}

struct Request {
    line: Vec<u8>,
    done: oneshot::Sender<Result<(), SpoolError>>,
}

/// What the sender needs to know of the writer.
pub(super) struct Written {
    /// Bytes that wait for delivery.
    pub(super) waiting: Arc<AtomicU64>,
    /// Posts that the service refused.
    pub(super) refused: Arc<AtomicU64>,
    /// The segment that is being written; changes with each sync.
    pub(super) segment: watch::Receiver<u64>,
}

impl Written {
    /// Counts bytes as delivered. What a failed write left in a segment is delivered, and was never counted.
    pub(super) fn subtract(&self, bytes: u64) {
        let _ = self
            .waiting
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |waiting| {
                Some(waiting.saturating_sub(bytes))
            });
    }
}

impl Writer {
    pub(super) fn start(directory: Arc<Directory>, max_bytes: u64) -> Result<Self, SpoolError> {
        let cursor = directory.cursor().map_err(disk)?;
        let segments = directory.segments().map_err(disk)?;
        let left = segments.iter().filter(|(number, _)| *number >= cursor.segment);
        let bytes: u64 = left.map(|(_, size)| size).sum();
        let waiting = Arc::new(AtomicU64::new(bytes.saturating_sub(cursor.offset)));
        // Always a new one: the last of before may end in half a line.
        let number = segments.last().map_or(0, |(number, _)| *number).max(cursor.segment) + 1;
        let file = directory.create(number).map_err(disk)?;
        let (requests, inbox) = mpsc::channel(TOGETHER);
        let (announce, written) = watch::channel(number);
        let mut thread = Thread {
            directory,
            file,
            number,
            size: 0,
            max_bytes,
            waiting: Arc::clone(&waiting),
            announce,
            broken: false,
        };
        std::thread::Builder::new()
            .name("bulla-spool".into())
            .spawn(move || thread.run(inbox))
            .map_err(disk)?;
        Ok(Self {
            requests,
            waiting,
            refused: Arc::default(),
            written,
        })
    }

    /// Appends one line; it is durable on `Ok`.
    pub(super) async fn write(&self, line: Vec<u8>) -> Result<(), SpoolError> {
        let (done, answer) = oneshot::channel();
        let request = Request { line, done };
        self.requests.send(request).await.map_err(|_| SpoolError::Ended)?;
        answer.await.unwrap_or(Err(SpoolError::Ended))
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(super) fn refused_posts(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn written(&self) -> Written {
        Written {
            waiting: Arc::clone(&self.waiting),
            refused: Arc::clone(&self.refused),
            segment: self.written.clone(),
        }
    }
}

struct Thread {
    directory: Arc<Directory>,
    file: File,
    number: u64,
    size: u64,
    max_bytes: u64,
    waiting: Arc<AtomicU64>,
    announce: watch::Sender<u64>,
    /// A write or sync failed: what the file's end holds is not known, so the next events go to another one.
    broken: bool,
}

impl Thread {
    fn run(&mut self, mut inbox: mpsc::Receiver<Request>) {
        while let Some(first) = inbox.blocking_recv() {
            let mut together = vec![first];
            while let Ok(next) = inbox.try_recv() {
                together.push(next);
                if together.len() == TOGETHER {
                    break;
                }
            }
            self.append(together);
        }
    }

    fn append(&mut self, requests: Vec<Request>) {
        let mut lines = Vec::new();
        let mut accepted = Vec::new();
        for request in requests {
            let would_wait = self.waiting.load(Ordering::SeqCst) + (lines.len() + request.line.len()) as u64;
            if would_wait > self.max_bytes {
                let _ = request.done.send(Err(SpoolError::Full));
            } else {
                lines.extend_from_slice(&request.line);
                accepted.push(request.done);
            }
        }
        if accepted.is_empty() {
            return;
        }
        let written = self.write(&lines).map_err(disk);
        match &written {
            Ok(()) => {
                self.waiting.fetch_add(lines.len() as u64, Ordering::SeqCst);
                self.announce.send_replace(self.number);
            }
            Err(error) => {
                self.broken = true;
                let error: &dyn std::error::Error = error;
                tracing::error!(error, "access events can't be written: accesses fail");
            }
        }
        for done in accepted {
            let _ = done.send(written.clone());
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.broken || self.size >= SEGMENT_BYTES {
            let next = self.number + 1;
            self.file = self.directory.create(next)?;
            (self.number, self.size, self.broken) = (next, 0, false);
        }
        self.file.write_all(lines)?;
        self.file.sync_data()?;
        self.size += lines.len() as u64;
        Ok(())
    }
}
