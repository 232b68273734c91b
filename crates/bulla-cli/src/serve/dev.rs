use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use bulla_kms_local::RootKeyFile;
use bulla_model::SystemClock;
use bulla_service::{InitialiseSettings, Mode, OpenError, Service};
use tempfile::TempDir;

use crate::data_dir::{DataDir, State};
use crate::node::{Site, default_region, explain_open, system_random};
use crate::roots::explain_local;
use crate::settings::Settings;

/// Makes the directory of a throw-away service; it goes when the value goes. A killed process leaves it behind.
pub(super) fn throw_away_dir() -> Result<TempDir, anyhow::Error> {
    tempfile::Builder::new()
        .prefix("bulla-dev-")
        .tempdir()
        .context("making a temporary directory")
}

/// Makes a development service in the directory unless there is one.
///
/// # Errors
/// The directory was made by `init`, or is not Bulla's, or the disk refuses.
pub(super) async fn prepare(path: PathBuf, settings: &Settings) -> Result<(), anyhow::Error> {
    let dir = DataDir::new(path);
    if matches!(dir.state()?, State::Made(_) | State::Foreign) {
        return dir.require(Mode::Development);
    }
    let unfinished = dir.begin()?;
    let made = async {
        let random = system_random();
        RootKeyFile::create(&dir.root_key(), random.as_ref()).map_err(|error| explain_local(error, &dir.root_key()))?;
        let site = Site {
            dir: Some(dir.clone()),
            mode: Mode::Development,
        };
        let root = site.root(settings).await?;
        let store = site.store(settings, false).await?;
        let initialise = InitialiseSettings {
            mode: Mode::Development,
            account: None,
            administrator: "admin".parse()?,
            origin: None,
            region: default_region()?,
        };
        let made = Service::initialise(store.clone(), &[root], Arc::new(SystemClock), random, initialise).await;
        store.close().await;
        made.map_err(|error: OpenError| explain_open(error))
    };
    match made.await {
        Ok(made) => unfinished.finish(Mode::Development, "", &made.verifier_key).map(drop),
        Err(error) => {
            unfinished.abandon()?;
            Err(error)
        }
    }
}
