use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clients::client_of;
use crate::config::Limits;
use crate::wiping::{RequestBody, WipingWriter};

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Longer than the limit.
    TooLarge,
    /// Broken off, or not there in time.
    Incomplete,
}

/// How much of a body that is too large is still read at least, so that its sender sees the answer and not a reset connection.
const DRAIN_BYTES: usize = 4 * 1024 * 1024;

/// A body up to this size takes nothing from the memory for bodies: each operation's usual request, with room.
const SMALL_BYTES: usize = 16 * 1024;
const KIB: usize = 1024;

/// One client has at most this part of the memory for bodies.
const CLIENTS_PART: usize = 4;

/// The memory for bodies, in KiB, of which no client takes all.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    all: Arc<Semaphore>,
    of_client_kib: usize,
    clients: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

/// What a body takes of the memory; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _of_all: OwnedSemaphorePermit,
    // Last: it keeps the client's own count alive.
    _of_client: OwnedSemaphorePermit,
}

impl BodyMemory {
    /// Room for one body at least, of every client.
    pub(crate) fn new(limits: &Limits) -> Self {
        let in_kib = |bytes: usize| bytes.div_ceil(KIB).min(Semaphore::MAX_PERMITS);
        let bytes = limits.body_memory_bytes.max(limits.body_bytes);
        Self {
            all: Arc::new(Semaphore::new(in_kib(bytes))),
            of_client_kib: in_kib((bytes / CLIENTS_PART).max(limits.body_bytes)),
            clients: Mutex::default(),
        }
    }

    /// Waits for room for what working on a body takes beside it, at most for what one client may have; a little takes nothing.
    ///
    /// Whoever waits here holds no other share, or two of them could wait for each other.
    pub(crate) async fn hold(
        &self,
        client: IpAddr,
        size_bytes: usize,
        time: Duration,
    ) -> Result<Option<Share>, BodyError> {
        if size_bytes <= SMALL_BYTES {
            return Ok(None);
        }
        let reserved = self.reserve(client, size_bytes.min(self.of_client_kib * KIB));
        let reserved = tokio::time::timeout(time, reserved).await;
        reserved.unwrap_or(Err(BodyError::Incomplete)).map(Some)
    }

    /// Waits for room: first among the client's own bodies, then among all.
    async fn reserve(&self, client: IpAddr, size_bytes: usize) -> Result<Share, BodyError> {
        let size_kib = u32::try_from(size_bytes.div_ceil(KIB)).map_err(|_| BodyError::TooLarge)?;
        let of_client = self.of_client(client_of(client));
        let of_client = of_client.acquire_many_owned(size_kib).await;
        let of_all = self.all.clone().acquire_many_owned(size_kib).await;
        Ok(Share {
            _of_all: of_all.map_err(|_| BodyError::Incomplete)?,
            _of_client: of_client.map_err(|_| BodyError::Incomplete)?,
        })
    }

    fn of_client(&self, client: IpAddr) -> Arc<Semaphore> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(&client).and_then(Weak::upgrade) {
            return known;
        }
        // Who has no body any more is forgotten; each that has one holds a KiB at least.
        clients.retain(|_, client| client.strong_count() > 0);
        let new = Arc::new(Semaphore::new(self.of_client_kib));
        clients.insert(client, Arc::downgrade(&new));
        new
    }
}

/// Reads a whole body of at most `limit_bytes` within `time`.
///
/// Nobody has shown yet who he is: so what all bodies together take is bounded, and what those of one client take is less. A large one
/// waits for its share of `memory` once its first 16 KiB have come: who only announces it takes nothing.
pub(crate) async fn read_body(
    body: Incoming,
    limit_bytes: usize,
    time: Duration,
    memory: &BodyMemory,
    client: IpAddr,
) -> Result<RequestBody, BodyError> {
    if body.is_end_stream() {
        return Ok(RequestBody::Whole(bytes::Bytes::new()));
    }
    tokio::time::timeout(time, collect(body, limit_bytes, memory, client))
        .await
        .unwrap_or(Err(BodyError::Incomplete))
}

async fn collect(
    mut body: Incoming,
    limit_bytes: usize,
    memory: &BodyMemory,
    client: IpAddr,
) -> Result<RequestBody, BodyError> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|bytes| bytes > limit_bytes as u64) {
        return drain(body, limit_bytes).await;
    }
    let Some(first) = next_frame(&mut body).await? else {
        return Ok(RequestBody::Whole(bytes::Bytes::new()));
    };
    if body.is_end_stream() && first.len() <= limit_bytes {
        return Ok(RequestBody::Whole(first));
    }
    let announced_bytes = announced.and_then(|bytes| usize::try_from(bytes).ok());
    let expected_bytes = announced_bytes.unwrap_or(first.len() * 2).min(limit_bytes);
    let mut joined = WipingWriter::with_capacity(expected_bytes.min(SMALL_BYTES).max(first.len()));
    let (mut size_bytes, mut share) = (0, None);
    let mut next = Some(first);
    while let Some(frame) = next {
        size_bytes += frame.len();
        if size_bytes > limit_bytes {
            return drain(body, limit_bytes).await;
        }
        if share.is_none() && size_bytes > SMALL_BYTES {
            // Its whole size at once, so that no two bodies wait for what the other has.
            share = Some(memory.reserve(client, announced_bytes.unwrap_or(limit_bytes)).await?);
            let mut whole = WipingWriter::with_capacity(announced_bytes.unwrap_or(size_bytes * 2).min(limit_bytes));
            whole.push(joined.written());
            joined = whole;
        }
        joined.push(&frame);
        next = next_frame(&mut body).await?;
    }
    Ok(RequestBody::Joined { bytes: joined, share })
}

async fn next_frame(body: &mut Incoming) -> Result<Option<bytes::Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn drain(mut body: Incoming, limit_bytes: usize) -> Result<RequestBody, BodyError> {
    let mut drained_bytes = 0;
    while drained_bytes < DRAIN_BYTES.max(limit_bytes.saturating_mul(2))
        && let Ok(Some(frame)) = next_frame(&mut body).await
    {
        drained_bytes += frame.len();
    }
    Err(BodyError::TooLarge)
}
