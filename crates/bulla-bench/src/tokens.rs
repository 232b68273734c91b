//! The token vault over a Redis of its own, beside raw Redis over the same kind of connection, in turns.
//!
//! The floor of a get is `GET` of a value of the same size; that of a put is `SET`. Nothing is recorded: what an event costs is in `serve`. The key
//! service of the cold and warm figures takes 40 ms a call.

mod redis_server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_envelope::KeyRing;
use bulla_model::SystemClock;
use bulla_tokens::{
    ClientId, ClientKey, KeyTable, NewToken, Provider, RedisConfig, RedisStore, TokenRef, TokenVault, Unrecorded,
};
use redis::aio::ConnectionManager;

use self::redis_server::RedisServer;
use crate::report::Figure;
use crate::seal::provider::{KEY, SlowProvider};

const VALUE_BYTES: usize = 1024;
const CLIENTS: [usize; 3] = [1, 16, 64];
const ROUNDS: usize = 5;

/// Measures gets and puts and hands each figure to `emit`.
pub(crate) fn run(quick: bool, wanted: &dyn Fn(&str) -> bool, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    let names = ["tokens/get", "tokens/put", "tokens/kms"];
    if !names.iter().any(|name| wanted(name)) {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let redis = RedisServer::start()?;
    let time = Duration::from_millis(if quick { 200 } else { 1_000 });
    runtime.block_on(async {
        for operation in [Operation::Get, Operation::Put] {
            if wanted(operation.name()) {
                for clients in CLIENTS {
                    throughput(&redis, operation, clients, time, emit).await?;
                }
            }
        }
        if wanted("tokens/kms") {
            key_service_calls(&redis, emit).await?;
        }
        Ok(())
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Get,
    Put,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "tokens/get",
            Self::Put => "tokens/put",
        }
    }
}

/// Vault and raw Redis, each by so many clients at once, in turns; the round with the median ratio counts.
async fn throughput(
    redis: &RedisServer,
    operation: Operation,
    clients: usize,
    time: Duration,
    emit: &mut dyn FnMut(Figure),
) -> Result<()> {
    let vault = vault(redis, Duration::ZERO, 1)?;
    let raw = ConnectionManager::new(redis::Client::open(redis.url())?).await?;
    let token = token(0)?;
    vault.put(&token, value()).await?;
    vault.get(&token).await?.context("the token is there")?;
    set_raw(&raw).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let raw = raw.clone();
        let floor = load(clients, time, move || {
            let raw = raw.clone();
            async move {
                match operation {
                    Operation::Get => get_raw(&raw).await,
                    Operation::Put => set_raw(&raw).await,
                }
            }
        });
        let floor = floor.await?;
        let (vault, token) = (vault.vault.clone(), token.clone());
        let outcome = load(clients, time, move || {
            let (vault, token) = (vault.clone(), token.clone());
            async move {
                match operation {
                    Operation::Get => ensure!(vault.get(&token).await?.is_some(), "the token is there"),
                    Operation::Put => drop(vault.put(&token, value()).await?),
                }
                Ok(())
            }
        });
        rounds.push((outcome.await?, floor));
    }
    rounds.sort_by(|(a, fa), (b, fb)| (a.per_second / fa.per_second).total_cmp(&(b.per_second / fb.per_second)));
    let (outcome, floor) = rounds.swap_remove(ROUNDS / 2);
    let name = format!("{}/c{clients}", operation.name());
    emit(Figure::rate(&name, outcome.per_second, "op/s", floor.per_second));
    emit(Figure::cost(&format!("{name}/p50"), outcome.p50_us, "us", floor.p50_us));
    Ok(())
}

