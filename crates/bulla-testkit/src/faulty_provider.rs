//! A key provider that fails as it is told to, and counts.

mod memory_provider;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeySpec, KeyState, KmsError, KmsErrorKind,
    PublicKeyDescription, Signed, SigningAlgorithm, SigningInput, Verification, WrappedKey,
};
use tokio::sync::watch;

use self::memory_provider::MemoryProvider;

/// Wraps a provider and injects faults, in the order: count the call, wait at the gate, wait the delay, hang, be down,
/// fail as scripted, and only then ask the provider inside.
///
/// All methods take `&self` and work from any task. Time is tokio's, so a test with paused time waits for nothing.
pub struct FaultyProvider {
    inner: Arc<dyn KeyProvider>,
    memory: Option<Arc<MemoryProvider>>,
    instance: String,
    counters: Counters,
    script: Mutex<Script>,
    down: AtomicBool,
    hanging: AtomicBool,
    gate: watch::Sender<bool>,
}

/// How often each method was called, failed calls included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// Calls of `generate_data_key`.
    pub generate_data_key: u64,
    /// Calls of `wrap`.
    pub wrap: u64,
    /// Calls of `unwrap`.
    pub unwrap: u64,
    /// Calls of `describe`.
    pub describe: u64,
    /// Calls of `sign`.
    pub sign: u64,
    /// Calls of `verify`.
    pub verify: u64,
    /// Calls of `public_key`.
    pub public_key: u64,
    /// Calls of `rotate`.
    pub rotate: u64,
    /// The most calls that were in flight at once.
    pub most_in_flight: u64,
    /// Calls that have begun and not ended: at the gate, in their delay, hanging, or with the provider inside. A call whose
    /// future was dropped has ended.
    pub in_flight: u64,
}

impl Calls {
    /// Calls that ask for a data key: `generate_data_key`, `wrap` and `unwrap`.
    pub fn total(&self) -> u64 {
        self.generate_data_key + self.wrap + self.unwrap
    }
}

#[derive(Default)]
struct Counters {
    generate_data_key: AtomicU64,
    wrap: AtomicU64,
    unwrap: AtomicU64,
    describe: AtomicU64,
    sign: AtomicU64,
    verify: AtomicU64,
    public_key: AtomicU64,
    rotate: AtomicU64,
    most_in_flight: AtomicU64,
    in_flight: watch::Sender<u64>,
}

#[derive(Default)]
struct Script {
    fail_next: Vec<(u64, KmsErrorKind)>,
    delay: Duration,
}

impl FaultyProvider {
    /// Makes a provider over keys in memory, without faults.
    ///
    /// `key-a` and `key-b` exist, and `alias/app` points at `key-a`. Resolved keys read `memory:key-a`.
    pub fn in_memory() -> Arc<Self> {
        let memory = Arc::new(MemoryProvider::new());
        Self::build(Arc::clone(&memory) as Arc<dyn KeyProvider>, Some(memory))
    }

    /// Makes a provider in front of `inner`, without faults.
    pub fn wrapping(inner: Arc<dyn KeyProvider>) -> Arc<Self> {
        Self::build(inner, None)
    }

    fn build(inner: Arc<dyn KeyProvider>, memory: Option<Arc<MemoryProvider>>) -> Arc<Self> {
        Arc::new(Self {
            instance: inner.instance().to_owned(),
            inner,
            memory,
            counters: Counters::default(),
            script: Mutex::default(),
            down: AtomicBool::new(false),
            hanging: AtomicBool::new(false),
            gate: watch::Sender::new(false),
        })
    }

    /// Tells how often each method was called.
    pub fn calls(&self) -> Calls {
        Calls {
            generate_data_key: self.counters.generate_data_key.load(Ordering::SeqCst),
            wrap: self.counters.wrap.load(Ordering::SeqCst),
            unwrap: self.counters.unwrap.load(Ordering::SeqCst),
            describe: self.counters.describe.load(Ordering::SeqCst),
            sign: self.counters.sign.load(Ordering::SeqCst),
            verify: self.counters.verify.load(Ordering::SeqCst),
            public_key: self.counters.public_key.load(Ordering::SeqCst),
            rotate: self.counters.rotate.load(Ordering::SeqCst),
            most_in_flight: self.counters.most_in_flight.load(Ordering::SeqCst),
            in_flight: *self.counters.in_flight.borrow(),
        }
    }

