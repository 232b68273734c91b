mod checkpoint;
mod export;
mod prove;
mod report;
mod tail;
mod verify;
mod walk;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use bulla_audit::VerifierKey;
use bulla_service::Service;
use bulla_store::{HeadRow, Store};
use clap::{Args, Subcommand};

use crate::data_dir::DataDir;
use crate::failure::{CommandResult, Explained};
use crate::node::Site;
use crate::output::say;
use crate::place::Place;
use crate::process;
use crate::settings::{Environment, Settings};

/// Reads, verifies and proves the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Prints the newest events
    Tail(tail::Tail),
    /// Recomputes the whole log and compares every row that decides with it; exit code 1 on any finding
    Verify(verify::Verify),
    /// Prints the newest signed checkpoint, to be kept elsewhere
    Checkpoint(checkpoint::Checkpoint),
    /// Prints a proof that an event is in the log, which verifies without the database
    Prove(prove::Prove),
    /// Prints one of the four standing reports; verifies the log on the way
    Report(report::Report),
    /// Prints all events, as JSON lines or as CloudTrail has them
    Export(export::Export),
}

/// Which log, and whose signature on it is trusted.
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    place: Place,
    /// The log's verifier key (<origin>+<hash>+<base64>) or a file that holds it; then no root key is needed
    #[arg(long, value_name = "KEY|FILE")]
    public_key: Option<String>,
}

/// An opened log.
struct OpenLog {
    store: std::sync::Arc<bulla_store_sql::SqlStore>,
    trusted: VerifierKey,
    head: HeadRow,
    /// Something to report even where the log itself is in order.
    suspicion: Option<String>,
    /// Whoever has the root key can check what only the store key can tell.
    service: Option<Service>,
}

impl Audit {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let settings = self.log().settings(environment)?;
        process::runtime(Some(2))?.block_on(async {
            let log = OpenLog::open(&settings).await?;
            let result = match self {
                Audit::Tail(tail) => tail.run(&log).await,
                Audit::Verify(verify) => verify.run(&log).await,
                Audit::Checkpoint(checkpoint) => checkpoint.run(&log),
                Audit::Prove(prove) => prove.run(&log).await,
                Audit::Report(report) => report.run(&log).await,
                Audit::Export(export) => export.run(&log).await,
            };
            if let Some(service) = log.service {
                service.shutdown().await;
            }
            result
        })
    }

    fn log(&self) -> &Log {
        match self {
            Audit::Tail(tail) => &tail.log,
            Audit::Verify(verify) => &verify.log,
            Audit::Checkpoint(checkpoint) => &checkpoint.log,
            Audit::Prove(prove) => &prove.log,
            Audit::Report(report) => &report.log,
            Audit::Export(export) => &export.log,
        }
    }
}

impl Log {
    fn settings(&self, environment: &Environment) -> Result<Settings, anyhow::Error> {
        let mut flags = self.place.flags()?;
        flags.set("audit.public_key", self.public_key.clone());
        Settings::load(environment, self.place.config.as_deref(), &flags)
    }
}

impl OpenLog {
    async fn open(settings: &Settings) -> Result<Self, anyhow::Error> {
        let site = Site::find(settings)?;
        let (trusted, suspicion, service) = match &settings.audit.public_key {
            Some(given) => (read_key(given)?, None, None),
            None => trusted_by_root(&site, settings).await?,
        };
        let store = site.store(settings, true).await?;
        let head = store.head().await?.ok_or_else(|| {
            Explained::new("there is no audit log in this database")
                .hint("the head row is missing: was this made by bulla init, or was it deleted")
        })?;
        Ok(Self {
            store,
            trusted,
            head,
            suspicion,
            service,
        })
    }
}

/// The log's key as the root key vouches for it; the data directory's `audit.pub` where the service does not open.
async fn trusted_by_root(
    site: &Site,
    settings: &Settings,
) -> Result<(VerifierKey, Option<String>, Option<Service>), anyhow::Error> {
    let kept = site.dir.as_ref().map(DataDir::public_key).filter(|path| path.exists());
    let kept = kept.map(|path| read_key_file(&path)).transpose()?;
    match (site.service(settings).await, kept) {
        (Ok(service), kept) => {
            let key: VerifierKey = parse_key(service.verifier_key())?;
            let differs = kept.is_some_and(|kept| kept.to_string() != key.to_string());
            let suspicion = "audit.pub in the data directory is not the log's key";
            Ok((key, differs.then(|| suspicion.to_owned()), Some(service)))
        }
        (Err(error), Some(kept)) => {
            // A service that refuses a tampered store must not keep anybody from learning what was tampered with.
            say(&format!(
                "the service does not open ({error:#}); trusting audit.pub in the data directory"
            ));
            Ok((kept, Some(format!("the service does not open: {error:#}")), None))
        }
        (Err(error), None) => Err(error.context(
            Explained::new("nothing vouches for the log's key")
                .hint("give the key that init printed with --public-key"),
        )),
    }
}

fn read_key(given: &str) -> Result<VerifierKey, anyhow::Error> {
    match VerifierKey::parse(given.trim()) {
        Ok(key) => Ok(key),
        Err(_) if Path::new(given).is_file() => read_key_file(Path::new(given)),
        Err(error) => Err(anyhow::Error::new(error).context(
            Explained::misuse("--public-key is neither a verifier key nor a file")
                .hint("init printed it as <origin>+<hash>+<base64>"),
        )),
    }
}

fn read_key_file(path: &Path) -> Result<VerifierKey, anyhow::Error> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    parse_key(text.trim()).with_context(|| format!("reading {}", path.display()))
}

fn parse_key(text: &str) -> Result<VerifierKey, anyhow::Error> {
    VerifierKey::parse(text).context("this is no verifier key")
}
