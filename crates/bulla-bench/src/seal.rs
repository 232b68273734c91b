//! `Sealer::seal` and `Sealer::open` with a warm cache, on one thread and on two; and a stampede on a cold one.
//!
//! The floor is AES-256-GCM of `aws-lc-rs` itself: a ready key, a ready nonce, the same plaintext, associated data of the same length, a
//! fresh output buffer. Floor and Sealer take turns in short rounds; the figures are the medians over rounds, the ratio is the
//! median of the rounds' ratios.

pub(crate) mod provider;

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bulla_crypto::{Context, SystemRandom};
use bulla_envelope::{AccessRecord, Sealer, Settings};

use self::provider::SlowProvider;
use crate::report::Figure;

const SIZES: [usize; 6] = [64, 256, 1024, 4096, 65_536, 1_048_576];
const BINDING: &[u8] = b"payments/4711/pan";
const NONCE: [u8; 12] = [7; 12];
/// From here on a figure is a rate of bytes and not a time of an operation.
const LARGE_BYTES: usize = 65_536;

/// Measures seal and open and hands each figure to `emit`.
pub(crate) fn run(quick: bool, wanted: &dyn Fn(&str) -> bool, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    let rounds = if quick { 151 } else { 1001 };
    let mut cases: Vec<(usize, usize)> = SIZES.iter().map(|size| (*size, 1)).collect();
    cases.insert(2, (256, 2));
    for operation in [Operation::Seal, Operation::Open] {
        for &(size, threads) in &cases {
            let suffix = if threads == 1 {
                String::new()
            } else {
                format!("/{threads}")
            };
            let name = format!("{}/{size}{suffix}", operation.name());
            if wanted(&name) {
                let bench = runtime.block_on(Bench::new(size))?;
                emit(bench.measure(&name, operation, threads, rounds)?);
            }
        }
    }
    if wanted("seal/stampede") {
        emit(runtime.block_on(stampede())?);
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Operation {
    Seal,
    Open,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Open => "open",
        }
    }
}

/// What both sides of one comparison work on.
struct Bench {
    plaintext: Vec<u8>,
    context: Context,
    sealer: Sealer,
    record: Vec<u8>,
    raw_key: LessSafeKey,
    raw_aad: Vec<u8>,
    raw_ciphertext: Vec<u8>,
    raw_tag: Vec<u8>,
}

impl Bench {
    async fn new(size: usize) -> Result<Self> {
        let plaintext: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let context = Context::from_caller_pairs([("tenant", "acme"), ("table", "payments")])?;
        let sealer = new_sealer(Duration::ZERO)?;
        let record = sealer.seal(&context, BINDING, &plaintext).await?;
        sealer.open(&record, &context, BINDING).await?;
        let raw_key = LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, &[3; 32])
                .ok()
                .context("a key of 32 bytes")?,
        );
        // version, suite, commitment, context, length of the binding, binding
        let raw_aad = vec![9; 2 + 32 + context.as_bytes().len() + 4 + BINDING.len()];
        let mut bench = Self {
            raw_ciphertext: Vec::new(),
            raw_tag: Vec::new(),
            plaintext,
            context,
            sealer,
            record,
            raw_key,
            raw_aad,
        };
        let sealed = bench.raw_seal();
        let (ciphertext, tag) = sealed.split_at(size);
        (bench.raw_ciphertext, bench.raw_tag) = (ciphertext.to_vec(), tag.to_vec());
        Ok(bench)
    }

    /// The faster of the two ways to a fresh buffer: a copy that is encrypted in place while it is small, out of place from 64 KiB on.
    fn raw_seal(&self) -> Vec<u8> {
        let nonce = Nonce::assume_unique_for_key(black_box(NONCE));
        let aad = Aad::from(&self.raw_aad[..]);
        if self.plaintext.len() >= LARGE_BYTES {
            let mut out = vec![0; self.plaintext.len() + 16];
            let (ciphertext, tag) = out.split_at_mut(self.plaintext.len());
            self.raw_key
                .seal_out_of_place_scatter(nonce, aad, &self.plaintext, ciphertext, &[], tag)
                .expect("aws-lc seals");
            return out;
        }
        let mut out = Vec::with_capacity(self.plaintext.len() + 16);
        out.extend_from_slice(&self.plaintext);
        let tag = self.raw_key.seal_in_place_separate_tag(nonce, aad, &mut out);
        out.extend_from_slice(tag.expect("aws-lc seals").as_ref());
        out
    }

    fn raw_open(&self) -> Vec<u8> {
        let mut out = vec![0; self.raw_ciphertext.len()];
        let nonce = Nonce::assume_unique_for_key(black_box(NONCE));
        let aad = Aad::from(&self.raw_aad[..]);
        self.raw_key
            .open_separate_gather(nonce, aad, &self.raw_ciphertext, &self.raw_tag, &mut out)
            .expect("aws-lc opens");
        out
    }

    fn floor_loop(&self, operation: Operation, count: u32) {
        for _ in 0..count {
            match operation {
                Operation::Seal => drop(black_box(self.raw_seal())),
                Operation::Open => drop(black_box(self.raw_open())),
            }
        }
    }

    /// Calls as an application does: the async methods, in a task.
    async fn sealer_loop(&self, operation: Operation, count: u32) {
        for _ in 0..count {
            let (context, binding) = (black_box(&self.context), BINDING);
            match operation {
                Operation::Seal => {
                    drop(black_box(
                        self.sealer
                            .seal(context, binding, &self.plaintext)
                            .await
                            .expect("the Sealer seals"),
                    ));
                }
                Operation::Open => {
                    drop(black_box(
                        self.sealer
                            .open(&self.record, context, binding)
                            .await
                            .expect("the Sealer opens"),
                    ));
                }
            }
        }
    }

    fn measure(&self, name: &str, operation: Operation, threads: usize, rounds: usize) -> Result<Figure> {
        let floor = |count| self.floor_loop(operation, count);
        let ours = |count| block_on(self.sealer_loop(operation, count));
        let count = iterations(&floor);
        time_per_operation(threads, count, &ours);
        let mut figures: Vec<(f64, f64)> = (0..rounds)
            .map(|_| {
                (
                    time_per_operation(threads, count, &ours),
                    time_per_operation(threads, count, &floor),
                )
            })
            .collect();
        ensure!(self.sealer.stats().provider_calls <= 2, "the cache was not warm");
        let ratio = median(&mut figures, |(ours, floor)| floor / ours);
        let ours_ns = median(&mut figures, |(ours, _)| *ours);
        let floor_ns = median(&mut figures, |(_, floor)| *floor);
        let rate = |ns: f64| self.plaintext.len() as f64 / (ns / 1e9) / f64::from(1 << 20);
        Ok(if self.plaintext.len() < LARGE_BYTES {
            Figure::time_per_operation(name, ours_ns, floor_ns, ratio)
        } else {
            Figure::rate(name, rate(ours_ns), "MiB/s", rate(floor_ns)).with_ratio(ratio)
        })
    }
}

