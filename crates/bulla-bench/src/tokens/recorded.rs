//! Gets whose event is durable before the value leaves, in the process of a service.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use bulla_crypto::SystemRandom;
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_model::{AccountId, SystemClock};
use bulla_service::{Call, Caller, InitialiseSettings, Mode, Root, Service, Settings};
use bulla_store::{CheckpointRow, EventRow, GroupCommit, HeadRow, Store};
use bulla_store_sql::{OpenOptions, SqlStore};
use bulla_tokens::place::Prefix;
use bulla_tokens::{RedisConfig, RedisStore, TokenVault, Unrecorded};
use bulla_tokens_service::{AliasTemplate, ServiceAccessLog, ServiceKeys, ServiceMarks};
use tokio::sync::{mpsc, oneshot};

use super::redis_server::RedisServer;
use super::token;

const REGION: &str = "eu-west-1";
/// About what the event of a get takes, its note, and the state in the head.
const EVENT_BYTES: usize = 1_200;
const NOTE_BYTES: usize = 450;
const STATE_BYTES: usize = 700;
/// Events that the floor commits at once, at most.
const TOGETHER: usize = 256;

/// A service in a folder, and the vault of one caller over it.
pub(super) async fn vault(redis: &RedisServer, folder: &Path) -> Result<(Service, TokenVault)> {
    let account: AccountId = "111122223333".parse().map_err(|_| anyhow!("an account"))?;
    let file = RootKeyFile::create(&folder.join("root.key"), &SystemRandom)?;
    let key = file.id().as_str().to_owned();
    let provider = Arc::new(LocalProvider::new([file], Arc::new(SystemRandom))?);
    let roots = [Root { provider, key }];
    let store = Arc::new(SqlStore::open(OpenOptions::sqlite_file(folder.join("bulla.db"))).await?);
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let settings = InitialiseSettings {
        mode: Mode::Development,
        account: Some(account.clone()),
        administrator: "admin".parse().map_err(|_| anyhow!("a name"))?,
        origin: Some("bulla.bench/log".to_owned()),
        region: REGION.parse().map_err(|_| anyhow!("a region"))?,
    };
    Service::initialise(store.clone(), &roots, clock.clone(), random.clone(), settings).await?;
    let settings = Settings {
        sweep: false,
        ..Settings::new(Mode::Development)
    };
    let service = Service::open(store, &roots, clock.clone(), random.clone(), settings).await?;
    let call = Call {
        caller: Caller::dev_admin(account.clone()),
        region: REGION.parse().map_err(|_| anyhow!("a region"))?,
        request_id: "bench".into(),
        source_ip: "127.0.0.1".into(),
        user_agent: "bulla-bench".into(),
        secure_transport: false,
    };
    let template = AliasTemplate::new("alias/tokens-{client}").map_err(|error| anyhow!("{error}"))?;
    let alias = template.alias(&token(0)?.client)?;
    service.ensure_key(&call, &alias, "tokens", None).await?;
    let keys = ServiceKeys::new(service.clone(), account.clone(), call.region.clone(), template.clone());
    let marks = ServiceMarks::new(service.clone(), account.clone(), Prefix::default());
    let tokens = Arc::new(RedisStore::new(&RedisConfig::server(redis.url()))?);
    let vault = TokenVault::builder(tokens, Arc::new(keys), Arc::new(Unrecorded), clock, random)
        .marks(Arc::new(marks))
        .build();
    let log = ServiceAccessLog::new(service.clone(), call, account, Arc::new(template));
    Ok((service, vault.recording(Arc::new(log))))
}

/// The floor: a store that commits what waits, as many bytes as events take, and decides, signs and hashes nothing.
#[derive(Clone)]
pub(super) struct GroupCommits {
    waiting: mpsc::Sender<oneshot::Sender<()>>,
}

impl GroupCommits {
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        let store = SqlStore::open(OpenOptions::sqlite_file(folder.join("floor.db"))).await?;
        let (waiting, inbox) = mpsc::channel(1024);
        tokio::spawn(commit_what_waits(store, inbox));
        Ok(Self { waiting })
    }

    /// Returns once an event is durable.
    pub(super) async fn commit(&self) -> Result<()> {
        let (done, durable) = oneshot::channel();
        self.waiting.send(done).await.context("the floor's store works")?;
        durable.await.context("the floor's store works")
    }
}

async fn commit_what_waits(store: SqlStore, mut inbox: mpsc::Receiver<oneshot::Sender<()>>) -> Result<()> {
    let mut size = 0;
    let mut waiting = Vec::new();
    while inbox.recv_many(&mut waiting, TOGETHER).await > 0 {
        let first = size;
        size += waiting.len() as u64;
        let events: Vec<_> = (first..size)
            .map(|sequence| EventRow {
                sequence,
                event: vec![b'e'; EVENT_BYTES],
            })
            .collect();
        let note = "n".repeat(NOTE_BYTES);
        let head = HeadRow {
            size,
            metadata_revision: 0,
            state: vec![0; STATE_BYTES],
            checkpoint: note.clone(),
        };
        let checkpoint = CheckpointRow { size, note };
        let mut transaction = store.begin().await?;
        transaction.head().await?;
        let group = GroupCommit {
            rows: &[],
            changes: &[],
            events: &events,
            checkpoint: &checkpoint,
            head: &head,
        };
        transaction.commit_group(group).await?;
        for done in waiting.drain(..) {
            // Who went away does not wait.
            let _ = done.send(());
        }
    }
    Ok(())
}
