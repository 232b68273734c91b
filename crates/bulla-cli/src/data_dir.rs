//! The data directory: what lies in it, who may use it, and what it was made for.
//!
//! ```text
//! mode         "incomplete" while it is being made, then "production" or "development"
//! bulla.toml   where root key and database are, where not here
//! root.key     the root key (0600), unless the root is elsewhere
//! bulla.db     the database (SQLite), unless it is elsewhere
//! audit.pub    the audit log's verifier key; public
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bulla_service::Mode;

use crate::failure::Explained;
use crate::settings::Settings;

const MODE_FILE: &str = "mode";
const INCOMPLETE: &str = "incomplete";
const ROOT_KEY: &str = "root.key";
const DATABASE: &str = "bulla.db";
const PUBLIC_KEY: &str = "audit.pub";

/// Everything that `init` may have written; nothing else is ever removed.
const OWN_FILES: &[&str] = &[
    ROOT_KEY,
    DATABASE,
    "bulla.db-wal",
    "bulla.db-shm",
    "bulla.db-journal",
    Settings::FILE_NAME,
    PUBLIC_KEY,
    ".new",
    // Last: while it says "incomplete", cleaning can go on where it stopped.
    MODE_FILE,
];

/// What a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It does not exist, or is empty.
    Vacant,
    /// `init` began it and did not finish.
    Incomplete,
    /// It was finished, for this mode.
    Made(Mode),
    /// It holds files that Bulla did not make.
    Foreign,
}

/// A data directory by its path.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// A data directory that is being made; until [`finish`](Self::finish) nothing opens it.
#[derive(Debug)]
pub(crate) struct Unfinished {
    dir: DataDir,
    /// Holds the lock that tells a crashed `init` from a running one.
    lock: File,
}

impl DataDir {
    /// Names a data directory, existing or not.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn root_key(&self) -> PathBuf {
        self.path.join(ROOT_KEY)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub(crate) fn public_key(&self) -> PathBuf {
        self.path.join(PUBLIC_KEY)
    }

    /// Says what the directory is.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn state(&self) -> Result<State, anyhow::Error> {
        let reading = || format!("reading the data directory {}", self.path.display());
        match fs::read_to_string(self.path.join(MODE_FILE)) {
            Ok(text) => Ok(match text.trim() {
                "production" => State::Made(Mode::Production),
                "development" => State::Made(Mode::Development),
                text if self.is_unfinished(text) => State::Incomplete,
                _ => State::Foreign,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_dir(&self.path) {
                Ok(mut entries) => Ok(if entries.next().is_none() {
                    State::Vacant
                } else {
                    State::Foreign
                }),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::Vacant),
                Err(error) => Err(error).with_context(reading),
            },
            Err(error) => Err(error).with_context(reading),
        }
    }