    /// Fails the next `n` calls of any method with `kind`; several scripts follow each other.
    pub fn fail_next(&self, n: u64, kind: KmsErrorKind) {
        self.script().fail_next.push((n, kind));
    }

    /// Fails every call with `Unavailable` while `true`.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Makes each later call take this long, in tokio's time.
    pub fn delay(&self, delay: Duration) {
        self.script().delay = delay;
    }

    /// Makes each later call wait for ever while `true`; a call that hangs goes on hanging.
    pub fn set_hanging(&self, hanging: bool) {
        self.hanging.store(hanging, Ordering::SeqCst);
    }

    /// Holds each later call until [`release`](Self::release).
    pub fn hold(&self) {
        self.gate.send_replace(true);
    }

    /// Lets the calls that are held go on, and later ones pass.
    pub fn release(&self) {
        self.gate.send_replace(false);
    }

    /// Waits until at least `n` calls are in flight.
    pub async fn wait_for_in_flight(&self, n: u64) {
        let mut in_flight = self.counters.in_flight.subscribe();
        in_flight
            .wait_for(|now| *now >= n)
            .await
            .expect("the sender lives in self");
    }

    /// Puts a key of the provider in memory into `state`, making it if there is none.
    ///
    /// # Panics
    /// If this does not stand in front of keys in memory.
    pub fn set_key_state(&self, key: &str, state: KeyState) {
        self.memory().set_key_state(key, state);
    }

    /// Points `alias` at `key`, a key of the provider in memory, making it if there is none.
    ///
    /// # Panics
    /// If this does not stand in front of keys in memory.
    pub fn rotate_alias(&self, alias: &str, key: &str) {
        self.memory().set_alias(alias, key);
    }

    /// Makes a signing key of the provider in memory.
    ///
    /// # Panics
    /// If this does not stand in front of keys in memory, or keys of `spec` do not sign.
    pub fn add_signing_key(&self, name: &str, spec: KeySpec) {
        self.memory().add_signing_key(name, spec);
    }

    fn memory(&self) -> &MemoryProvider {
        self.memory
            .as_ref()
            .expect("keys can be changed only in memory: FaultyProvider::in_memory")
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn inject(&self, operation: &'static str, key: &str) -> Result<(), KmsError> {
        let mut gate = self.gate.subscribe();
        gate.wait_for(|held| !held).await.expect("the sender lives in self");
        let delay = self.script().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if self.hanging.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::SeqCst) {
            return Err(KmsError::new(KmsErrorKind::Unavailable, operation, key));
        }
        match self.script().next_fault() {
            Some(kind) => Err(KmsError::new(kind, operation, key)),
            None => Ok(()),
        }
    }
}

impl Script {
    fn next_fault(&mut self) -> Option<KmsErrorKind> {
        while let Some((left, kind)) = self.fail_next.first_mut() {
            if *left > 0 {
                *left -= 1;
                return Some(*kind);
            }
            self.fail_next.remove(0);
        }
        None
    }
}

/// Counts one call as in flight until it is dropped.
struct InFlight<'a>(&'a watch::Sender<u64>);

impl<'a> InFlight<'a> {
    fn enter(calls: &AtomicU64, counters: &'a Counters) -> Self {
        calls.fetch_add(1, Ordering::SeqCst);
        counters.in_flight.send_modify(|now| {
            *now += 1;
            counters.most_in_flight.fetch_max(*now, Ordering::SeqCst);
        });
        Self(&counters.in_flight)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|now| *now -= 1);
    }
}

#[async_trait]
impl KeyProvider for FaultyProvider {
    fn instance(&self) -> &str {
        &self.instance
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        let _call = InFlight::enter(&self.counters.generate_data_key, &self.counters);
        self.inject("generate data key", key).await?;
        self.inner.generate_data_key(key, context).await
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let _call = InFlight::enter(&self.counters.wrap, &self.counters);
        self.inject("wrap", key).await?;
        self.inner.wrap(key, data_key, context).await
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        let _call = InFlight::enter(&self.counters.unwrap, &self.counters);
        self.inject("unwrap", key).await?;
        self.inner.unwrap(key, wrapped, context).await
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        let _call = InFlight::enter(&self.counters.describe, &self.counters);
        self.inject("describe", key).await?;
        self.inner.describe(key).await
    }

