mod finding;
mod surroundings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla_audit::{KeyChain, VerifierKey};
use bulla_kms_local::{LocalError, LocalErrorKind};
use bulla_model::{Clock, SystemClock};
use bulla_service::{Mode, OpenError, Root, Service};
use bulla_store::{RowFilter, Store, StoreError, Table};
use clap::Args;
use serde_json::{Value, json};

use crate::data_dir::{DataDir, State};
use crate::failure::{CommandResult, Outcome};
use crate::node::{Site, system_random};
use crate::output::{self, Format};
use crate::place::Place;
use crate::process;
use crate::roots::{self, connect, root_uri};
use crate::settings::{Environment, Settings};
use finding::{Finding, Kind, Severity};

const DAY_MICROS: i64 = 86_400_000_000;

/// Says what is wrong with this configuration; exit code 1 where something does not work.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    place: Place,
    /// A checkpoint that was kept elsewhere: is it this log's, and recent
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Lists every setting with its variable and its default instead
    #[arg(long)]
    settings: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Doctor {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        if self.settings {
            return surroundings::print_settings(self.output).map(|()| Outcome::Done);
        }
        let mut found = surroundings::variables(environment);
        match self.place.settings(environment) {
            Err(error) => found.push(Finding::new(
                Kind::SettingsInvalid,
                format!("{error:#}"),
                "mend the file or the variable; docs/troubleshooting.md lists all settings",
            )),
            Ok(settings) => {
                surroundings::listener(&settings, &mut found);
                process::runtime(Some(2))?.block_on(self.examine(&settings, &mut found));
            }
        }
        found.sort_by_key(|finding| std::cmp::Reverse(finding.kind.severity()));
        self.print(&found)?;
        let broken = found.iter().any(|finding| finding.kind.severity() == Severity::Error);
        Ok(if broken { Outcome::Found } else { Outcome::Done })
    }

    fn print(&self, found: &[Finding]) -> Result<(), anyhow::Error> {
        match self.output {
            Format::Json => {
                output::json(&json!({ "Findings": found.iter().map(Finding::to_json).collect::<Vec<_>>() }))
            }
            Format::Text if found.is_empty() => output::line("nothing is wrong"),
            Format::Text => found.iter().try_for_each(|finding| output::line(&finding.to_text())),
        }
    }

    async fn examine(&self, settings: &Settings, found: &mut Vec<Finding>) {
        let Some(site) = directory(settings, found) else { return };
        let store = match site.store(settings, true).await {
            Ok(store) => Some(store),
            Err(error) => {
                found.push(database(&error));
                None
            }
        };
        if let Some(store) = &store {
            roots_of_the_store(store.as_ref(), found).await;
        }
        let uri = match root_uri(settings, site.dir.as_ref()) {
            Ok(uri) => uri,
            Err(error) => {
                found.push(Finding::new(
                    Kind::RootKeyMissing,
                    format!("{error:#}"),
                    "set BULLA_ROOT__KEY",
                ));
                return;
            }
        };
        root_beside_database(&uri, settings, &site, found);
        let root: Root = match connect(&uri, &system_random()).await {
            Ok(key) => key.into(),
            Err(error) => {
                found.push(root_key(&error));
                return;
            }
        };
        let Some(store) = store else { return };
        let head = store.head().await.ok().flatten();
        let mut own = bulla_service::Settings::new(site.mode);
        own.sweep = false;
        match Service::open(store, &[root], Arc::new(SystemClock), system_random(), own).await {
            Ok(service) => {
                let checked = VerifierKey::parse(service.verifier_key()).map(KeyChain::new);
                if let (Ok(keys), Some(head)) = (checked, head) {
                    self.log(&keys, &head.checkpoint, found);
                }
                service.shutdown().await;
            }
            Err(error) => found.push(service(error)),
        }
    }

    /// What the log's newest checkpoint and the one that was kept elsewhere say.
    fn log(&self, keys: &KeyChain, newest: &str, found: &mut Vec<Finding>) {
        let now = SystemClock.now().as_micros();
        if let Ok(newest) = keys.verify_checkpoint(newest)
            && newest.time > now + 60_000_000
        {
            let seconds = (newest.time - now) / 1_000_000;
            found.push(Finding::new(
                Kind::ClockBehind,
                format!("the newest audit event is {seconds} s in the future of this machine's clock"),
                "set the clock: signatures of requests are checked against it",
            ));
        }
        let Some(path) = &self.checkpoint else { return };
        let kept = fs::read_to_string(path).map_err(anyhow::Error::new);
        match kept.and_then(|note| Ok(keys.verify_checkpoint(&note)?)) {
            Err(error) => found.push(Finding::new(
                Kind::CheckpointForeign,
                format!("{} is no checkpoint of this log: {error:#}", path.display()),
                "bulla audit verify --checkpoint compares the log with it; the store may have been replaced",
            )),
            Ok(kept) if now - kept.time > 30 * DAY_MICROS => found.push(Finding::new(
                Kind::CheckpointOld,
                format!(
                    "the checkpoint in {} is {} days old",
                    path.display(),
                    (now - kept.time) / DAY_MICROS
                ),
                "keep a newer one elsewhere: bulla audit checkpoint > FILE",
            )),
            Ok(_) => {}
        }
    }
}

