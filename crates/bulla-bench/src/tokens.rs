//! The token vault over a Redis of its own, beside raw Redis over the same kind of connection, in turns.
//!
//! The floor of a get is `GET` of a value of the same size; that of a put is `SET`; that of a recorded get is `GET` and a durable commit of an
//! event's bytes, together with all who wait. The key service of the cold and warm figures takes 40 ms a call.

mod recorded;
mod redis_server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_envelope::KeyRing;
use bulla_model::SystemClock;
use bulla_tokens::place::{Kind, Prefix};
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
/// Gets with their events.
const RECORDED: &str = "tokens/recorded";

/// Measures gets and puts and hands each figure to `emit`.
pub(crate) fn run(quick: bool, wanted: &dyn Fn(&str) -> bool, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    let names = ["tokens/get", "tokens/put", RECORDED, "tokens/kms"];
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
        if wanted(RECORDED) {
            for clients in CLIENTS {
                recorded_gets(&redis, clients, time, emit).await?;
            }
        }
        if wanted("tokens/kms") {
            key_service_calls(&redis, quick, emit).await?;
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

/// Vault and raw Redis, each by so many clients at once.
async fn throughput(
    redis: &RedisServer,
    operation: Operation,
    clients: usize,
    time: Duration,
    emit: &mut dyn FnMut(Figure),
) -> Result<()> {
    let vault = vault(redis, Duration::ZERO, 1)?.vault;
    let token = token(0)?;
    vault.put(&token, value()).await?;
    vault.get(&token).await?.context("the token is there")?;
    let raw = Raw::beside(redis, &token).await?;
    let floor = move || {
        let raw = raw.clone();
        async move {
            match operation {
                Operation::Get => raw.get().await,
                Operation::Put => raw.set().await,
            }
        }
    };
    let measured = move || {
        let (vault, token) = (vault.clone(), token.clone());
        async move {
            match operation {
                Operation::Get => ensure!(vault.get(&token).await?.is_some(), "the token is there"),
                Operation::Put => drop(vault.put(&token, value()).await?),
            }
            Ok(())
        }
    };
    let name = format!("{}/c{clients}", operation.name());
    in_turns(&name, clients, time, floor, measured, emit).await
}

/// Gets on a warm cache, each with its durable event, beside raw Redis and one durable group commit of those who wait.
async fn recorded_gets(
    redis: &RedisServer,
    clients: usize,
    time: Duration,
    emit: &mut dyn FnMut(Figure),
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (service, vault) = recorded::vault(redis, folder.path()).await?;
    let commits = recorded::GroupCommits::start(folder.path()).await?;
    let token = token(0)?;
    vault.put(&token, value()).await?;
    vault.get(&token).await?.context("the token is there")?;
    let raw = Raw::beside(redis, &token).await?;
    let floor = move || {
        let (raw, commits) = (raw.clone(), commits.clone());
        async move {
            raw.get().await?;
            commits.commit().await
        }
    };
    let measured = move || {
        let (vault, token) = (vault.clone(), token.clone());
        async move {
            ensure!(vault.get(&token).await?.is_some(), "the token is there");
            Ok(())
        }
    };
    let name = format!("{RECORDED}/c{clients}");
    let done = in_turns(&name, clients, time, floor, measured, emit).await;
    service.shutdown().await;
    done
}

/// Two operations in turns, each by so many clients at once; the round with the median ratio counts.
async fn in_turns<A, B>(
    name: &str,
    clients: usize,
    time: Duration,
    floor: impl Fn() -> A + Clone + Send + 'static,
    measured: impl Fn() -> B + Clone + Send + 'static,
    emit: &mut dyn FnMut(Figure),
) -> Result<()>
where
    A: Future<Output = Result<()>> + Send,
    B: Future<Output = Result<()>> + Send,
{
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let floor = load(clients, time, floor.clone()).await?;
        rounds.push((load(clients, time, measured.clone()).await?, floor));
    }
    rounds.sort_by(|(a, fa), (b, fb)| (a.per_second / fa.per_second).total_cmp(&(b.per_second / fb.per_second)));
    let (outcome, floor) = rounds.swap_remove(ROUNDS / 2);
    emit(Figure::rate(name, outcome.per_second, "op/s", floor.per_second));
    emit(Figure::cost(&format!("{name}/p50"), outcome.p50_us, "us", floor.p50_us));
    Ok(())
}

/// 10,000 gets of 100 clients by one process, cold and warm: calls to the key service, which takes 40 ms, and the time of one get beside
/// that of a raw one.
///
/// # Errors
/// Where more calls were made than one for each client, or any while the cache was warm.
async fn key_service_calls(redis: &RedisServer, quick: bool, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    const TENANTS: usize = 100;
    let each = if quick { 10 } else { 100 };
    let writer = vault(redis, Duration::ZERO, TENANTS)?;
    let provider = Arc::clone(&writer.provider);
    for at in 0..TENANTS {
        writer.put(&token(at)?, value()).await?;
    }
    let raw = Raw::beside(redis, &token(0)?).await?;
    let gets = (each * TENANTS) as f64;
    let begin = Instant::now();
    for _ in 0..each * TENANTS {
        raw.get().await?;
    }
    let floor_us = begin.elapsed().as_secs_f64() * 1e6 / gets;
    let reader = vault_over(redis, provider, TENANTS)?;
    reader.provider.set_delay(Duration::from_millis(40));
    for (phase, most) in [("cold", TENANTS as u64), ("warm", 0)] {
        let before = reader.stats().kms_calls;
        let begin = Instant::now();
        for _ in 0..each {
            for at in 0..TENANTS {
                reader.get(&token(at)?).await?.context("the token is there")?;
            }
        }
        let mean_us = begin.elapsed().as_secs_f64() * 1e6 / gets;
        let calls = reader.stats().kms_calls - before;
        ensure!(calls <= most, "{calls} calls to the key service while {phase}");
        let per_1000 = |calls: u64| calls as f64 * 1_000.0 / gets;
        let name = format!("tokens/kms/{phase}/calls");
        emit(Figure::cost(&name, per_1000(calls), "per 1k", per_1000(TENANTS as u64)));
        emit(Figure::cost(
            &format!("tokens/kms/{phase}/mean"),
            mean_us,
            "us",
            floor_us,
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

/// Redis without the vault: a value as long as the one that the vault has there.
#[derive(Clone)]
struct Raw {
    connection: ConnectionManager,
    value: Arc<[u8]>,
}

impl Raw {
    async fn beside(redis: &RedisServer, token: &TokenRef) -> Result<Self> {
        let connection = ConnectionManager::new(redis::Client::open(redis.url())?).await?;
        let place = Prefix::default()
            .client(&token.client)
            .place(Kind::Token, &token.provider, &token.name);
        let length: usize = redis::cmd("STRLEN")
            .arg(place.key())
            .query_async(&mut connection.clone())
            .await?;
        ensure!(length > VALUE_BYTES, "the vault's value is there");
        let raw = Self {
            connection,
            value: vec![7; length].into(),
        };
        raw.set().await?;
        Ok(raw)
    }

    async fn get(&self) -> Result<()> {
        let found: Option<Vec<u8>> = redis::cmd("GET")
            .arg("raw")
            .query_async(&mut self.connection.clone())
            .await?;
        ensure!(found.is_some(), "the value is there");
        Ok(())
    }

    async fn set(&self) -> Result<()> {
        let mut set = redis::cmd("SET");
        set.arg("raw").arg(&*self.value).arg("PX").arg(900_000);
        Ok(set.exec_async(&mut self.connection.clone()).await?)
    }
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
