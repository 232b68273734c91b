use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;

use crate::edge::{Edge, Peer};
use crate::pace::{Pace, Paced};

const MAX_STREAMS: u32 = 32;
/// What a body of a multiplexed connection may send before somebody reads it; the usual request fits.
const STREAM_WINDOW_BYTES: u32 = 16 * 1024;
/// Room for all of them: bodies that wait for memory must not keep the one that has it from coming.
const CONNECTION_WINDOW_BYTES: u32 = MAX_STREAMS * STREAM_WINDOW_BYTES;
/// hyper's least; a line and headers that do not fit the buffer are answered 431.
const MIN_BUFFER_BYTES: usize = 8 * 1024;

/// How far the server's shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Serving,
    Draining,
    Stopped,
}

/// Serves one connection to its end: HTTP/1.1 in the clear; what the client chose over TLS.
pub(crate) async fn serve(
    edge: &Arc<Edge>,
    stream: TcpStream,
    peer: Peer,
    acceptor: Option<TlsAcceptor>,
    mut stages: watch::Receiver<Stage>,
) {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return drive(edge, stream, peer, false, stages).await;
    };
    let handshake = tokio::time::timeout(edge.limits.header_read, acceptor.accept(stream));
    let handshake = tokio::select! {
        biased;
        result = handshake => result,
        // Nothing was asked yet: there is nothing to wait for.
        _ = stages.wait_for(|stage| *stage != Stage::Serving) => return,
    };
    match handshake {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            drive(edge, stream, peer, http2, stages).await;
        }
        Ok(Err(error)) => {
            edge.metrics.failed_handshakes.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(
                peer = &*peer.text,
                error = &error as &dyn std::error::Error,
                "the TLS handshake failed"
            );
        }
        Err(_) => {
            edge.metrics.failed_handshakes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn drive<S>(edge: &Arc<Edge>, stream: S, peer: Peer, http2: bool, stages: watch::Receiver<Stage>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Pace::new(&edge.limits, http2);
    let io = TokioIo::new(Paced {
        stream,
        pace: pace.clone(),
    });
    let service = service_fn(|request| {
        let (edge, peer, in_flight) = (edge.clone(), peer.clone(), pace.request());
        async move {
            let response = edge.answer(&peer, request).await;
            drop(in_flight);
            response
        }
    });
    if http2 {
        let connection = http2_builder(edge).serve_connection(io, service);
        watch_over(connection, &peer, &pace, true, stages).await;
    } else {
        let connection = http1_builder(edge).serve_connection(io, service);
        watch_over(connection, &peer, &pace, false, stages).await;
    }
}

/// What ends a connection from this side.
enum Notice {
    Drain,
    Stop,
    Overdue,
}

/// Runs a connection to its end, which is its own, or its client's time, or the server's shutdown.
///
/// What is waited for beside the connection is polled when it has something to say, not with each of the connection's steps.
async fn watch_over<C>(connection: C, peer: &Peer, pace: &Arc<Pace>, http2: bool, stages: watch::Receiver<Stage>)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let mut connection = pin!(connection);
    let mut closing = false;
    let mut notices = FuturesUnordered::new();
    notices.push(notice(pace.clone(), stages.clone(), closing));
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(peer = &*peer.text, %error, "the connection broke");
                }
                return;
            }
            Some(notice) = notices.next() => match notice {
                Notice::Stop => return,
                Notice::Overdue if closing || !http2 => {
                    tracing::debug!(peer = &*peer.text, "the client took too long");
                    return;
                }
                Notice::Drain | Notice::Overdue => {}
            }
        }
        closing = true;
        connection.as_mut().graceful_shutdown();
        notices.push(notice(pace.clone(), stages.clone(), closing));
    }
}

/// Waits for the next reason to end a connection; one that drains already waits for its client, or for the end.
async fn notice(pace: Arc<Pace>, mut stages: watch::Receiver<Stage>, closing: bool) -> Notice {
    let mut tick = tokio::time::interval(pace.tick());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            stage = stages.wait_for(|stage| *stage == Stage::Stopped || (*stage == Stage::Draining && !closing)) => {
                return match stage.as_deref() {
                    Ok(Stage::Draining) => Notice::Drain,
                    _ => Notice::Stop,
                };
            }
            _ = tick.tick() => {
                if pace.is_over() {
                    return Notice::Overdue;
                }
            }
        }
    }
}

fn http1_builder(edge: &Edge) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // hyper takes 100 headers at most without a setting, and keeps them on the stack only then.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(edge.limits.header_bytes.max(MIN_BUFFER_BYTES));
    builder
}

fn http2_builder(edge: &Edge) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let header_bytes = u32::try_from(edge.limits.header_bytes).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(header_bytes)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS);
    builder
}