/// What the data directory is; `None` where there is nothing to examine further.
fn directory(settings: &Settings, found: &mut Vec<Finding>) -> Option<Site> {
    let Some(path) = settings.store.data_dir.as_deref() else {
        if settings.store.database.is_some() {
            return Some(Site {
                dir: None,
                mode: Mode::Production,
            });
        }
        found.push(Finding::new(
            Kind::NoDataDirectory,
            "no data directory is named",
            "name one with --data-dir",
        ));
        return None;
    };
    let dir = DataDir::new(path);
    let shown = path.display();
    let state = match dir.state() {
        Ok(state) => state,
        Err(error) => {
            found.push(Finding::new(
                Kind::DataDirectoryPermissions,
                format!("{error:#}"),
                "run bulla as its owner",
            ));
            return None;
        }
    };
    let mode = match state {
        State::Made(mode) => mode,
        State::Vacant if settings.store.database.is_some() => {
            return Some(Site {
                dir: None,
                mode: Mode::Production,
            });
        }
        State::Vacant => {
            let what = format!("there is no data directory at {shown}");
            found.push(Finding::new(
                Kind::NoDataDirectory,
                what,
                "make one with bulla init, or name another with --data-dir",
            ));
            return None;
        }
        State::Incomplete => {
            let what = format!("the data directory {shown} was never finished");
            found.push(Finding::new(
                Kind::UnfinishedDataDirectory,
                what,
                "run bulla init with this directory again",
            ));
            return None;
        }
        State::Foreign => {
            let what = format!("{shown} holds files that are not bulla's");
            found.push(Finding::new(
                Kind::ForeignDirectory,
                what,
                "name the directory that bulla init made",
            ));
            return None;
        }
    };
    if let Err(error) = dir.check_permissions() {
        let hint = "let only the user that runs bulla in: chmod 700, chown";
        found.push(Finding::new(Kind::DataDirectoryPermissions, error.to_string(), hint));
    }
    if mode == Mode::Development {
        let what =
            format!("{shown} is a development directory: everybody who reaches its service is the administrator");
        found.push(Finding::new(
            Kind::DevelopmentDirectory,
            what,
            "make another with bulla init for anything that matters",
        ));
    }
    Some(Site { dir: Some(dir), mode })
}

fn database(error: &anyhow::Error) -> Finding {
    let kind = match error.downcast_ref::<StoreError>() {
        Some(StoreError::NotDurable { .. }) => Kind::DatabaseNotDurable,
        Some(StoreError::Schema { .. }) => Kind::DatabaseSchema,
        Some(StoreError::Corrupt { .. }) => Kind::TamperedStore,
        _ => Kind::DatabaseUnreachable,
    };
    let hint = match kind {
        Kind::DatabaseNotDurable => "set what it names: without it, acknowledged operations can be lost",
        Kind::DatabaseSchema => "use the version of bulla that wrote it, or a newer one",
        Kind::TamperedStore => "restore the database from a backup, then compare it with a checkpoint kept elsewhere",
        _ => "check the URL, the network and the file's permissions",
    };
    Finding::new(kind, format!("{error:#}"), hint)
}

