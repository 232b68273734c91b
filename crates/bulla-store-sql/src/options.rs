use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bulla_store::StoreError;
use sqlx::ConnectOptions;
use sqlx::any::AnyConnectOptions;

use crate::dialect::Dialect;
use crate::error;

/// Where the database is and how long to wait for it.
#[derive(Clone)]
pub struct OpenOptions {
    url: String,
    pub(crate) lock_timeout: Duration,
    pub(crate) read_connections: u32,
    pub(crate) read_only: bool,
    pub(crate) sqlite_max_pages: Option<u32>,
}

impl OpenOptions {
    /// Takes the URL of a database: `sqlite:///var/lib/bulla/bulla.db`, `postgres://…`, `mysql://…`, `mariadb://…`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            lock_timeout: Duration::from_secs(5),
            read_connections: 4,
            read_only: false,
            sqlite_max_pages: None,
        }
    }

    /// Takes the path of a SQLite file; the file is created (0600) where it is missing, its directory is not.
    pub fn sqlite_file(path: impl AsRef<Path>) -> Self {
        Self::new(format!("sqlite://{}", encode_path(path.as_ref())))
    }

    /// Sets how long `begin` waits for another transaction; 5 s unless told. MySQL counts whole seconds.
    pub fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout;
        self
    }

    /// Sets how many connections serve reads; 4 unless told, at least 1.
    pub fn read_connections(mut self, read_connections: u32) -> Self {
        self.read_connections = read_connections.max(1);
        self
    }

    /// Opens for reading only: nothing is created or migrated, durability is not asked for, and `begin` answers
    /// [`ReadOnly`](StoreError::ReadOnly).
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Bounds the size of a SQLite file, in pages (8 KiB each in a file that this program made); beyond it commits answer [`Full`](StoreError::Full). No bound unless told.
    pub fn sqlite_max_pages(mut self, pages: u32) -> Self {
        self.sqlite_max_pages = Some(pages);
        self
    }

    /// Finds the dialect and what sqlx needs; creates a missing SQLite file.
    pub(crate) fn resolve(&self) -> Result<(Dialect, AnyConnectOptions), StoreError> {
        let dialect = Dialect::from_url(&self.url).ok_or_else(|| {
            StoreError::Failed("the database's URL must begin with sqlite:, postgres: or mysql:".into())
        })?;
        let url = match dialect {
            Dialect::Sqlite => {
                let path = sqlite_path(&self.url)?;
                if !self.read_only {
                    create_file(&path)?;
                }
                format!(
                    "sqlite://{}?mode={}",
                    encode_path(&path),
                    if self.read_only { "ro" } else { "rw" }
                )
            }
            Dialect::Postgres | Dialect::Mysql => self.url.clone(),
        };
        let options = AnyConnectOptions::from_str(&url).map_err(error::from_sqlx)?;
        Ok((dialect, options.disable_statement_logging()))
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may carry a password.
        f.debug_struct("OpenOptions")
            .field("lock_timeout", &self.lock_timeout)
            .field("read_connections", &self.read_connections)
            .field("read_only", &self.read_only)
            .field("sqlite_max_pages", &self.sqlite_max_pages)
            .finish_non_exhaustive()
    }
}

/// Takes the path out of `sqlite:PATH` or `sqlite://PATH`; parameters are refused, since several of them cost durability.
fn sqlite_path(url: &str) -> Result<PathBuf, StoreError> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.contains('?') {
        return Err(StoreError::Failed("a SQLite URL takes no parameters".into()));
    }
    let path = decode_path(path).ok_or_else(|| StoreError::Failed("the path in the SQLite URL is not UTF-8".into()))?;
    if path.is_empty() || path == ":memory:" {
        let setting = String::from("a SQLite database in memory; a file is needed");
        return Err(StoreError::NotDurable { setting });
    }
    std::path::absolute(&path).map_err(|error| StoreError::Failed(Box::new(error)))
}

/// Creates the file before SQLite does, which would make it readable to all; its `-wal` and `-shm` get the same mode.
fn create_file(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly(Box::new(error)),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full(Box::new(error)),
        _ => StoreError::Unavailable(format!("{}: {error}", path.display()).into()),
    };
    match fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(file) => {
            file.sync_all().map_err(failed)?;
            let directory = path.parent().unwrap_or(Path::new("/"));
            // The file's name is durable only when its directory is.
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(failed)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn encode_path(path: &Path) -> String {
    let mut encoded = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(*byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn decode_path(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail
            .get(..2)
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_any_character_goes_through_the_url() {
        for path in ["/tmp/a b.db", "/tmp/a?b#c%41.db", "/tmp/ä/100%.db"] {
            let url = OpenOptions::sqlite_file(path).url;
            assert_eq!(sqlite_path(&url).expect("a path"), Path::new(path), "{url}");
        }
    }

    #[test]
    fn a_database_in_memory_is_not_durable() {
        for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:"] {
            assert!(
                matches!(OpenOptions::new(url).resolve(), Err(StoreError::NotDurable { .. })),
                "{url}"
            );
        }
    }

    #[test]
    fn the_url_is_not_in_debug() {
        let options = OpenOptions::new("postgres://bulla:hunter2@db/bulla");
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
