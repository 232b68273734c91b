//! Prints what one operation costs in the service itself: `cargo run --release -p bulla-service --example hot_path`.
//!
//! One thread, warm cache, a store that keeps nothing but the head: so this is authorisation, the AEAD, the event, its hash, and the
//! share of one signature, without SQL and without the disk. Then the memory that 100,000 keys in use take.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints a measurement, run by hand"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use bulla_crypto::{Context, SecretBytes, SystemRandom};
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_model::{EncryptionAlgorithm, SystemClock};
use bulla_service::*;
use bulla_store::{
    Change, CheckpointRow, EventRow, HeadRow, Lookup, Row, RowFilter, Store, StoreError, Table, Transaction,
};

#[derive(Debug, Default)]
struct Kept {
    rows: HashMap<(Table, String), (Row, Change)>,
    changes: Vec<Change>,
    head: Option<HeadRow>,
}

#[derive(Debug, Clone, Default)]
struct ForgetfulStore(Arc<Mutex<Kept>>);

struct ForgetfulTransaction(ForgetfulStore, Vec<(Table, Row)>);

#[async_trait]
impl Store for ForgetfulStore {
    async fn head(&self) -> Result<Option<HeadRow>, StoreError> {
        Ok(self.0.lock().unwrap().head.clone())
    }
    async fn lookup(&self, table: Table, id: &str) -> Result<Lookup, StoreError> {
        let found = self.0.lock().unwrap().rows.get(&(table, id.to_owned())).cloned();
        let (row, newest_change) = found.unzip();
        Ok(Lookup { row, newest_change })
    }
    async fn list(&self, _: Table, _: RowFilter<'_>, _: Option<&str>, _: u32) -> Result<Vec<Lookup>, StoreError> {
        Ok(Vec::new())
    }
    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let kept = self.0.lock().unwrap();
        Ok(kept
            .changes
            .iter()
            .filter(|change| change.revision > after)
            .take(limit as usize)
            .cloned()
            .collect())
    }
    async fn count_revisions(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn events(&self, _: u64, _: u32) -> Result<Vec<EventRow>, StoreError> {
        Ok(Vec::new())
    }
    async fn checkpoints(&self, _: u64, _: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        Ok(Vec::new())
    }
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(ForgetfulTransaction(self.clone(), Vec::new())))
    }
    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Transaction for ForgetfulTransaction {
    async fn head(&mut self) -> Result<Option<HeadRow>, StoreError> {
        Ok(self.0.0.lock().unwrap().head.clone())
    }
    async fn changes(&mut self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.0.changes(after, limit).await
    }
    async fn put_row(&mut self, table: Table, row: &Row) -> Result<(), StoreError> {
        self.1.push((table, row.clone()));
        Ok(())
    }
    async fn delete_row(&mut self, _: Table, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
    async fn append_changes(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut kept = self.0.0.lock().unwrap();
        for change in changes {
            if let Some(at) = self
                .1
                .iter()
                .position(|(table, row)| *table == change.table && row.id == change.id)
            {
                let (table, row) = self.1.swap_remove(at);
                kept.rows.insert((table, row.id.clone()), (row, change.clone()));
            }
        }
        kept.changes.extend_from_slice(changes);
        Ok(())
    }
    async fn append_events(&mut self, _: &[EventRow]) -> Result<(), StoreError> {
        Ok(())
    }
    async fn put_checkpoint(&mut self, _: &CheckpointRow) -> Result<(), StoreError> {
        Ok(())
    }
    async fn put_head(&mut self, head: &HeadRow) -> Result<(), StoreError> {
        self.0.0.lock().unwrap().head = Some(head.clone());
        Ok(())
    }
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

async fn service(store: &ForgetfulStore, roots: &[Root]) -> Service {
    let settings = Settings::new(Mode::Production);
    Service::open(
        Arc::new(store.clone()),
        roots,
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
        settings,
    )
    .await
    .unwrap()
}

fn request(key_id: &str) -> EncryptRequest {
    EncryptRequest {
        key_id: key_id.to_owned(),
        plaintext: SecretBytes::from_vec(vec![7; 64]),
        encryption_context: Context::from_pairs([("tenant", "a"), ("table", "customers")]).unwrap(),
        encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let file = RootKeyFile::create(&directory.path().join("root.key"), &SystemRandom).unwrap();
    let key = file.id().as_str().to_owned();
    let roots = [Root {
        provider: Arc::new(LocalProvider::new([file], Arc::new(SystemRandom)).unwrap()),
        key,
    }];
    let store = ForgetfulStore::default();
    let initialise = InitialiseSettings {
        mode: Mode::Production,
        account: None,
        administrator: "admin".parse().unwrap(),
        origin: None,
        region: "us-east-1".parse().unwrap(),
    };
    let random = Arc::new(SystemRandom);
    let made = Service::initialise(
        Arc::new(store.clone()),
        &roots,
        Arc::new(SystemClock),
        random,
        initialise,
    )
    .await
    .unwrap();
    let s = service(&store, &roots).await;
    let credential = s.credential(&made.credentials.access_key_id).await.unwrap().unwrap();
    let call = Call {
        caller: Caller::signed(credential),
        region: "us-east-1".parse().unwrap(),
        request_id: "7a4f6c1e-0000-4000-8000-000000000001".into(),
        source_ip: "192.0.2.7".into(),
        user_agent: "example/1".into(),
        secure_transport: true,
    };
    let create = CreateKeyRequest::default();
    let key = s.create_key(&call, create.clone()).await.unwrap().key.key_id;
    for waiting in [1_u32, 16, 64, 256] {
        let rounds = 40_000 / waiting;
        let started = Instant::now();
        for _ in 0..rounds {
            let all = (0..waiting).map(|_| s.encrypt(&call, request(key.as_str())));
            for made in futures::future::join_all(all).await {
                made.unwrap();
            }
        }
        let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds * waiting);
        println!("encrypt, {waiting:>3} waiting: {micros:.2} µs each");
    }
    let mut keys = Vec::new();
    for _ in 0..200 {
        let all = (0..500).map(|_| s.create_key(&call, create.clone()));
        keys.extend(
            futures::future::join_all(all)
                .await
                .into_iter()
                .map(|made| made.unwrap().key.key_id),
        );
    }
    s.shutdown().await;
    drop(s);
    let before = resident_mib();
    let started = Instant::now();
    let s = service(&store, &roots).await;
    println!(
        "open with {} changes: {:.0} ms",
        store.0.lock().unwrap().changes.len(),
        started.elapsed().as_secs_f64() * 1e3
    );
    for chunk in keys.chunks(500) {
        let all = chunk.iter().map(|key| s.encrypt(&call, request(key.as_str())));
        for made in futures::future::join_all(all).await {
            made.unwrap();
        }
    }
    println!("{} keys in use: {:.0} MiB more", keys.len(), resident_mib() - before);
}