    async fn sign(&self, key: &str, algorithm: SigningAlgorithm, input: SigningInput<'_>) -> Result<Signed, KmsError> {
        let _call = InFlight::enter(&self.counters.sign, &self.counters);
        self.inject("sign", key).await?;
        self.inner.sign(key, algorithm, input).await
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
        signature: &[u8],
    ) -> Result<Verification, KmsError> {
        let _call = InFlight::enter(&self.counters.verify, &self.counters);
        self.inject("verify", key).await?;
        self.inner.verify(key, algorithm, input, signature).await
    }

    async fn public_key(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        let _call = InFlight::enter(&self.counters.public_key, &self.counters);
        self.inject("public key", key).await?;
        self.inner.public_key(key).await
    }

    async fn rotate(&self, key: &str) -> Result<(), KmsError> {
        let _call = InFlight::enter(&self.counters.rotate, &self.counters);
        self.inject("rotate", key).await?;
        self.inner.rotate(key).await
    }
}

impl fmt::Debug for FaultyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyProvider")
            .field("inner", &self.inner)
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    async fn generate(provider: &FaultyProvider) -> Result<GeneratedDataKey, KmsError> {
        provider.generate_data_key("alias/app", &Context::empty()).await
    }

    #[tokio::test]
    async fn scripted_faults_follow_each_other_and_end() {
        let provider = FaultyProvider::in_memory();
        provider.fail_next(2, KmsErrorKind::Throttled);
        provider.fail_next(1, KmsErrorKind::AccessDenied);
        let mut kinds = Vec::new();
        for _ in 0..4 {
            kinds.push(generate(&provider).await.map(drop).map_err(|error| error.kind));
        }
        use KmsErrorKind::{AccessDenied, Throttled};
        assert_eq!(kinds, [Err(Throttled), Err(Throttled), Err(AccessDenied), Ok(())]);
        assert_eq!(provider.calls().generate_data_key, 4);
        assert_eq!(provider.calls().total(), 4);
    }

    #[tokio::test]
    async fn a_provider_that_is_down_comes_back() {
        let provider = FaultyProvider::in_memory();
        provider.set_down(true);
        assert_eq!(generate(&provider).await.unwrap_err().kind, KmsErrorKind::Unavailable);
        provider.set_down(false);
        generate(&provider).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_is_of_tokios_time() {
        let provider = FaultyProvider::in_memory();
        provider.delay(Duration::from_secs(3600));
        let began = Instant::now();
        generate(&provider).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_call_ends_with_its_future() {
        let provider = FaultyProvider::in_memory();
        provider.set_hanging(true);
        let outcome = tokio::time::timeout(Duration::from_secs(60), generate(&provider)).await;
        assert!(outcome.is_err());
        assert_eq!(
            provider.calls(),
            Calls {
                generate_data_key: 1,
                most_in_flight: 1,
                ..Calls::default()
            }
        );
    }

    #[tokio::test]
    async fn held_calls_are_counted_as_in_flight_until_they_are_released() {
        let provider = FaultyProvider::in_memory();
        provider.hold();
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let provider = Arc::clone(&provider);
                tokio::spawn(async move { generate(&provider).await.map(drop) })
            })
            .collect();
        provider.wait_for_in_flight(10).await;
        assert!(calls.iter().all(|call| !call.is_finished()));
        provider.release();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(provider.calls().in_flight, 0);
    }

    #[tokio::test]
    async fn keys_change_their_state_and_aliases_their_key() {
        let provider = FaultyProvider::in_memory();
        let context = Context::empty();
        let before = generate(&provider).await.unwrap();
        provider.rotate_alias("alias/app", "key-c");
        assert_eq!(generate(&provider).await.unwrap().wrapped.key, "memory:key-c");
        assert_eq!(before.wrapped.key, "memory:key-a");
        provider.set_key_state("key-a", KeyState::Disabled);
        let error = provider
            .unwrap(&before.wrapped.key, &before.wrapped.bytes, &context)
            .await
            .unwrap_err();
        assert_eq!(error.kind, KmsErrorKind::KeyDisabled);
        assert_eq!(provider.describe("key-a").await.unwrap().state, KeyState::Disabled);
        provider.set_key_state("key-a", KeyState::Enabled);
        provider
            .unwrap(&before.wrapped.key, &before.wrapped.bytes, &context)
            .await
            .unwrap();
    }
}
