//! The one task that commits: it takes all who wait, holds each decision against what changed since, and makes the rest durable in
//! one transaction with its events and a signed checkpoint.
//!
//! Nobody waits for a batch to fill: while one commit is being made durable, the next batch gathers by itself.

mod batch;
mod staleness;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bulla_audit::{Checkpoint, LogState, PreparedEvent, VerifierKey};
use bulla_crypto::signature::SigningKey;
use bulla_model::Clock;
use bulla_store::{HeadRow, StoreError, Transaction};
use tokio::sync::{mpsc, oneshot};

use self::batch::Batch;
use self::staleness::Recent;
use crate::ServiceError;
use crate::change_feed::{self, FeedError, Form, Source};
use crate::feed_digest::FeedDigest;
use crate::metrics::count;
use crate::row_ids::RowKey;
use crate::rows::Rows;

/// Events of other nodes read at once.
const EVENTS: u32 = 1_000;

/// How long a batch takes in who comes, on a node that never runs out of work.
const GATHER_AT_MOST: Duration = Duration::from_millis(1);

/// A decision that waits to become durable.
#[derive(Debug)]
pub(crate) struct CommitRequest {
    /// The revision that the decision saw; the greatest number where it read nothing.
    pub(crate) seen: u64,
    /// Every row that it read.
    pub(crate) reads: Vec<RowKey>,
    /// Rows to write or delete.
    pub(crate) writes: Vec<Write>,
    /// Events that changed nothing, for the log before the decision's own.
    pub(crate) further: Vec<PreparedEvent>,
    pub(crate) event: PreparedEvent,
    pub(crate) answer: oneshot::Sender<Result<(), CommitError>>,
}

/// A row to write (`body`) or to delete (none).
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) key: RowKey,
    pub(crate) owner: String,
    pub(crate) body: Option<Vec<u8>>,
}

/// Why a decision did not become durable.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// A row that it had read was changed since: decide again.
    Stale,
    /// It could not be made durable.
    Failed(ServiceError),
}

/// What goes through the committer's queue.
#[derive(Debug)]
pub(crate) enum Message {
    Commit(CommitRequest),
    /// See whether a commit would be possible: take the lock, catch up, believe the head.
    Check(oneshot::Sender<Result<(), ServiceError>>),
    /// Take nothing more, answer all who wait, stop.
    Shutdown,
}

/// The committer's own state.
pub(crate) struct Committer {
    pub(crate) rows: Arc<Rows>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) origin: String,
    pub(crate) signing: SigningKey,
    pub(crate) verifier: VerifierKey,
    /// The head as it was last read or written here, believed.
    head: HeadRow,
    log: LogState,
    /// Digest of all changes up to the log's metadata revision.
    feed: FeedDigest,
    /// Whether the head vouches for that digest, or is of a program from before there was one.
    vouched: bool,
    recent: Recent,
}

/// The change feed as far as it was read when the service opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feed {
    pub(crate) digest: FeedDigest,
    /// Whether the head vouches for the digest.
    pub(crate) vouched: bool,
}

impl Committer {
    pub(crate) fn new(
        rows: Arc<Rows>,
        clock: Arc<dyn Clock>,
        signing: SigningKey,
        verifier: VerifierKey,
        head: HeadRow,
        log: LogState,
        feed: Feed,
    ) -> Self {
        let recent = Recent::since(log.metadata_revision());
        rows.log_has(log.size());
        Self {
            rows,
            clock,
            origin: verifier.name().to_owned(),
            signing,
            verifier,
            head,
            log,
            feed: feed.digest,
            vouched: feed.vouched,
            recent,
        }
    }

