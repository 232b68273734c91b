//! Opens what `init` made: the store, and the service over it as one more node of however many there are.

use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::{Random, SystemRandom};
use bulla_model::{Clock, Region, SystemClock};
use bulla_service::{Call, Caller, Mode, OpenError, Root, Service};
use bulla_store_sql::{OpenOptions, SqlStore};

use crate::data_dir::{DataDir, State};
use crate::failure::Explained;
use crate::roots;
use crate::settings::Settings;

/// What a command works on: a data directory, or a database and a root key that need none.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) dir: Option<DataDir>,
    pub(crate) mode: Mode,
}

impl Site {
    /// Finds what the settings name, of whichever mode it is.
    ///
    /// # Errors
    /// There is nothing, or it is unfinished or open to others.
    pub(crate) fn find(settings: &Settings) -> Result<Site, anyhow::Error> {
        let elsewhere = settings.store.database.is_some();
        let Some(path) = settings.store.data_dir.as_deref() else {
            if elsewhere {
                return Ok(Site {
                    dir: None,
                    mode: Mode::Production,
                });
            }
            settings.data_dir()?;
            return Err(Explained::misuse("no data directory was named").into());
        };
        let dir = DataDir::new(path);
        match dir.state()? {
            State::Made(mode) => {
                dir.check_permissions()?;
                Ok(Site { dir: Some(dir), mode })
            }
            State::Vacant if elsewhere => Ok(Site {
                dir: None,
                mode: Mode::Production,
            }),
            _ => dir.require(Mode::Production).map(|()| Site {
                dir: Some(dir),
                mode: Mode::Production,
            }),
        }
    }

    /// Opens the root key that the settings name.
    ///
    /// # Errors
    /// It can't be used.
    pub(crate) async fn root(&self, settings: &Settings) -> Result<Root, anyhow::Error> {
        let uri = roots::root_uri(settings, self.dir.as_ref())?;
        Ok(roots::connect(&uri, &system_random()).await?.into())
    }

    /// Opens the store.
    ///
    /// # Errors
    /// It can't be reached, is not durable, or has a schema that is not known.
    pub(crate) async fn store(&self, settings: &Settings, read_only: bool) -> Result<Arc<SqlStore>, anyhow::Error> {
        let options = match (&settings.store.database, &self.dir) {
            (Some(url), _) => OpenOptions::new(url),
            (None, Some(dir)) => OpenOptions::sqlite_file(dir.database()),
            (None, None) => {
                return Err(Explained::misuse("no database is set")
                    .hint("set BULLA_STORE__DATABASE")
                    .into());
            }
        };
        let options = options
            .lock_timeout(Duration::from_secs(
                settings.store.lock_timeout_seconds.unwrap_or(5).into(),
            ))
            .read_connections(settings.store.read_connections.unwrap_or(4))
            .read_only(read_only);
        let opened = SqlStore::open(options).await;
        opened.map(Arc::new).map_err(|error| {
            anyhow::Error::new(error).context(
                Explained::new("the database can't be opened")
                    .hint("bulla doctor says more about where it is and what it lacks"),
            )
        })
    }

    /// Opens the service as a node that serves nobody else; safe beside a running server.
    ///
    /// # Errors
    /// Store, root key or service can't be opened.
    pub(crate) async fn service(&self, settings: &Settings) -> Result<Service, anyhow::Error> {
        let mut service_settings = bulla_service::Settings::new(self.mode);
        service_settings.sweep = false;
        service_settings.cache_entries = 1000;
        self.service_with(settings, service_settings, Arc::new(SystemClock))
            .await
            .map(|(service, _)| service)
    }

    /// Opens the service with these settings of its own, and the store that it is in.
    ///
    /// # Errors
    /// As [`service`](Self::service).
    pub(crate) async fn service_with(
        &self,
        settings: &Settings,
        service_settings: bulla_service::Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<(Service, Arc<SqlStore>), anyhow::Error> {
        // The root first: without it nothing is opened, let alone migrated.
        let root = self.root(settings).await?;
        let store = self.store(settings, false).await?;
        let random = system_random();
        let service = Service::open(store.clone(), &[root], clock, random, service_settings).await;
        service.map(|service| (service, store)).map_err(explain_open)
    }
}

/// Says what to do about a service that can't be opened.
pub(crate) fn explain_open(error: OpenError) -> anyhow::Error {
    let explained = match &error {
        OpenError::NotInitialised => {
            Explained::new("there is no service in this database").hint("make one with bulla init")
        }
        OpenError::AlreadyInitialised => Explained::new("there is a service in this database already")
            .hint("name another database; if an init that did not finish made it, drop it first"),
        OpenError::WrongMode { .. } => Explained::new("the store was made for the other mode")
            .hint("what --dev made is served with --dev only, what init made is served without"),
        OpenError::WrongRoot { .. } | OpenError::Root(_) => Explained::new("this root key does not open this store")
            .hint("name the root key that it was made with; if that is lost, use bulla root recover"),
        OpenError::Tampered { .. } | OpenError::TamperedChanges { .. } | OpenError::TamperedHead(_) => {
            Explained::new("the database was changed by something other than bulla")
                .hint("bulla audit verify names what was changed; see docs/troubleshooting.md#tampered-store")
        }
        OpenError::Store(_) => Explained::new("the service can't be opened").hint(
            "see the cause: permissions of the file and of those beside it, the disk, or another process that holds it locked",
        ),
        _ => Explained::new("the service can't be opened"),
    };
    anyhow::Error::new(error).context(explained)
}

/// The caller of commands that work in this process, with the root key at hand.
pub(crate) fn operator(service: &Service, region: Option<Region>) -> Result<Call, anyhow::Error> {
    let mut id = [0; 16];
    SystemRandom.fill(&mut id)?;
    Ok(Call {
        caller: Caller::operator(service.account().clone()),
        region: region.unwrap_or(default_region()?),
        request_id: hex::encode(id).into(),
        source_ip: "in-process".into(),
        user_agent: concat!("bulla/", env!("CARGO_PKG_VERSION")).into(),
        secure_transport: true,
    })
}

/// The region of keys that are made where none is named.
pub(crate) fn default_region() -> Result<Region, anyhow::Error> {
    Ok("us-east-1".parse()?)
}

/// The system's random source.
pub(crate) fn system_random() -> Arc<dyn Random> {
    Arc::new(SystemRandom)
}
