use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
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

async fn drive<S>(edge: &Arc<Edge>, stream: S, peer: Peer, http2: bool, mut stages: watch::Receiver<Stage>)
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
    let builder = builder(edge, http2);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut tick = tokio::time::interval(pace.tick());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut closing = false;
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(peer = &*peer.text, error = &*error, "the connection broke");
                }
                return;
            }
            stage = stages.wait_for(|stage| *stage == Stage::Stopped || (*stage == Stage::Draining && !closing)) => {
                if !matches!(stage.as_deref(), Ok(Stage::Draining)) {
                    return;
                }
                closing = true;
            }
            _ = tick.tick() => {
                if !pace.is_over() {
                    continue;
                }
                if closing || !http2 {
                    tracing::debug!(peer = &*peer.text, "the client took too long");
                    return;
                }
                closing = true;
            }
        }
        connection.as_mut().graceful_shutdown();
    }
}

fn builder(edge: &Edge, http2: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper takes 100 headers at most without a setting, and keeps them on the stack only then.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(edge.limits.header_bytes.max(MIN_BUFFER_BYTES));
    let header_bytes = u32::try_from(edge.limits.header_bytes).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(header_bytes)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS);
    if http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    }
}
