use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::SpoolError;

/// A spool's directory: numbered segments of lines, how far they were delivered, and a lock.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held as long as the directory is.
    _lock: File,
}

/// How far events were delivered: everything before this segment, and this many bytes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cursor {
    pub(super) segment: u64,
    pub(super) offset: u64,
    /// Bytes from there on that are being posted as one batch, and may have been taken already; 0 for none.
    pub(super) posting: usize,
}

impl Cursor {
    pub(super) fn at(segment: u64, offset: u64) -> Self {
        Self {
            segment,
            offset,
            posting: 0,
        }
    }
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, SpoolError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(disk)?;
        let lock = private(path.join("lock"), false).map_err(disk)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| SpoolError::InUse)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The numbers of the segments that are there, ascending, with their sizes in bytes.
    pub(super) fn segments(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("events-"));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                segments.push((number, entry.metadata()?.len()));
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// Begins a segment that is not there yet.
    pub(super) fn create(&self, segment: u64) -> io::Result<File> {
        let file = private(self.segment(segment), true)?;
        // The name is durable before the first event in it is acknowledged.
        File::open(&self.path)?.sync_all()?;
        Ok(file)
    }

    pub(super) fn remove(&self, segment: u64) -> io::Result<()> {
        fs::remove_file(self.segment(segment))
    }

    /// Reads whole lines from a place on, at most so many and so many bytes; a line that a crash cut off is not one.
    pub(super) fn read(&self, at: Cursor, most: usize, lines: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.segment(at.segment))?;
        file.seek(SeekFrom::Start(at.offset))?;
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes)?;
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let end = ends.take(lines).last().map_or(0, |(at, _)| at + 1);
        bytes.truncate(end);
        Ok(bytes)
    }

    pub(super) fn cursor(&self) -> io::Result<Cursor> {
        let text = match fs::read_to_string(self.path.join("delivered")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Cursor::default()),
            Err(error) => return Err(error),
        };
        let parsed = || {
            let mut numbers = text.split_whitespace();
            Some(Cursor {
                segment: numbers.next()?.parse().ok()?,
                offset: numbers.next()?.parse().ok()?,
                posting: numbers.next()?.parse().ok()?,
            })
        };
        parsed().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a cursor"))
    }

    pub(super) fn store_cursor(&self, cursor: Cursor) -> io::Result<()> {
        let fresh = self.path.join("delivered.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        writeln!(file, "{} {} {}", cursor.segment, cursor.offset, cursor.posting)?;
        file.sync_all()?;
        fs::rename(fresh, self.path.join("delivered"))
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("events-{number:016}"))
    }
}

fn private(path: PathBuf, new: bool) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .create_new(new)
        .mode(0o600)
        .open(path)
}

pub(super) fn disk(error: io::Error) -> SpoolError {
    SpoolError::Disk(Arc::new(error))
}
