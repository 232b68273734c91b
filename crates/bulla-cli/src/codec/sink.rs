//! The record of a codec that runs alone: one JSON object a line, written before the answer that it is about.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use anyhow::Context as _;
use async_trait::async_trait;
use bulla_server::codec::AccessSink;
use tokio::sync::oneshot;

/// Lines that wait to be written; more are refused, and with them their requests.
const MOST_WAITING: usize = 4_096;

/// Hands lines to a thread that writes all who wait at once and syncs once.
#[derive(Debug, Clone)]
pub(super) struct Sink(SyncSender<Message>);

enum Message {
    Line(Line),
    Reopen(oneshot::Sender<io::Result<()>>),
}

struct Line {
    bytes: Vec<u8>,
    written: oneshot::Sender<io::Result<()>>,
}

/// Starts the thread that writes to a file, or to stdout.
pub(super) fn start(path: Option<&Path>) -> Result<Sink, anyhow::Error> {
    let target = match path {
        None => Target::stream(io::stdout()),
        Some(path) => Target::file(path).with_context(|| format!("opening the record {}", path.display()))?,
    };
    let (sender, receiver) = sync_channel(MOST_WAITING);
    let thread = std::thread::Builder::new().name("access-log".to_owned());
    thread
        .spawn(move || write_all(&receiver, target))
        .context("starting a thread")?;
    Ok(Sink(sender))
}

impl Sink {
    /// Opens the file by its name again, after the lines that wait: somebody may have moved it.
    ///
    /// # Errors
    /// It can't be opened; the one that was open goes on being written.
    pub(super) async fn reopen(&self) -> io::Result<()> {
        let (opened, waiting) = oneshot::channel();
        self.send(Message::Reopen(opened))?;
        waiting.await.unwrap_or_else(|_| Err(ended()))
    }

    fn send(&self, message: Message) -> io::Result<()> {
        self.0.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => io::Error::new(io::ErrorKind::WouldBlock, "too many lines wait"),
            TrySendError::Disconnected(_) => ended(),
        })
    }
}

#[async_trait]
impl AccessSink for Sink {
    async fn write(&self, line: Vec<u8>) -> io::Result<()> {
        let (written, waiting) = oneshot::channel();
        self.send(Message::Line(Line { bytes: line, written }))?;
        waiting.await.unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that writes has ended")
}

fn write_all(messages: &Receiver<Message>, mut target: Target) {
    while let Ok(first) = messages.recv() {
        let mut batch = Vec::new();
        let mut reopened = None;
        for message in std::iter::once(first).chain(messages.try_iter()) {
            match message {
                Message::Line(line) => batch.push(line),
                Message::Reopen(opened) => {
                    reopened = Some(opened);
                    break;
                }
            }
        }
        if !batch.is_empty() {
            write_batch(batch, &mut target);
        }
        if let Some(opened) = reopened {
            let _ = opened.send(target.reopen());
        }
    }
}

fn write_batch(batch: Vec<Line>, target: &mut Target) {
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

/// Where lines go. What a failed write left of a line never becomes the beginning of the next one.
struct Target {
    place: Place,
    /// Part of a line may stand at the end.
    torn: bool,
}

enum Place {
    Stream(Box<dyn Write + Send>),
    File(PathBuf, File),
}

impl Target {
    fn stream(stream: impl Write + Send + 'static) -> Self {
        Self {
            place: Place::Stream(Box::new(stream)),
            torn: false,
        }
    }

    fn file(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).read(true).mode(0o600).open(path)?;
        // A process that was killed may have left part of a line. What is no regular file can't be looked at, and has no past.
        let torn = file.metadata()?.is_file() && file.seek(SeekFrom::End(0))? > 0 && {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            last != *b"\n"
        };
        Ok(Self {
            place: Place::File(path.to_owned(), file),
            torn,
        })
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Place::File(path, _) = &self.place {
            *self = Self::file(path)?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Place::File(_, file) = &self.place {
            let metadata = file.metadata()?;
            if metadata.is_file() && metadata.nlink() == 0 {
                // It was moved and then deleted: lines in it would be nowhere.
                self.reopen()?;
            }
        }
        let before = match &self.place {
            Place::Stream(_) => None,
            Place::File(_, file) => Some(file.metadata()?.len()),
        };
        let written = self.put(bytes);
        match written {
            Ok(()) => self.torn = false,
            Err(_) => self.mend(before),
        }
        written
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let ending: &[u8] = if self.torn { b"\n" } else { b"" };
        let bytes = [ending, bytes].concat();
        match &mut self.place {
            Place::Stream(stream) => {
                stream.write_all(&bytes)?;
                stream.flush()
            }
            Place::File(_, file) => {
                file.write_all(&bytes)?;
                file.sync_data()
            }
        }
    }

    /// Takes what a failed write left out again, so far as that can be: nobody was answered for it.
    fn mend(&mut self, before: Option<u64>) {
        if let (Place::File(_, file), Some(before)) = (&self.place, before)
            && let Ok(metadata) = file.metadata()
            && (metadata.len() <= before || file.set_len(before).is_ok())
        {
            return;
        }
        self.torn = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes half of what it gets, once.
    #[derive(Clone, Default)]
    struct Half(Arc<Mutex<(Vec<u8>, u32)>>);

    impl Write for Half {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut half = self.0.lock().unwrap();
            half.1 += 1;
            let takes = match half.1 {
                1 => bytes.len() / 2,
                2 => return Err(io::ErrorKind::StorageFull.into()),
                _ => bytes.len(),
            };
            half.0.extend_from_slice(&bytes[..takes]);
            Ok(takes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const LINE: &[u8] = b"{\"a\":1}\n";

    #[test]
    fn what_a_failed_write_left_is_no_part_of_the_next_line() {
        let half = Half::default();
        let mut target = Target::stream(half.clone());
        assert!(target.write(LINE).is_err());
        target.write(LINE).unwrap();
        target.write(LINE).unwrap();
        assert_eq!(half.0.lock().unwrap().0, b"{\"a\"\n{\"a\":1}\n{\"a\":1}\n");
    }

    #[test]
    fn half_a_line_in_a_file_is_taken_out_or_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "{\"a\":0}\n{\"left by one that was ki").unwrap();
        let mut target = Target::file(&path).unwrap();
        target.write(LINE).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert!(whole.ends_with(b"was ki\n{\"a\":1}\n"), "{whole:?}");
        std::fs::write(&path, [&whole[..], b"{\"hal"].concat()).unwrap();
        target.mend(Some(whole.len() as u64));
        target.write(LINE).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [&whole[..], LINE].concat());
    }

    #[test]
    fn a_file_that_was_moved_is_made_anew_when_told_or_when_it_was_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut target = Target::file(&path).unwrap();
        std::fs::rename(&path, &moved).unwrap();
        target.write(LINE).unwrap();
        assert_eq!(std::fs::read(&moved).unwrap(), LINE);
        target.reopen().unwrap();
        target.write(LINE).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), LINE);
        std::fs::remove_file(&path).unwrap();
        target.write(LINE).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), LINE);
    }
}
