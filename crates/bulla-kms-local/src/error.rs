use std::error::Error;
use std::path::{Path, PathBuf};

use bulla_kms::{KmsError, KmsErrorKind};

/// A key file that can't be made or used.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {kind}", path.display())]
pub struct LocalError {
    /// The file.
    pub path: PathBuf,
    /// What it was taken for.
    pub what: KeyFileKind,
    /// What is wrong with it.
    pub kind: LocalErrorKind,
    /// What the system said.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a key file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileKind {
    /// A key that wraps data keys.
    #[error("root key file")]
    RootKey,
    /// A key that signs.
    #[error("signing key file")]
    SigningKey,
}

/// What is wrong with a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocalErrorKind {
    /// There is no such file.
    #[error("it does not exist")]
    Missing,
    /// There is something of that name already, which is left as it is.
    #[error("it exists already")]
    Exists,
    /// The directory that is to hold it does not exist.
    #[error("its directory does not exist")]
    NoDirectory,
    /// It is a directory, a pipe or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// Its group or others may read or write it.
    #[error("its mode is {:04o}, which lets others than its owner use it", mode)]
    TooOpen {
        /// The permission bits.
        mode: u32,
    },
    /// It belongs to another user, who could change it.
    #[error("it belongs to user {owner}, neither this process's user nor root")]
    ForeignOwner {
        /// The owner's numeric id.
        owner: u32,
    },
    /// It is a key file of a version that this program does not know.
    #[error("it is of a version that this program does not know")]
    UnknownVersion,
    /// It is no such key file.
    #[error("it is no such file")]
    Malformed,
    /// It holds a key for another purpose.
    #[error("it is a {0}")]
    OtherKind(KeyFileKind),
    /// Keys of this spec are not made here.
    #[error("a signing key in a file is of spec ECC_NIST_EDWARDS25519 or ECC_NIST_P256")]
    OtherSpec,
    /// It was one, and a part of it changed.
    #[error("its checksum is wrong: it was changed or damaged")]
    Damaged,
    /// One key is named twice.
    #[error("it holds the same key as another file")]
    Twice,
    /// There is no randomness to make a key from.
    #[error("the random generator failed")]
    Random,
    /// The system refused.
    #[error("it can't be read or written")]
    Io,
}

impl LocalErrorKind {
    /// Says what to do about it, in one line.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Missing => "name the root key that this data was made with, or make a new directory with bulla init",
            Self::Exists => "a key is never overwritten; name another file",
            Self::NoDirectory => "make the directory first",
            Self::NotAFile => "name the file itself",
            Self::TooOpen { .. } => "chmod 600 it, and think about who has read it",
            Self::ForeignOwner { .. } => "chown it to the user that runs this program",
            Self::UnknownVersion => "use the program that made it, or a newer one",
            Self::Malformed | Self::Damaged => "restore it from its backup",
            Self::OtherKind(KeyFileKind::RootKey) => "make a signing key with bulla key create --provider local",
            Self::OtherKind(KeyFileKind::SigningKey) => "a signing key wraps no data keys; name a root key",
            Self::OtherSpec => "name one of them with --spec",
            Self::Twice => "name each key once",
            Self::Random | Self::Io => "see the cause",
        }
    }
}

impl LocalError {
    pub(crate) fn new(path: &Path, what: KeyFileKind, kind: LocalErrorKind) -> Self {
        Self {
            path: path.to_owned(),
            what,
            kind,
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

pub(crate) fn refused(operation: &'static str, kind: KmsErrorKind, key: &str) -> KmsError {
    KmsError::new(kind, operation, key)
}
