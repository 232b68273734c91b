use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// How much of a body that is too large is still read, so that its sender sees the answer and not a reset connection.
const DRAIN_BYTES: usize = 4 * 1024 * 1024;

/// A body up to this size takes nothing from the memory for bodies: each operation's usual request, with room.
const SMALL_BYTES: usize = 16 * 1024;
const KIB: usize = 1024;

/// Makes the memory for bodies, in KiB: room for one of them at least.
pub(crate) fn memory(limits: &Limits) -> Arc<Semaphore> {
    let bytes = limits.body_memory_bytes.max(limits.body_bytes);
    Arc::new(Semaphore::new(bytes.div_ceil(KIB).min(Semaphore::MAX_PERMITS)))
}

/// Reads a whole body of at most `limit_bytes` within `time`.
///
/// Nobody has shown yet who he is: so what all bodies together take is bounded, and a large one waits for its share of `memory`.
pub(crate) async fn read_body(
    body: Incoming,
    limit_bytes: usize,
    time: Duration,
    memory: &Arc<Semaphore>,
) -> Result<RequestBody, BodyError> {
    if body.is_end_stream() {
        return Ok(RequestBody::Whole(bytes::Bytes::new()));
    }
    tokio::time::timeout(time, collect(body, limit_bytes, memory))
        .await
        .unwrap_or(Err(BodyError::Incomplete))
}

async fn collect(mut body: Incoming, limit_bytes: usize, memory: &Arc<Semaphore>) -> Result<RequestBody, BodyError> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|bytes| bytes > limit_bytes as u64) {
        return drain(body).await;
    }
    let Some(first) = next_frame(&mut body).await? else {
        return Ok(RequestBody::Whole(bytes::Bytes::new()));
    };
    if body.is_end_stream() && first.len() <= limit_bytes {
        return Ok(RequestBody::Whole(first));
    }
    let announced_bytes = announced.and_then(|bytes| usize::try_from(bytes).ok());
    let mut share = reserve(memory, announced_bytes.unwrap_or(first.len())).await?;
    let mut joined = WipingWriter::with_capacity(announced_bytes.unwrap_or(first.len() * 2).min(limit_bytes));
    let mut size_bytes = first.len();
    joined.push(&first);
    drop(first);
    while let Some(frame) = next_frame(&mut body).await? {
        size_bytes += frame.len();
        if size_bytes > limit_bytes {
            return drain(body).await;
        }
        if share.is_none() && size_bytes > SMALL_BYTES {
            // Its size was not announced.
            share = reserve(memory, limit_bytes).await?;
        }
        joined.push(&frame);
    }
    Ok(RequestBody::Joined {
        bytes: joined,
        _share: share,
    })
}

async fn reserve(memory: &Arc<Semaphore>, size_bytes: usize) -> Result<Option<OwnedSemaphorePermit>, BodyError> {
    if size_bytes <= SMALL_BYTES {
        return Ok(None);
    }
    let size_kib = u32::try_from(size_bytes.div_ceil(KIB)).map_err(|_| BodyError::TooLarge)?;
    let share = memory.clone().acquire_many_owned(size_kib).await;
    share.map(Some).map_err(|_| BodyError::Incomplete)
}

async fn next_frame(body: &mut Incoming) -> Result<Option<bytes::Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn drain(mut body: Incoming) -> Result<RequestBody, BodyError> {
    let mut drained_bytes = 0;
    while drained_bytes < DRAIN_BYTES
        && let Ok(Some(frame)) = next_frame(&mut body).await
    {
        drained_bytes += frame.len();
    }
    Err(BodyError::TooLarge)
}