fn root_key(error: &anyhow::Error) -> Finding {
    let missing = error
        .downcast_ref::<LocalError>()
        .is_some_and(|error| error.kind == LocalErrorKind::Missing);
    if missing {
        return Finding::new(
            Kind::RootKeyMissing,
            format!("{error:#}"),
            "put the root key back from its backup, or use bulla root recover",
        );
    }
    Finding::new(
        Kind::RootKeyUnusable,
        format!("{error:#}"),
        "see the cause; bulla serve does not start without its root key",
    )
}

fn service(error: OpenError) -> Finding {
    let (kind, hint) = match &error {
        OpenError::NotInitialised => (
            Kind::DatabaseEmpty,
            "make a service with bulla init, or name the right database",
        ),
        OpenError::WrongRoot { .. } | OpenError::Root(_) => (
            Kind::RootKeyWrong,
            "name the root key that this store was made with, or use bulla root recover",
        ),
        OpenError::Tampered { .. } | OpenError::TamperedChanges { .. } | OpenError::TamperedHead(_) => {
            (Kind::TamperedStore, "bulla audit verify names what was changed")
        }
        _ => (Kind::ServiceDoesNotOpen, "see the cause"),
    };
    Finding::new(kind, format!("{:#}", anyhow::Error::new(error)), hint)
}

/// How many roots, of how many kinds, wrap the newest store key; the row is read, not believed: it opens nothing.
async fn roots_of_the_store(store: &dyn Store, found: &mut Vec<Finding>) {
    let Ok(rows) = store.list(Table::StoreKeys, RowFilter::All, None, 1000).await else {
        return;
    };
    let Some(row) = rows.into_iter().rev().find_map(|lookup| lookup.row) else {
        return;
    };
    let body: Value = serde_json::from_slice(&row.body).unwrap_or_default();
    let wraps = body.get("wraps").and_then(Value::as_array).cloned().unwrap_or_default();
    let roots: Vec<&str> = wraps.iter().filter_map(|wrap| wrap.get("root")?.as_str()).collect();
    if let [only] = roots.as_slice() {
        found.push(Finding::new(
            Kind::NoSecondRoot,
            format!("only one root key opens this store ({only}): who loses it loses everything"),
            "make the directory with --second-root or --recovery-shares, or back the root key up in another place",
        ));
    } else if !roots.is_empty() && roots.iter().all(|root| root.starts_with("local:")) {
        found.push(Finding::new(
            Kind::SecondRootBeside,
            "all root keys of this store are files: one disk may hold them all",
            "keep them in different places",
        ));
    }
}

/// Whether the root key is a file beside the database's: then who has a copy of that directory has everything.
fn root_beside_database(uri: &str, settings: &Settings, site: &Site, found: &mut Vec<Finding>) {
    let Ok(roots::Kind::Local(root)) = roots::parse(uri) else {
        return;
    };
    let url = settings.store.database.as_deref();
    let database = match url {
        None => site.dir.as_ref().map(DataDir::database),
        Some(url) => url
            .strip_prefix("sqlite:")
            .map(|path| PathBuf::from(path.trim_start_matches("//"))),
    };
    let folder = |path: &Path| path.parent().and_then(|parent| parent.canonicalize().ok());
    let both = root.exists() && database.as_deref().is_some_and(Path::exists);
    let Some(database) = database.as_deref().and_then(folder) else {
        return;
    };
    let inside = |root: PathBuf| root.starts_with(&database);
    if both && site.mode == Mode::Production && folder(&root).is_some_and(inside) {
        found.push(Finding::new(
            Kind::RootBesideDatabase,
            format!(
                "the root key {} lies beside the database: who has a copy or an image of that directory has everything in it",
                root.display()
            ),
            "keep the root key on another disk or in a KMS, and name it with BULLA_ROOT__KEY; leave it out of the database's backups",
        ));
    }
}

/// Whether a path can be read at all.
fn readable(path: &Path) -> Result<(), std::io::Error> {
    fs::File::open(path).map(drop)
}
