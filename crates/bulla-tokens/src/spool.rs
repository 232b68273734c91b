//! Access events of a library without the service in its process: durable on this machine's disk first, then posted in batches.

mod event;
mod files;
mod sender;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::{Random, SecretBytes};
use bulla_model::Clock;

use self::event::Phase;
use self::files::Directory;
use self::writer::Writer;
use crate::access::{Access, AccessError, AccessLog, Outcome, Pending};
use crate::fetch::HttpError;

/// Where events are kept, and where they are posted to.
pub struct SpoolConfig {
    /// A directory of this spool's own, made where it is missing; one process at a time has it.
    pub directory: PathBuf,
    /// Bytes of events that may wait; beyond them accesses fail. Default 64 MiB.
    pub max_bytes: u64,
    /// The service, as `https://bulla.example.com`: events go to `/v1/audit/events` there.
    pub endpoint: String,
    /// An API token of the service whose principal may write events.
    pub api_token: SecretBytes,
    /// Certificates of the authorities to trust, in PEM; the system's where there are none.
    pub ca_pem: Option<Vec<u8>>,
    /// How long one post may take. Default 10 s.
    pub post_timeout: Duration,
}

impl SpoolConfig {
    /// Describes a spool with the defaults.
    pub fn new(directory: impl Into<PathBuf>, endpoint: impl Into<String>, api_token: SecretBytes) -> Self {
        Self {
            directory: directory.into(),
            max_bytes: 64 << 20,
            endpoint: endpoint.into(),
            api_token,
            ca_pem: None,
            post_timeout: Duration::from_secs(10),
        }
    }
}

/// A spool can't be opened, or an event can't be kept.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The directory or a file in it can't be read or written.
    #[error("the spool's directory can't be used")]
    Disk(#[source] Arc<std::io::Error>),
    /// Another process has the directory.
    #[error("another process has this spool's directory")]
    InUse,
    /// As many events wait as may.
    #[error("the spool is full: its events can't be delivered")]
    Full,
    /// The endpoint or its certificates can't be used.
    #[error("events can't be posted there")]
    Endpoint(#[source] Arc<HttpError>),
    /// There is no randomness for the event's id.
    #[error("the random generator failed")]
    Random,
    /// The writer has ended.
    #[error("the spool has ended")]
    Ended,
}

/// Records accesses in files, and posts them to the service in the background.
///
/// An event is durable (`fdatasync`) before [`AccessLog::begin`] of an effect or [`Pending::finish`] returns; many that wait share one sync. A
/// full spool, or a disk that fails, fails the access. Delivery is in order; a batch whose answer was lost is posted again under the same name,
/// and taken once (the service remembers names for 30 days). The principal is the service's to stamp, from the API token.
#[derive(Debug)]
pub struct Spool {
    recorder: Arc<Recorder>,
}

struct Recorder {
    writer: Writer,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Spool {
    /// Opens a spool and goes on delivering what an earlier process left. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn open(config: SpoolConfig, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, SpoolError> {
        let post = sender::Post::new(&config).map_err(|error| SpoolError::Endpoint(Arc::new(error)))?;
        let directory = Arc::new(Directory::open(&config.directory)?);
        let writer = Writer::start(Arc::clone(&directory), config.max_bytes)?;
        sender::start(directory, post, writer.written());
        let recorder = Recorder { writer, clock, random };
        Ok(Self {
            recorder: Arc::new(recorder),
        })
    }

    /// Bytes of events that wait for delivery.
    pub fn waiting_bytes(&self) -> u64 {
        self.recorder.writer.waiting_bytes()
    }

    /// Posts that the service refused (a status of 400 to 499) since this was opened: a token that may not write events, or a service that does
    /// not take such events. They are tried again, and nothing after them is delivered meanwhile.
    pub fn refused_posts(&self) -> u64 {
        self.recorder.writer.refused_posts()
    }
}

impl Recorder {
    async fn record(&self, id: &str, access: &Access, phase: Phase<'_>) -> Result<(), AccessError> {
        let line = event::line(id, self.clock.now(), access, phase);
        self.writer.write(line).await.map_err(unrecorded)
    }
}

#[async_trait]
impl AccessLog for Spool {
    async fn begin(&self, access: &Access) -> Result<Box<dyn Pending>, AccessError> {
        let mut id = [0; 16];
        let drawn = self.recorder.random.fill(&mut id);
        drawn.map_err(|_| unrecorded(SpoolError::Random))?;
        let begun = Begun {
            recorder: Arc::clone(&self.recorder),
            id: hex::encode(id),
            access: access.clone(),
        };
        if access.action.has_effect() {
            self.recorder.record(&begun.id, access, Phase::Intent).await?;
        }
        Ok(Box::new(begun))
    }
}

struct Begun {
    recorder: Arc<Recorder>,
    id: String,
    access: Access,
}

#[async_trait]
impl Pending for Begun {
    async fn finish(self: Box<Self>, outcome: &Outcome) -> Result<(), AccessError> {
        self.recorder
            .record(&self.id, &self.access, Phase::Outcome(outcome))
            .await
    }
}

fn unrecorded(error: SpoolError) -> AccessError {
    AccessError::Unrecorded(Arc::new(error))
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("waiting_bytes", &self.writer.waiting_bytes())
            .finish_non_exhaustive()
    }
}
