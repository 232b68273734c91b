//! Eight processes that all want the same token of one OAuth server, which counts.
//!
//! The processes are this test binary again: the test `worker` does nothing unless it is told what to do.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_envelope::KeyRing;
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_model::SystemClock;
use bulla_tokens::fetch::{ClientCredentials, Fetcher, OAuthClient, RefreshToken};
use bulla_tokens::{KeyTemplate, RedisConfig, RedisStore, TokenVault, Unrecorded, VaultSettings};

use support::oauth_server::{OAuthServer, Rules};
use support::redis_server::{RedisServer, go_on, stop};
use support::token;

const PROCESSES: usize = 8;
const EACH: usize = 125;
const LEASE: Duration = Duration::from_secs(12);

/// A vault over `redis` under the key `a.key` of `directory`, as each process has its own.
fn vault(redis: &str, directory: &Path) -> TokenVault {
    let path = directory.join("a.key");
    let file = RootKeyFile::open(&path).unwrap();
    let provider = Arc::new(LocalProvider::new([file], Arc::new(SystemRandom)).unwrap());
    let template = directory.join("{client}.key");
    let keys = KeyTemplate::new(provider, template.to_str().unwrap(), KeyRing::default()).unwrap();
    let settings = VaultSettings {
        lease: LEASE,
        fetch_timeout: Duration::from_millis(3_500),
        ..VaultSettings::default()
    };
    let store = Arc::new(RedisStore::new(&RedisConfig::server(redis)).unwrap());
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    TokenVault::builder(store, Arc::new(keys), Arc::new(Unrecorded), clock, random)
        .settings(settings)
        .build()
}

fn fetcher(kind: &str, url: &str) -> Arc<dyn Fetcher> {
    let client = OAuthClient::new(url, "app").unwrap();
    match kind {
        "refresh" => Arc::new(RefreshToken::new(client)),
        _ => Arc::new(ClientCredentials::new(client)),
    }
}

