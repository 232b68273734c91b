use std::path::PathBuf;

/// Which keys a [`LocalProvider`](crate::LocalProvider) holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalConfig {
    /// Files made by [`RootKeyFile::create`](crate::RootKeyFile::create). Each is a key's name as written here (`/path/to/root.key`),
    /// beside the id in the file. More than one while a root key is being rotated.
    pub root_key_files: Vec<PathBuf>,
    /// Files made by [`SigningKeyFile::create`](crate::SigningKeyFile::create), named in the same ways.
    pub signing_key_files: Vec<PathBuf>,
}
