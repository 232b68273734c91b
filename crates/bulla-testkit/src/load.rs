//! A small closed-loop load generator: keep-alive HTTP/1.1 connections on one thread.
//!
//! Each connection sends a request, waits for the whole answer and sends the next, so the number of requests in flight is the
//! number of connections. While it runs it keeps its core awake; give it one of its own. It parses only what it needs (status and `Content-Length`), so that one core of it can load one core
//! of a server.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// What a run measured.
#[derive(Debug)]
pub struct Outcome {
    /// Answers with status 200, counted within the run's time.
    pub requests: u64,
    /// Time from the first request to the last answer.
    pub elapsed: Duration,
    /// Latency of each answer, sorted.
    pub latencies: Vec<Duration>,
}

impl Outcome {
    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// Latency below which this share of the answers came, in milliseconds.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let at = ((self.latencies.len() as f64 - 1.0) * share).round() as usize;
        self.latencies
            .get(at)
            .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Loads `address` over `connections` connections for `time`; `next` writes each request into the buffer.
///
/// # Errors
/// A connection that breaks, or any answer but 200: a figure over failed requests would mean nothing.
pub fn run(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    next: impl FnMut(&mut Vec<u8>) + 'static,
) -> io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let next = Rc::new(RefCell::new(next));
    let tasks = LocalSet::new();
    let (mut latencies, elapsed) = tasks.block_on(&runtime, async move {
        let mut running = Vec::with_capacity(connections);
        let begin = Instant::now();
        for _ in 0..connections {
            let next = Rc::clone(&next);
            running.push(tokio::task::spawn_local(async move {
                let mut connection = Connection::open(address).await?;
                let mut request = Vec::with_capacity(2048);
                let mut latencies = Vec::with_capacity(1 << 14);
                while begin.elapsed() < time {
                    (next.borrow_mut())(&mut request);
                    let sent = Instant::now();
                    connection.exchange(&request).await?.expect_ok()?;
                    latencies.push(sent.elapsed());
                }
                Ok::<_, io::Error>(latencies)
            }));
        }
        // A client that sleeps makes the server's core pay for waking it, which no server pays for a client on another machine.
        let awake = tokio::task::spawn_local(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let mut all = Vec::new();
        for task in running {
            all.append(&mut task.await??);
        }
        awake.abort();
        Ok::<_, io::Error>((all, begin.elapsed()))
    })?;
    latencies.sort_unstable();
    Ok(Outcome {
        requests: latencies.len() as u64,
        elapsed,
        latencies,
    })
}

/// Sends `count` requests over `connections` connections and hands each answer's body to `each`.
///
/// # Errors
/// As [`run`].
pub fn run_counted(
    address: SocketAddr,
    connections: usize,
    count: usize,
    next: impl FnMut(&mut Vec<u8>) + 'static,
    each: impl FnMut(&[u8]) + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let next = Rc::new(RefCell::new(next));
    let each = Rc::new(RefCell::new(each));
    let left = Rc::new(Cell::new(count));
    LocalSet::new().block_on(&runtime, async move {
        let mut running = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (next, each, left) = (Rc::clone(&next), Rc::clone(&each), Rc::clone(&left));
            running.push(tokio::task::spawn_local(async move {
                let mut connection = Connection::open(address).await?;
                let mut request = Vec::with_capacity(2048);
                while left.get() > 0 {
                    left.set(left.get() - 1);
                    (next.borrow_mut())(&mut request);
                    let answer = connection.exchange(&request).await?.expect_ok()?;
                    (each.borrow_mut())(answer.body);
                }
                Ok::<_, io::Error>(())
            }));
        }
        for task in running {
            task.await??;
        }
        Ok(())
    })
}

/// Sends one request on a connection of its own and returns the answer's body.
///
/// # Errors
/// As [`run`].
pub fn once(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        Ok(connection.exchange(request).await?.expect_ok()?.body.to_vec())
    })
}

/// A keep-alive connection that knows just enough of HTTP/1.1 to read Bulla's answers.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// An answer, as it lies in its connection's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Status line and headers.
    pub head: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }

    /// Passes an answer with status 200 on.
    ///
    /// # Errors
    /// Any other status, with the body in the text.
    pub fn expect_ok(self) -> io::Result<Self> {
        if self.status == 200 {
            return Ok(self);
        }
        Err(io::Error::other(format!(
            "the server answered {}: {}",
            self.status,
            String::from_utf8_lossy(self.body)
        )))
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The server does not accept connections.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(8192),
        })
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// A connection that breaks before the answer is whole, or an answer that is not HTTP/1.1 with a `Content-Length`.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let mut body: Option<Range<usize>> = None;
        loop {
            if body.is_none() {
                body = body_of(&self.answer)?;
            }
            if body.as_ref().is_some_and(|body| self.answer.len() >= body.end) {
                break;
            }
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let body = body.unwrap_or_default();
        let head = std::str::from_utf8(&self.answer[..body.start]).map_err(io::Error::other)?;
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Ok(Answer {
            status,
            head,
            body: &self.answer[body],
        })
    }
}

/// Finds where the body lies, or `None` while the head is not complete.
fn body_of(answer: &[u8]) -> io::Result<Option<Range<usize>>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end]).map_err(io::Error::other)?;
    let length: usize = header(head, "content-length")
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| io::Error::other("an answer without content-length"))?;
    Ok(Some(end + 4..end + 4 + length))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(key, value)| (key, value.trim()))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
