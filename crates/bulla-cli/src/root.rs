use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bulla_kms_local::RootKeyFile;
use bulla_service::{Root as RootKey, Service};
use clap::{Args, Subcommand};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::failure::{CommandResult, Explained, Outcome};
use crate::node::{Site, explain_open, operator, system_random};
use crate::output::say;
use crate::place::Place;
use crate::process;
use crate::recovery::{RecoveryProvider, Share, combine};
use crate::roots::{Kind, connect, explain_local, local_uri, parse, root_uri};
use crate::settings::{Environment, Settings};

/// Brings a lost root key back.
#[derive(Debug, Subcommand)]
pub(crate) enum Root {
    /// Makes a new root key with the second root or the recovery shares, and wraps the store key under it
    Recover(Recover),
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    #[command(flatten)]
    place: Place,
    /// A file with recovery shares, one a line; may be given several times; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "second_root")]
    share_file: Vec<PathBuf>,
    /// URI of the second root; default: the one that init was given
    #[arg(long, value_name = "URI")]
    second_root: Option<String>,
}

impl Root {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let Root::Recover(recover) = self;
        let settings = recover.place.settings(environment)?;
        process::runtime(Some(1))?
            .block_on(recover.run(&settings))
            .map(|()| Outcome::Done)
    }
}

impl Recover {
    async fn run(&self, settings: &Settings) -> Result<(), anyhow::Error> {
        let site = Site::find(settings)?;
        let uri = root_uri(settings, site.dir.as_ref())?;
        let Kind::Local(lost) = parse(&uri)? else {
            return Err(Explained::new(format!("the root key {uri} is not a file: bulla can't make it anew"))
                .hint("make a key there, set BULLA_ROOT__KEY=local:///path/to/root.key instead, or restore the key in AWS")
                .into());
        };
        // Before anything else: a file that is there is no lost one, and nothing is put in its place.
        if lost.exists() {
            if self.opens(&site, settings, &lost).await {
                return Err(Explained::new("nothing is lost: the root key opens the store").into());
            }
            return Err(
                Explained::new(format!("{} exists, though it does not open this store", lost.display()))
                    .hint("move it away first: it may be another store's root key")
                    .into(),
            );
        }
        // A recovery that was killed between its last two steps left its key beside the place it was for.
        let new = beside(&lost);
        if new.exists() && self.opens(&site, settings, &new).await {
            return put_in_place(&new, &lost);
        }
        let surviving = self.surviving_root(settings).await?;
        let service = self.service(&site, settings, surviving.clone()).await?;
        let replaced = self.replace(&service, settings, surviving, &new).await;
        service.shutdown().await;
        // Whatever went wrong, the new key stays: should the store have taken it after all, the next run finds that out.
        replaced?;
        put_in_place(&new, &lost)?;
        say(&format!(
            "a new root key is in {}: back it up; nodes that run elsewhere need it too",
            lost.display()
        ));
        Ok(())
    }

    /// Makes a new root key in the file `new` and wraps the store key under it and under the roots that survive.
    async fn replace(
        &self,
        service: &Service,
        settings: &Settings,
        surviving: RootKey,
        new: &Path,
    ) -> Result<(), anyhow::Error> {
        let random = system_random();
        let call = operator(service, None)?;
        let before = service.list_roots(&call).await?;
        if new.exists() {
            fs::remove_file(new).with_context(|| format!("removing {}", new.display()))?;
        }
        RootKeyFile::create(new, random.as_ref()).map_err(|error| explain_local(error, new))?;
        let by_shares = surviving.provider.capabilities().scheme == "recovery";
        let mut roots = vec![connect(&local_uri(new)?, &random).await?.into(), surviving];
        // The lost key was a file: whoever finds it must not open this store with it. Other wraps that can't be made anew stay.
        let keep: Vec<String> = before
            .iter()
            .filter(|root| !root.starts_with("local:"))
            .cloned()
            .collect();
        if let Some(uri) = settings.root.second.as_ref().filter(|_| by_shares) {
            match connect(uri, &random).await {
                Ok(second) => roots.push(second.into()),
                Err(error) => say(&format!("the second root {uri} was not reached: {error:#}")),
            }
        }
        let after = service.replace_roots(&call, &roots, &keep).await?;
        for gone in before.iter().filter(|root| !after.contains(root)) {
            say(&format!("{gone} opens this store no more"));
        }
        Ok(())
    }

    async fn opens(&self, site: &Site, settings: &Settings, root_key: &Path) -> bool {
        let random = system_random();
        let Ok(uri) = local_uri(root_key) else { return false };
        let Ok(root) = connect(&uri, &random).await else {
            return false;
        };
        let Ok(service) = self.service(site, settings, root.into()).await else {
            return false;
        };
        service.shutdown().await;
        true
    }

    async fn service(&self, site: &Site, settings: &Settings, root: RootKey) -> Result<Service, anyhow::Error> {
        let store = site.store(settings, false).await?;
        let mut own = bulla_service::Settings::new(site.mode);
        own.sweep = false;
        let clock = std::sync::Arc::new(bulla_model::SystemClock);
        Service::open(store, &[root], clock, system_random(), own)
            .await
            .map_err(explain_open)
    }

    /// The second root, or the recovery key of the shares.
    async fn surviving_root(&self, settings: &Settings) -> Result<RootKey, anyhow::Error> {
        let random = system_random();
        let shares = self.shares()?;
        if !shares.is_empty() {
            let key = combine(&shares).map_err(|error| {
                anyhow::Error::new(error).context(Explained::new("the shares do not give the recovery key"))
            })?;
            let provider = RecoveryProvider::new(&key, random)?;
            let name = provider.key_name().to_owned();
            return Ok(RootKey {
                provider: std::sync::Arc::new(provider),
                key: name,
            });
        }
        let second = self.second_root.as_ref().or(settings.root.second.as_ref());
        let uri = second.ok_or_else(|| {
            Explained::misuse("neither recovery shares nor a second root were given")
                .hint("give --share-file FILE with the shares that init printed, or --second-root URI")
        })?;
        Ok(connect(uri, &random).await?.into())
    }

    fn shares(&self) -> Result<Vec<Share>, anyhow::Error> {
        let mut shares = Vec::new();
        for path in &self.share_file {
            let mut text = Zeroizing::new(String::new());
            if path == Path::new("-") {
                std::io::stdin()
                    .lock()
                    .read_to_string(&mut text)
                    .context("reading shares from stdin")?;
            } else {
                let mut file = fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
                file.read_to_string(&mut text)
                    .with_context(|| format!("reading {}", path.display()))?;
            }
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                shares.push(line.parse()?);
            }
        }
        Ok(shares)
    }
}

/// Where the new key of a lost file is made: its whole name with a suffix, so that no two files share the place.
fn beside(lost: &Path) -> PathBuf {
    let mut name = lost.as_os_str().to_owned();
    name.push(".recovered");
    PathBuf::from(name)
}

/// The last step: a rename, which a crash does or does not do, and which replaces nothing.
fn put_in_place(new: &Path, lost: &Path) -> Result<(), anyhow::Error> {
    match renameat_with(CWD, new, CWD, lost, RenameFlags::NOREPLACE) {
        // A file system that can't refuse to replace; that nothing is there was seen a moment ago.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(new, lost),
        renamed => renamed.map_err(std::io::Error::from),
    }
    .with_context(|| format!("renaming {} to {}", new.display(), lost.display()))?;
    let parent = lost.parent().unwrap_or(Path::new("/"));
    fs::File::open(parent)
        .and_then(|dir| dir.sync_all())
        .with_context(|| format!("syncing {}", parent.display()))
}