/// 10,000 gets of 100 clients, cold and warm: calls to the key service for 1,000 of them, and the time that one get takes.
async fn key_service_calls(redis: &RedisServer, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    const TENANTS: usize = 100;
    let writer = vault(redis, Duration::ZERO, TENANTS)?;
    let provider = Arc::clone(&writer.provider);
    for at in 0..TENANTS {
        writer.put(&token(at)?, value()).await?;
    }
    let reader = vault_over(redis, provider, TENANTS)?;
    reader.provider.set_delay(Duration::from_millis(40));
    for phase in ["cold", "warm"] {
        let before = reader.stats().kms_calls;
        let begin = Instant::now();
        for _ in 0..100 {
            for at in 0..TENANTS {
                reader.get(&token(at)?).await?.context("the token is there")?;
            }
        }
        let mean_us = begin.elapsed().as_secs_f64() * 1e6 / 10_000.0;
        let calls = reader.stats().kms_calls - before;
        emit(Figure::cost(
            &format!("tokens/kms/{phase}/calls"),
            calls as f64 / 10.0,
            "per 1k",
            10.0,
        ));
        emit(Figure::cost(
            &format!("tokens/kms/{phase}/mean"),
            mean_us,
            "us",
            40_000.0,
        ));
    }
    Ok(())
}

/// A vault and the key service beneath it.
struct Measured {
    vault: TokenVault,
    provider: Arc<SlowProvider>,
}

impl std::ops::Deref for Measured {
    type Target = TokenVault;

    fn deref(&self) -> &TokenVault {
        &self.vault
    }
}

fn vault(redis: &RedisServer, delay: Duration, tenants: usize) -> Result<Measured> {
    vault_over(redis, Arc::new(SlowProvider::new(delay)), tenants)
}

fn vault_over(redis: &RedisServer, provider: Arc<SlowProvider>, tenants: usize) -> Result<Measured> {
    let mut keys = KeyTable::new();
    for at in 0..tenants {
        let key = ClientKey {
            provider: Arc::clone(&provider) as _,
            key: KEY.trim_start_matches("bench://").to_owned(),
            ring: KeyRing::default(),
        };
        keys = keys.with(token(at)?.client, key);
    }
    let store = Arc::new(RedisStore::new(&RedisConfig::server(redis.url()))?);
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let vault = TokenVault::builder(store, Arc::new(keys), Arc::new(Unrecorded), clock, random).build();
    Ok(Measured { vault, provider })
}

fn token(at: usize) -> Result<TokenRef> {
    Ok(TokenRef::new(
        ClientId::new(format!("client-{at}"))?,
        Provider::new("stripe")?,
    ))
}

fn value() -> NewToken {
    NewToken::new(SecretBytes::from_vec(vec![7; VALUE_BYTES])).with_ttl(Duration::from_secs(900))
}

/// As long as the record of a token of this length is.
fn raw_value() -> Vec<u8> {
    vec![7; VALUE_BYTES + 400]
}

async fn get_raw(raw: &ConnectionManager) -> Result<()> {
    let found: Option<Vec<u8>> = redis::cmd("GET").arg("raw").query_async(&mut raw.clone()).await?;
    ensure!(found.is_some(), "the value is there");
    Ok(())
}

async fn set_raw(raw: &ConnectionManager) -> Result<()> {
    let value = raw_value();
    Ok(redis::cmd("SET")
        .arg("raw")
        .arg(value)
        .arg("PX")
        .arg(900_000)
        .exec_async(&mut raw.clone())
        .await?)
}

struct Load {
    per_second: f64,
    p50_us: f64,
}

/// Runs an operation by so many clients at once, each waiting for its answer.
async fn load<F>(clients: usize, time: Duration, operation: impl Fn() -> F + Clone + Send + 'static) -> Result<Load>
where
    F: Future<Output = Result<()>> + Send,
{
    let begin = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let operation = operation.clone();
            tokio::spawn(async move {
                let mut times = Vec::with_capacity(1 << 14);
                while begin.elapsed() < time {
                    let sent = Instant::now();
                    operation().await?;
                    times.push(sent.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.append(&mut task.await??);
    }
    let elapsed = begin.elapsed();
    times.sort_unstable();
    let p50 = times.get(times.len() / 2).context("something was measured")?;
    Ok(Load {
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        p50_us: p50.as_secs_f64() * 1e6,
    })
}
