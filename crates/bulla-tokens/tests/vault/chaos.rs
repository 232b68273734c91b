//! Redis killed, restarted, frozen, full and failed over: what still works, what fails, and with which error.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bulla_tokens::{RedisConfig, RedisStore, TokenStore as _, TokenVault};

use crate::support::redis_server::RedisServer;
use crate::support::{builder, get, provider, token, value};

/// Asks until it is answered: a connection comes back by itself.
async fn until_found(vault: &TokenVault) -> String {
    let begin = Instant::now();
    loop {
        match vault.get(&token("a", "p")).await {
            Ok(Some(found)) => return String::from_utf8(found.value.expose_secret().to_vec()).unwrap(),
            answer => assert!(begin.elapsed() < Duration::from_secs(30), "{answer:?}"),
        }
    }
}

#[tokio::test]
async fn while_redis_is_dead_everything_fails_by_name_and_comes_back_by_itself() {
    let mut redis = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let keys = provider(&["a"]);
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("kept")).await.unwrap();
    redis.kill();
    let error = vault.get(&token("a", "p")).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("StoreUnavailable", true));
    assert_eq!(
        vault.put(&token("a", "p"), value("x")).await.unwrap_err().code(),
        "StoreUnavailable"
    );
    assert_eq!(
        vault.delete(&token("a", "p")).await.unwrap_err().code(),
        "StoreUnavailable"
    );
    assert!(vault.probe().await.is_err());
    redis.restart();
    // With appendfsync always, what was acknowledged is there.
    assert_eq!(until_found(&vault).await, "kept");
    vault.put(&token("a", "p"), value("after")).await.unwrap();
    assert_eq!(get(&vault, &token("a", "p")).await.as_deref(), Some("after"));
}

#[tokio::test]
async fn a_redis_that_forgot_everything_gives_no_token_and_no_error() {
    let mut redis = RedisServer::start();
    let keys = provider(&["a"]);
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("x")).await.unwrap();
    assert!(get(&vault, &token("a", "p")).await.is_some());
    redis.restart();
    let begin = Instant::now();
    let found = loop {
        match vault.get(&token("a", "p")).await {
            Ok(found) => break found,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(30), "{error:?}"),
        }
    };
    assert!(found.is_none());
    vault.put(&token("a", "p"), value("y")).await.unwrap();
    assert_eq!(get(&vault, &token("a", "p")).await.as_deref(), Some("y"));
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_given_up_in_time() {
    let redis = RedisServer::start();
    let keys = provider(&["a"]);
    let mut config = RedisConfig::server(redis.url());
    config.response_timeout = Duration::from_millis(200);
    config.connect_timeout = Duration::from_millis(200);
    let vault = builder(Arc::new(RedisStore::new(&config).unwrap()), &keys).build();
    vault.put(&token("a", "p"), value("x")).await.unwrap();
    redis.freeze();
    let begin = Instant::now();
    let error = vault.get(&token("a", "p")).await.unwrap_err();
    assert_eq!(error.code(), "StoreUnavailable");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    redis.go_on();
    assert_eq!(until_found(&vault).await, "x");
}

#[tokio::test]
async fn a_redis_without_memory_refuses_writes_and_serves_reads() {
    let redis = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let keys = provider(&["a"]);
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("x")).await.unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = vault.put(&token("a", "q"), value("y")).await.unwrap_err();
    assert_eq!(error.code(), "StoreFull");
    assert_eq!(get(&vault, &token("a", "p")).await.as_deref(), Some("x"));
    // What takes away is never refused.
    assert!(vault.delete(&token("a", "p")).await.unwrap());
    vault.revoke_client(&token("a", "p").client).await.unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    vault.put(&token("a", "q"), value("y")).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_evicts_leases_is_told_from_one_that_does_not() {
    let redis = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    assert_eq!(redis.store().eviction().await, None);
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]);
    assert_eq!(redis.store().eviction().await.as_deref(), Some("volatile-ttl"));
    redis.store().probe().await.unwrap();
    // Who may not ask is none the wiser, and works.
    redis.cli(&["ACL", "SETUSER", "default", "-config"]);
    assert_eq!(redis.store().eviction().await, None);
    redis.store().probe().await.unwrap();
}

#[tokio::test]
async fn after_a_failover_the_promoted_replica_serves() {
    let mut primary = RedisServer::start();
    let replica = RedisServer::start();
    replica.cli(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let address = Address::of(primary.port());
    let keys = provider(&["a"]);
    let store = RedisStore::new(&RedisConfig::server(format!("redis://127.0.0.1:{}", address.port))).unwrap();
    let vault = builder(Arc::new(store), &keys).build();
    vault.put(&token("a", "p"), value("x")).await.unwrap();
    // Redis acknowledges before its replicas have it; this test wants to see what they have.
    while replica.cli(&["EXISTS", "bulla:tokens:{a}:t:p:default"]) != "1" {
        tokio::task::yield_now().await;
    }
    // The address points to the replica before it is promoted: reads are served, writes are not.
    primary.kill();
    address.point_to(replica.port());
    assert_eq!(until_found(&vault).await, "x");
    assert_eq!(
        vault.put(&token("a", "p"), value("y")).await.unwrap_err().code(),
        "StoreUnavailable"
    );
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    vault.put(&token("a", "p"), value("y")).await.unwrap();
    assert_eq!(until_found(&vault).await, "y");
}

/// An address that a failover moves: each connection goes to where it points now, those before are cut.
struct Address {
    port: u16,
    target: Arc<AtomicU16>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Address {
    fn of(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Self {
            port: listener.local_addr().unwrap().port(),
            target: Arc::new(AtomicU16::new(target)),
            open: Arc::default(),
        };
        let (target, open) = (Arc::clone(&address.target), Arc::clone(&address.open));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let to = SocketAddr::from(([127, 0, 0, 1], target.load(Ordering::SeqCst)));
                let Ok(server) = TcpStream::connect(to) else { continue };
                for stream in [&client, &server] {
                    open.lock().unwrap().push(stream.try_clone().unwrap());
                }
                pump(client.try_clone().unwrap(), server.try_clone().unwrap());
                pump(server, client);
            }
        });
        address
    }

    fn point_to(&self, target: u16) {
        self.target.store(target, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
