use std::path::PathBuf;

use clap::Args;

use crate::settings::{Environment, Flags, Settings};

/// Where the data is; the same flags for every command that works on it.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Data directory; default: $BULLA_DATA_DIR, else $XDG_STATE_HOME/bulla, else ~/.local/state/bulla
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Database: sqlite:///path, postgres://…, mysql://…; default: bulla.db in the data directory
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Settings file (TOML), over the data directory's own bulla.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl Place {
    /// The flags that were given.
    pub(crate) fn flags(&self) -> Result<Flags, anyhow::Error> {
        let mut flags = Flags::default();
        flags.set_path("store.data_dir", self.data_dir.as_deref())?;
        flags.set("store.database", self.database.clone());
        Ok(flags)
    }

    /// The settings under these flags.
    pub(crate) fn settings(&self, environment: &Environment) -> Result<Settings, anyhow::Error> {
        Settings::load(environment, self.config.as_deref(), &self.flags()?)
    }
}
