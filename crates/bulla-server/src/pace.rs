//! How long a connection may take for what its client does: sending headers, or nothing at all.
//!
//! hyper's own timer for headers also runs while a connection is idle and costs a timer per request. Here a request costs two atomic
//! stores, and one tick per connection compares.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::config::Limits;

/// What a connection is doing, and since when.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    /// Microseconds since `start` at which the last answer was given, or the first byte after it came.
    since: AtomicU64,
    /// Whether bytes came since the last answer.
    reading: AtomicUsize,
    in_flight: AtomicUsize,
    header_read: Duration,
    idle: Duration,
}

impl Pace {
    /// Starts the clock of a connection. `idle` also bounds how long an answer may wait for its reader.
    pub(crate) fn new(limits: &Limits, multiplexed: bool) -> Arc<Self> {
        // A multiplexed connection has frames of its own between requests: there, bytes do not mean headers.
        let header_read = if multiplexed { limits.idle } else { limits.header_read };
        Arc::new(Self {
            start: Instant::now(),
            since: AtomicU64::new(0),
            reading: AtomicUsize::new(1),
            in_flight: AtomicUsize::new(0),
            header_read,
            idle: limits.idle,
        })
    }

    /// How often to ask [`is_over`](Self::is_over).
    pub(crate) fn tick(&self) -> Duration {
        (self.header_read.min(self.idle) / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// Whether the client has taken longer than it may.
    pub(crate) fn is_over(&self) -> bool {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let limit = if self.reading.load(Ordering::Relaxed) == 0 {
            self.idle
        } else {
            self.header_read
        };
        let now = self.start.elapsed();
        now.saturating_sub(Duration::from_micros(self.since.load(Ordering::Relaxed))) > limit
    }

    /// Notes a request whose headers are complete, until the guard is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    fn note_bytes(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 && self.reading.swap(1, Ordering::Relaxed) == 0 {
            self.restart();
        }
    }

    fn restart(&self) {
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.since.store(now, Ordering::Relaxed);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Pace>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.restart();
        self.0.reading.store(0, Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that tells its [`Pace`] when bytes come.
#[derive(Debug)]
pub(crate) struct Paced<S> {
    pub(crate) stream: S,
    pub(crate) pace: Arc<Pace>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pace.note_bytes();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