    /// Commits until it is told to stop or nobody can ask any more.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Message>, batch_size: usize) {
        let mut messages = Vec::with_capacity(batch_size);
        while queue.recv_many(&mut messages, batch_size).await > 0 {
            gather(&mut queue, &mut messages, batch_size).await;
            let mut requests = Vec::with_capacity(messages.len());
            let mut checks = Vec::new();
            for message in messages.drain(..) {
                match message {
                    Message::Commit(request) => requests.push(request),
                    Message::Check(answer) => checks.push(answer),
                    Message::Shutdown => queue.close(),
                }
            }
            if !requests.is_empty() {
                self.commit(requests).await;
            }
            if !checks.is_empty() {
                let outcome = self.check().await;
                for answer in checks {
                    let _ = answer.send(outcome.clone());
                }
            }
        }
    }

    async fn commit(&mut self, requests: Vec<CommitRequest>) {
        let started = Instant::now();
        let (batch, outcome) = self.try_commit(requests).await;
        let metrics = &self.rows.metrics;
        match outcome {
            Ok(()) => {
                if batch.applied.is_empty() {
                    batch.answer_stale(metrics);
                    return;
                }
                self.rows.failing.store(false, Ordering::Relaxed);
                count(&metrics.commits);
                metrics.events.fetch_add(batch.applied.len() as u64, Ordering::Relaxed);
                metrics.batch_size.record(batch.applied.len() as u64);
                metrics
                    .commit_micros
                    .record(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
                batch.answer(&Ok(()), metrics);
            }
            Err(error) => {
                self.rows.failing.store(true, Ordering::Relaxed);
                count(&metrics.commit_failures);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    waiting = batch.applied.len(),
                    "a group commit failed"
                );
                batch.answer(&Err(error), metrics);
            }
        }
    }

    async fn check(&mut self) -> Result<(), ServiceError> {
        let mut transaction = self.rows.store.begin().await?;
        self.catch_up(transaction.as_mut()).await
    }

    /// Catches up with the head, and refuses what lies beyond it; nobody commits while this looks.
    pub(crate) async fn see_the_end(&mut self) -> Result<(), ServiceError> {
        let mut transaction = match self.rows.store.begin().await {
            // Who can only read can commit nothing, and answers nothing that rests on what is here.
            Err(StoreError::ReadOnly(_)) => return Ok(()),
            begun => begun?,
        };
        self.catch_up(transaction.as_mut()).await?;
        let store = &self.rows.store;
        let (size, revision) = (self.log.size(), self.log.metadata_revision());
        if store.changes(revision, 1).await?.is_empty()
            && store.events(size, 1).await?.is_empty()
            && store.checkpoints(size, 1).await?.is_empty()
        {
            return Ok(());
        }
        Err(tampered_head("changes, events or checkpoints lie beyond it"))
    }

    /// Nothing of this node's state moves unless the store said that it committed.
    async fn try_commit(&mut self, requests: Vec<CommitRequest>) -> (Batch, Result<(), ServiceError>) {
        let mut transaction = match self.rows.store.begin().await {
            Ok(transaction) => transaction,
            Err(error) => return (Batch::failed(requests), Err(error.into())),
        };
        if let Err(error) = self.catch_up(transaction.as_mut()).await {
            return (Batch::failed(requests), Err(error));
        }
        let mut batch = Batch::decide(requests, &self.recent, self.log.clone(), &self.rows.store_key);
        if batch.applied.is_empty() {
            return (batch, Ok(()));
        }
        let result = self.write(transaction, &mut batch).await;
        (batch, result)
    }

    async fn write(&mut self, transaction: Box<dyn Transaction>, batch: &mut Batch) -> Result<(), ServiceError> {
        let now = self.clock.now().as_micros();
        let checkpoint = batch.log.checkpoint(&self.origin, now).sign(&self.signing);
        let mut note = checkpoint.map_err(|_| ServiceError::Internal("the checkpoint can't be signed"))?;
        let feed = self.feed.after(&self.rows.store_key, &batch.changes);
        feed.add_line(&self.rows.store_key, &mut note, &self.origin, &batch.log);
        let head = HeadRow {
            size: batch.log.size(),
            metadata_revision: batch.log.metadata_revision(),
            state: batch.log.to_bytes(),
            checkpoint: note,
        };
        batch.commit(transaction, &head).await?;
        self.rows.log_has(head.size);
        self.log = batch.log.clone();
        (self.feed, self.vouched) = (feed, true);
        self.head = head;
        self.recent.record(&batch.changes, self.log.metadata_revision());
        self.rows.apply(&batch.changes, self.log.metadata_revision());
        Ok(())
    }

    /// Learns what other nodes committed, or what became of a commit of ours that was not answered.
    async fn catch_up(&mut self, transaction: &mut dyn Transaction) -> Result<(), ServiceError> {
        let head = transaction.head().await?.ok_or_else(|| tampered_head("it is gone"))?;
        if head == self.head {
            return Ok(());
        }
        let log = believe_head(&head, &self.verifier)?;
        if log.size() < self.log.size() || log.metadata_revision() < self.log.metadata_revision() {
            return Err(tampered_head("it is older than what this node committed"));
        }
        if log.size() == self.log.size() && log != self.log {
            return Err(tampered_head("it contradicts what this node committed"));
        }
        self.is_extended_by(&log).await?;
        let store_key = &self.rows.store_key;
        let vouched = FeedDigest::of_checkpoint(store_key, &head.checkpoint, &self.origin, &log)
            .map_err(|_| tampered_head("its digest of the change feed is forged"))?;
        if vouched.is_none() && self.vouched {
            return Err(tampered_head("it has no digest of the change feed"));
        }
        let after = self.rows.synced();
        let changes = change_feed::read(
            Source::Transaction(transaction),
            store_key,
            if vouched.is_some() {
                Form::Digested
            } else {
                Form::Unbound
            },
            after,
            log.metadata_revision(),
        )
        .await
        .map_err(|error| match error {
            FeedError::Tampered { .. } => tampered_head("changes are missing or forged"),
            FeedError::Store(error) => error.into(),
        })?;
        let feed = self.feed.after(store_key, &changes);
        if vouched.is_some_and(|vouched| vouched != feed) {
            return Err(tampered_head("changes are missing or forged"));
        }
        // Other nodes' commits are durable, whatever becomes of this transaction.
        self.recent.record(&changes, log.metadata_revision());
        self.rows.apply(&changes, log.metadata_revision());
        self.rows.log_has(head.size);
        self.head = head;
        self.log = log;
        (self.feed, self.vouched) = (feed, vouched.is_some());
        Ok(())
    }
}