/// What a process does that [`start`] started: asks at once, as often as it is told, and prints what it got.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    #[expect(clippy::disallowed_methods, reason = "how a test tells its process what to do")]
    let Ok(task) = std::env::var("BULLA_TEST_FETCH_WORKER") else {
        return;
    };
    let [redis, directory, url, kind, times] = task.split('|').collect::<Vec<_>>().try_into().unwrap();
    let (vault, fetcher) = (vault(redis, Path::new(directory)), fetcher(kind, url));
    let tasks: Vec<_> = (0..times.parse::<usize>().unwrap())
        .map(|_| {
            let (vault, fetcher) = (vault.clone(), Arc::clone(&fetcher));
            tokio::spawn(async move {
                loop {
                    match vault.get_or_fetch(&token("a", "p"), &fetcher).await {
                        Ok(found) => break String::from_utf8(found.value.expose_secret().to_vec()).unwrap(),
                        // Redis may be on its way back.
                        Err(error) if error.code() == "StoreUnavailable" => tokio::task::yield_now().await,
                        Err(error) => break error.code().to_owned(),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        println!("got {}", task.await.unwrap());
    }
}

/// A process that ends with the test, also where that fails while the process is stopped.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Setting {
    redis: RedisServer,
    files: tempfile::TempDir,
    server: OAuthServer,
}

impl Setting {
    fn new(rules: Rules) -> Self {
        let files = tempfile::tempdir().unwrap();
        RootKeyFile::create(&files.path().join("a.key"), &SystemRandom).unwrap();
        Self {
            redis: RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]),
            files,
            server: OAuthServer::start(rules),
        }
    }

    async fn authorise(&self) {
        let vault = vault(&self.redis.url(), self.files.path());
        let refresh = SecretBytes::from_vec(b"r0".to_vec());
        vault.authorise(&token("a", "p"), refresh).await.unwrap();
    }

    fn start(&self, kind: &str, times: usize) -> Worker {
        let (redis, directory, url) = (self.redis.url(), self.files.path().display(), self.server.url());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture"])
            .env(
                "BULLA_TEST_FETCH_WORKER",
                format!("{redis}|{directory}|{url}|{kind}|{times}"),
            )
            .stdout(Stdio::piped())
            .spawn();
        Worker(child.unwrap())
    }

    fn start_all(&self, kind: &str) -> Vec<Worker> {
        (0..PROCESSES).map(|_| self.start(kind, EACH)).collect()
    }

    /// Whether the state of the fetch, with its refresh tokens, is still there.
    fn has_state(&self) -> bool {
        self.redis.cli(&["EXISTS", "bulla:tokens:{a}:s:p:default"]) == "1"
    }
}

/// What all of them got, and how often.
fn results(processes: Vec<Worker>) -> BTreeMap<String, usize> {
    let mut got = BTreeMap::new();
    for mut process in processes {
        let mut text = String::new();
        process.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(process.0.wait().unwrap().success(), "{text}");
        for line in text.lines() {
            // The harness prints on the same line where it can.
            if let Some((_, what)) = line.split_once("got ") {
                *got.entry(what.to_owned()).or_default() += 1;
            }
        }
    }
    got
}

fn all(what: &str) -> BTreeMap<String, usize> {
    BTreeMap::from([(what.to_owned(), PROCESSES * EACH)])
}

#[test]
fn a_thousand_who_ask_on_eight_processes_cause_one_fetch() {
    let setting = Setting::new(Rules::default());
    assert_eq!(results(setting.start_all("credentials")), all("token-1"));
    assert_eq!(setting.server.state().requests, 1);
}

#[tokio::test]
async fn an_answer_dropped_after_rotating_costs_one_generation_where_the_server_has_a_reuse_window() {
    let setting = Setting::new(Rules {
        reuse_window: true,
        drop_answers: vec![1],
        ..Rules::default()
    });
    setting.authorise().await;
    assert_eq!(results(setting.start_all("refresh")), all("token-1"));
    let state = setting.server.state();
    assert_eq!((state.generation, state.most_in_flight, state.refused), (1, 1, 0));
    assert_eq!(state.requests, 2, "the one that was dropped, and the same once more");
    assert!(setting.has_state());
}

#[tokio::test]
async fn an_answer_dropped_after_rotating_needs_authorisation_where_there_is_no_reuse_window_and_deletes_nothing() {
    let setting = Setting::new(Rules {
        drop_answers: vec![1],
        ..Rules::default()
    });
    setting.authorise().await;
    assert_eq!(results(setting.start_all("refresh")), all("NeedsAuthorisation"));
    let state = setting.server.state();
    assert_eq!((state.generation, state.most_in_flight, state.refused), (1, 1, 1));
    assert!(setting.has_state());
}

#[tokio::test]
async fn a_restart_of_redis_during_a_fetch_burns_no_grant() {
    let mut setting = Setting::new(Rules {
        hold: true,
        ..Rules::default()
    });
    setting.authorise().await;
    let processes = setting.start_all("refresh");
    setting.server.wait(|state| state.requests == 1);
    setting.redis.restart();
    setting.server.release();
    assert_eq!(results(processes), all("token-1"));
    let state = setting.server.state();
    assert_eq!((state.generation, state.requests, state.most_in_flight), (1, 1, 1));
}

#[tokio::test]
async fn a_lease_holder_that_is_stopped_burns_no_grant_where_the_server_has_a_reuse_window() {
    let setting = Setting::new(Rules {
        hold: true,
        reuse_window: true,
        ..Rules::default()
    });
    setting.authorise().await;
    let holder = setting.start("refresh", EACH);
    setting.server.wait(|state| state.requests == 1);
    stop(&holder.0);
    setting.server.release();
    setting.server.wait(|state| state.answered == 1);
    // The others wait until the lease has ended, and ask with the same refresh token.
    let others = (1..PROCESSES).map(|_| setting.start("refresh", EACH)).collect();
    let got = results(others);
    assert_eq!(got, BTreeMap::from([("token-1".to_owned(), (PROCESSES - 1) * EACH)]));
    go_on(&holder.0);
    assert_eq!(results(vec![holder]), BTreeMap::from([("token-1".to_owned(), EACH)]));
    let state = setting.server.state();
    assert_eq!((state.generation, state.refused, state.most_in_flight), (1, 0, 1));
}

#[tokio::test]
async fn a_lease_holder_that_was_stopped_brings_its_refresh_token_back_where_there_is_no_reuse_window() {
    let setting = Setting::new(Rules {
        hold: true,
        ..Rules::default()
    });
    setting.authorise().await;
    let holder = setting.start("refresh", 1);
    setting.server.wait(|state| state.requests == 1);
    stop(&holder.0);
    setting.server.release();
    setting.server.wait(|state| state.answered == 1);
    // Somebody else comes after the lease, with a refresh token that is used up by now.
    let other = setting.start("refresh", 1);
    assert_eq!(
        results(vec![other]),
        BTreeMap::from([("NeedsAuthorisation".to_owned(), 1)])
    );
    go_on(&holder.0);
    // The holder has what replaced it, and the grant lives.
    assert_eq!(results(vec![holder]), BTreeMap::from([("token-2".to_owned(), 1)]));
    assert_eq!(setting.server.state().generation, 2);
}
