//! What key files share: how they are made and who may read them.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::LocalErrorKind::{Exists, ForeignOwner, Io, Malformed, Missing, NoDirectory, NotAFile, TooOpen};
use crate::error::KeyFileKind;
use crate::{LocalError, LocalErrorKind};

/// Writes a new file, mode 0600, synced with its directory; what exists is left alone, and nothing is left behind on failure.
///
/// # Errors
/// `Exists`, `NoDirectory`, `Io`.
pub(crate) fn create(path: &Path, what: KeyFileKind, line: &str) -> Result<(), LocalError> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            let kind = match error.kind() {
                ErrorKind::AlreadyExists => Exists,
                ErrorKind::NotFound | ErrorKind::NotADirectory => NoDirectory,
                _ => Io,
            };
            LocalError::new(path, what, kind).with_source(error)
        })?;
    if let Err(error) = write_durably(path, &mut file, line.as_bytes()) {
        let _ = std::fs::remove_file(path);
        return Err(LocalError::new(path, what, Io).with_source(error));
    }
    Ok(())
}

fn write_durably(path: &Path, file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads a file that nobody but its owner may use, of at most `max_bytes`.
///
/// A symbolic link is followed, and what it leads to is checked.
///
/// # Errors
/// `Missing`, `NotAFile`, `TooOpen`, `ForeignOwner`, `Malformed` where it is longer, `Io`.
pub(crate) fn read(path: &Path, what: KeyFileKind, max_bytes: usize) -> Result<Zeroizing<Vec<u8>>, LocalError> {
    let fail = |kind: LocalErrorKind| LocalError::new(path, what, kind);
    let io = |error: std::io::Error| {
        let kind = if error.kind() == ErrorKind::NotFound {
            Missing
        } else {
            Io
        };
        fail(kind).with_source(error)
    };
    // A pipe would block open() until someone writes to it.
    let kind = std::fs::metadata(path).map_err(io)?;
    if !kind.is_file() {
        return Err(fail(NotAFile));
    }
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(fail(NotAFile));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(fail(TooOpen { mode }));
    }
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(fail(ForeignOwner { owner }));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(max_bytes + 1));
    file.take(max_bytes as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > max_bytes {
        return Err(fail(Malformed));
    }
    Ok(bytes)
}