    /// Checks that only this process's user can enter the directory.
    ///
    /// # Errors
    /// Its mode or owner is another.
    pub(crate) fn check_permissions(&self) -> Result<(), anyhow::Error> {
        let metadata =
            fs::metadata(&self.path).with_context(|| format!("reading the data directory {}", self.path.display()))?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = format!(
                "the data directory {} lets others in: its mode is {mode:04o}",
                self.path.display()
            );
            return Err(Explained::new(what)
                .hint(format!("chmod 700 {}", self.path.display()))
                .into());
        }
        let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
        if owner != me && owner != 0 {
            let what = format!(
                "the data directory {} belongs to user {owner}, not to {me}",
                self.path.display()
            );
            return Err(Explained::new(what).hint("run bulla as the directory's owner").into());
        }
        Ok(())
    }

    /// Checks that the directory was made for `mode`, and that only its owner can enter it.
    ///
    /// # Errors
    /// It is absent, unfinished, foreign, of the other mode, or open to others.
    pub(crate) fn require(&self, mode: Mode) -> Result<(), anyhow::Error> {
        let path = self.path.display();
        let refused = match self.state()? {
            State::Made(made) if made == mode => return self.check_permissions(),
            State::Made(Mode::Development) => Explained::new(format!(
                "{path} is a development directory, where everybody is the administrator"
            ))
            .hint("serve it with --dev, or make another with bulla init"),
            State::Made(Mode::Production) => {
                Explained::new(format!("{path} was made by bulla init: --dev would let everybody in"))
                    .hint("serve it without --dev, or name another directory")
            }
            State::Vacant => Explained::new(format!("there is no data directory at {path}")).hint(format!(
                "make one with bulla init --data-dir {path}, or try bulla serve --dev"
            )),
            State::Incomplete => self.unfinished(),
            State::Foreign => self.foreign("name the directory that bulla init made with --data-dir"),
        };
        Err(refused.into())
    }

    fn foreign(&self, hint: &str) -> Explained {
        let (path, mode) = (self.path.display(), self.path.join(MODE_FILE));
        if mode.exists() {
            let what = format!(
                "{} does not say what the directory is: it is damaged, or not bulla's",
                mode.display()
            );
            let mend = "production, where bulla init made the directory, or development, where serve --dev did";
            return Explained::new(what).hint(format!("write into it what it said: {mend}"));
        }
        Explained::new(format!("{path} is not a data directory of bulla, and not empty")).hint(hint)
    }

    fn unfinished(&self) -> Explained {
        let path = self.path.display();
        Explained::new(format!("the data directory {path} was never finished")).hint(format!(
            "run bulla init --data-dir {path} again: it removes what the first run left, then starts anew"
        ))
    }

    /// Begins a new directory, mode 0700; removes what an `init` that did not finish left in it, and nothing else.
    ///
    /// # Errors
    /// It exists and is finished or foreign, another process is making it, or the disk refuses.
    pub(crate) fn begin(&self) -> Result<Unfinished, anyhow::Error> {
        let path = self.path.display();
        match self.state()? {
            State::Vacant | State::Incomplete => {}
            State::Made(mode) => {
                return Err(Explained::new(format!("{path} is a {mode} data directory already"))
                    .hint("name another directory; what exists is never overwritten")
                    .into());
            }
            State::Foreign => return Err(self.foreign("name an empty or a new directory").into()),
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .with_context(|| format!("making the data directory {path}"))?;
        self.check_permissions()?;
        let (mut lock, crashed) = self.lock_mode_file()?;
        if crashed {
            self.remove_own_files(false)?;
        }
        lock.set_len(0)
            .and_then(|()| lock.write_all(INCOMPLETE.as_bytes()))
            .and_then(|()| lock.sync_all())?;
        self.sync()?;
        Ok(Unfinished {
            dir: self.clone(),
            lock,
        })
    }

    fn lock_mode_file(&self) -> Result<(File, bool), anyhow::Error> {
        let path = self.path.join(MODE_FILE);
        let existed = path.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Explained::new(format!("another bulla is making {} now", self.path.display())).into());
            }
            Err(TryLockError::Error(error)) => return Err(error).context("locking the data directory"),
        }
        // Between the look and the lock another process may have finished it: then the file was replaced.
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        if !self.is_unfinished(text.trim()) || file.metadata()?.ino() != fs::metadata(&path)?.ino() {
            return Err(Explained::new(format!("another bulla has made {} meanwhile", self.path.display())).into());
        }
        file.rewind()?;
        Ok((file, existed))
    }

    /// Whether an `init` began the directory and did not finish, by the text of its mode file.
    ///
    /// Empty or cut, the file says so only where nothing lies beside it: `init` writes it whole before anything else. Beside other files
    /// it was damaged later, and what it said of them is not known.
    fn is_unfinished(&self, text: &str) -> bool {
        let alone = || {
            let others = OWN_FILES.iter().filter(|name| **name != MODE_FILE);
            others.into_iter().all(|name| !self.path.join(name).exists())
        };
        text == INCOMPLETE || (INCOMPLETE.starts_with(text) && alone())
    }

    fn remove_own_files(&self, with_mode_file: bool) -> Result<(), anyhow::Error> {
        for name in OWN_FILES.iter().filter(|name| with_mode_file || **name != MODE_FILE) {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", self.path.join(name).display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a file of the directory durably and at once, mode 0600, over an older one.
    ///
    /// # Errors
    /// The disk refuses; the older file is then as it was.
    pub(crate) fn write_file(&self, name: &str, content: &[u8]) -> Result<(), anyhow::Error> {
        let (new, path) = (self.path.join(".new"), self.path.join(name));
        write_new(&new, content)
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("writing {}", path.display()))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), anyhow::Error> {
        File::open(&self.path)
            .and_then(|dir| dir.sync_all())
            .with_context(|| format!("syncing {}", self.path.display()))
    }
}