fn new_sealer(delay: Duration) -> Result<Sealer> {
    let settings = Settings {
        max_age: Duration::from_secs(3600),
        unwrapped_ttl: Duration::from_secs(3600),
        ..Settings::default()
    };
    let provider = Arc::new(SlowProvider::new(delay));
    let builder = Sealer::builder(
        provider,
        "alias/bench",
        AccessRecord::Unrecorded,
        Arc::new(SystemRandom),
    );
    Ok(builder.settings(settings).build()?)
}

/// 10,000 tasks seal at once in a context whose data key nobody has fetched; the floor is one call.
async fn stampede() -> Result<Figure> {
    let sealer = new_sealer(Duration::from_millis(20))?;
    let context = Context::from_caller_pairs([("tenant", "acme")])?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let (sealer, context) = (sealer.clone(), context.clone());
        tasks.spawn(async move { sealer.seal(&context, BINDING, b"value").await.is_ok() });
    }
    let sealed = tasks.join_all().await;
    ensure!(
        sealed.len() == 10_000 && sealed.iter().all(|sealed| *sealed),
        "a seal failed"
    );
    Ok(Figure::cost(
        "seal/stampede",
        sealer.stats().provider_calls as f64,
        "calls",
        1.0,
    ))
}

/// Runs a task that never waits, as long as the cache is warm, on the calling thread.
fn block_on(task: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without threads needs nothing").block_on(task);
}

/// Finds how many operations take about a millisecond, less than a slice of the scheduler: so that a busy machine disturbs
/// both sides alike.
fn iterations(floor: &(impl Fn(u32) + Sync)) -> u32 {
    let mut count = 1;
    while count < 1 << 20 {
        let begin = Instant::now();
        floor(count);
        if begin.elapsed() >= Duration::from_micros(600) {
            break;
        }
        count *= 2;
    }
    count
}

/// Runs `work` on so many threads at once, and gives the nanoseconds between two operations of all threads together.
fn time_per_operation(threads: usize, count: u32, work: &(impl Fn(u32) + Sync)) -> f64 {
    if threads == 1 {
        let begin = Instant::now();
        work(count);
        return begin.elapsed().as_nanos() as f64 / f64::from(count);
    }
    let barrier = Barrier::new(threads);
    let slowest = std::thread::scope(|scope| {
        let timed = || {
            barrier.wait();
            let begin = Instant::now();
            work(count);
            begin.elapsed()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(timed)).collect();
        running
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .max()
            .unwrap_or_default()
    });
    slowest.as_nanos() as f64 / f64::from(count) / threads as f64
}

fn median<T>(figures: &mut [T], of: impl Fn(&T) -> f64) -> f64 {
    figures.sort_by(|a, b| of(a).total_cmp(&of(b)));
    of(&figures[figures.len() / 2])
}