impl Committer {
    /// Reads what was appended since this node's own state: a signed head of another course of events is not believed.
    ///
    /// The lock is held, so nothing is appended meanwhile.
    async fn is_extended_by(&self, head: &LogState) -> Result<(), ServiceError> {
        let mut own = self.log.clone();
        while own.size() < head.size() {
            let limit = u32::try_from(head.size() - own.size()).map_or(EVENTS, |missing| missing.min(EVENTS));
            let events = self.rows.store.events(own.size(), limit).await?;
            if events.is_empty() {
                return Err(tampered_head("events before it are gone"));
            }
            for event in events {
                if event.sequence != own.size() {
                    return Err(tampered_head("events before it are gone"));
                }
                own.append(&event.event);
            }
        }
        if own.range() != head.range() || own.last() != head.last() {
            return Err(tampered_head("it is of another course of events than this node's"));
        }
        Ok(())
    }
}

/// Takes whoever is ready to ask into the same batch, as long as somebody new is: a commit costs as much as deciding ten requests, so a
/// busy node makes fewer of them. No time is waited: when nobody is ready, it goes on.
async fn gather(queue: &mut mpsc::Receiver<Message>, messages: &mut Vec<Message>, batch_size: usize) {
    const IDLE_ROUNDS: u32 = 2;
    let end = Instant::now() + GATHER_AT_MOST;
    let mut idle_rounds = 0;
    while idle_rounds < IDLE_ROUNDS && messages.len() < batch_size && Instant::now() < end {
        tokio::task::yield_now().await;
        let before = messages.len();
        while messages.len() < batch_size
            && let Ok(message) = queue.try_recv()
        {
            messages.push(message);
        }
        idle_rounds = if messages.len() == before { idle_rounds + 1 } else { 0 };
    }
}

/// Believes a head whose state is exactly what its signed checkpoint says.
pub(crate) fn believe_head(head: &HeadRow, verifier: &VerifierKey) -> Result<LogState, ServiceError> {
    let checkpoint = Checkpoint::parse_and_verify(&head.checkpoint, std::slice::from_ref(verifier))
        .map_err(|_| tampered_head("its checkpoint is not signed by the log's key"))?;
    let log = LogState::from_bytes(&head.state).map_err(|_| tampered_head("its state is damaged"))?;
    let agrees = checkpoint.size == log.size()
        && checkpoint.root == log.root()
        && checkpoint.last == log.last()
        && checkpoint.metadata_revision == log.metadata_revision()
        && head.size == log.size()
        && head.metadata_revision == log.metadata_revision();
    if agrees {
        Ok(log)
    } else {
        Err(tampered_head("it is not what its checkpoint says"))
    }
}

fn tampered_head(why: &'static str) -> ServiceError {
    tracing::error!(why, "the head of the audit log is not what the service wrote");
    ServiceError::Tampered {
        table: "head",
        id: why.to_owned(),
    }
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}