impl Unfinished {
    pub(crate) fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// Marks the directory as complete: from now on it can be served.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn finish(self, mode: Mode, settings: &str, verifier_key: &str) -> Result<DataDir, anyhow::Error> {
        if !settings.is_empty() {
            self.dir.write_file(Settings::FILE_NAME, settings.as_bytes())?;
        }
        self.dir
            .write_file(PUBLIC_KEY, format!("{verifier_key}\n").as_bytes())?;
        self.dir.write_file(MODE_FILE, format!("{mode}\n").as_bytes())?;
        drop(self.lock);
        Ok(self.dir)
    }

    /// Removes what was made of it.
    pub(crate) fn abandon(self) -> Result<(), anyhow::Error> {
        self.dir.remove_own_files(true)
    }
}

fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_dir() -> (tempfile::TempDir, DataDir) {
        let temp = tempfile::tempdir().expect("a directory");
        let dir = DataDir::new(temp.path().join("data"));
        (temp, dir)
    }

    #[test]
    fn a_directory_is_closed_to_others_and_opens_only_in_its_own_mode() {
        let (_temp, dir) = new_dir();
        assert_eq!(dir.state().unwrap(), State::Vacant);
        dir.begin().unwrap().finish(Mode::Production, "", "key").unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
        dir.require(Mode::Production).unwrap();
        assert!(
            dir.require(Mode::Development)
                .unwrap_err()
                .to_string()
                .contains("made by bulla init")
        );
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o750)).unwrap();
        assert!(dir.require(Mode::Production).unwrap_err().to_string().contains("0750"));
    }

    #[test]
    fn an_unfinished_directory_is_refused_and_the_next_init_cleans_only_its_own_files() {
        let (_temp, dir) = new_dir();
        drop(dir.begin().unwrap());
        for name in ["root.key", "bulla.db", "bulla.db-wal", "notes.txt"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        assert_eq!(dir.state().unwrap(), State::Incomplete);
        assert!(
            dir.require(Mode::Production)
                .unwrap_err()
                .to_string()
                .contains("never finished")
        );
        let again = dir.begin().unwrap();
        assert!(!dir.root_key().exists() && !dir.database().exists());
        assert!(dir.path().join("notes.txt").exists());
        again.finish(Mode::Production, "", "key").unwrap();
        dir.require(Mode::Production).unwrap();
    }

    #[test]
    fn what_is_finished_or_foreign_is_never_begun_again() {
        let (_temp, dir) = new_dir();
        dir.begin().unwrap().finish(Mode::Production, "", "key").unwrap();
        assert!(dir.begin().unwrap_err().to_string().contains("already"));
        let (_temp, foreign) = new_dir();
        fs::create_dir(foreign.path()).unwrap();
        fs::write(foreign.path().join("root.key"), "mine").unwrap();
        assert!(foreign.begin().unwrap_err().to_string().contains("not empty"));
        assert_eq!(fs::read_to_string(foreign.root_key()).unwrap(), "mine");
    }

    #[test]
    fn two_at_once_do_not_make_one_directory() {
        let (_temp, dir) = new_dir();
        let first = dir.begin().unwrap();
        assert!(dir.begin().unwrap_err().to_string().contains("another bulla"));
        first.finish(Mode::Production, "", "key").unwrap();
    }
}
