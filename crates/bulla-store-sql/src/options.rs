use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Where the database is and how long to wait for it.
#[derive(Clone)]
pub struct OpenOptions {
    pub(crate) url: String,
    pub(crate) lock_timeout: Duration,
    pub(crate) read_connections: u32,
    pub(crate) read_only: bool,
}

impl OpenOptions {
    /// Takes the URL of a database: `sqlite:///var/lib/bulla/bulla.db`, `postgres://…`, `mysql://…`, `mariadb://…`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), lock_timeout: Duration::from_secs(5), read_connections: 4, read_only: false }
    }

    /// Takes the path of a SQLite file; the file is created (0600) where it is missing, its directory is not.
    pub fn sqlite_file(path: impl AsRef<Path>) -> Self {
        let mut url = String::from("sqlite://");
        for byte in path.as_ref().as_os_str().as_encoded_bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
        Self::new(url)
    }

    /// Sets how long `begin` waits for another transaction; 5 s unless told.
    pub fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout;
        self
    }

    /// Sets how many connections serve reads; 4 unless told, at least 1.
    pub fn read_connections(mut self, read_connections: u32) -> Self {
        self.read_connections = read_connections.max(1);
        self
    }

    /// Opens for reading only: nothing is created or migrated, `begin` answers [`ReadOnly`](bulla_store::StoreError::ReadOnly).
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may carry a password.
        f.debug_struct("OpenOptions")
            .field("lock_timeout", &self.lock_timeout)
            .field("read_connections", &self.read_connections)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
