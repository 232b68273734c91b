use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bulla_model::SystemClock;
use bulla_tokens::{Access, AccessError, AccessLog, Action, Outcome, Pending};

use crate::support::redis_server::RedisServer;
use crate::support::{provider, recorded_builder, token, value};

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    down: AtomicBool,
    down_after: AtomicBool,
}

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    fn add(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

/// A log that vaults write to.
#[derive(Debug, Clone)]
struct Shared(Arc<Log>);

#[async_trait]
impl AccessLog for Shared {
    async fn begin(&self, access: &Access) -> Result<Box<dyn Pending>, AccessError> {
        if self.0.down.load(Ordering::SeqCst) {
            return Err(AccessError::Unrecorded(Arc::from(Box::from("no disk"))));
        }
        if access.action.has_effect() {
            self.0.add(format!("{} begins", access.action.name()));
        }
        Ok(Box::new(Begun(Arc::clone(&self.0), access.clone())))
    }
}

struct Begun(Arc<Log>, Access);

#[async_trait]
impl Pending for Begun {
    async fn finish(self: Box<Self>, outcome: &Outcome) -> Result<(), AccessError> {
        let Self(log, access) = *self;
        if log.down_after.load(Ordering::SeqCst) {
            return Err(AccessError::Unrecorded(Arc::from(Box::from("no disk"))));
        }
        let hit = if outcome.cache_hit { "hit" } else { "miss" };
        let what = outcome.failure.unwrap_or(hit);
        let version = if outcome.version.is_some() { "v" } else { "-" };
        let provider = access.provider().map(ToString::to_string).unwrap_or_default();
        log.add(format!(
            "{} {}/{provider} {what} {version}",
            access.action.name(),
            access.client
        ));
        Ok(())
    }
}

#[tokio::test]
async fn every_access_is_recorded_with_what_came_of_it() {
    let (redis, keys, log) = (RedisServer::start(), provider(&["a"]), Arc::new(Log::default()));
    let vault = recorded_builder(
        Arc::new(redis.store()),
        &keys,
        Arc::new(Shared(Arc::clone(&log))),
        Arc::new(SystemClock),
    )
    .build();
    let at = token("a", "p");
    vault.get(&at).await.unwrap();
    vault.put(&at, value("x")).await.unwrap();
    vault.get(&at).await.unwrap();
    vault.get(&at).await.unwrap();
    vault.list(&at.client, None, 10).await.unwrap();
    vault.delete(&at).await.unwrap();
    vault.delete(&at).await.unwrap();
    vault.revoke_client(&at.client).await.unwrap();
    vault.put(&token("nobody", "p"), value("x")).await.unwrap_err();
    redis.set("bulla:tokens:{a}:t:p:default", b"garbage");
    vault.get(&at).await.unwrap_err();
    let expected = [
        "GetToken a/p NotFound -",
        "PutToken begins",
        "PutToken a/p miss v",
        "GetToken a/p miss v",
        "GetToken a/p hit v",
        "ListTokens a/ miss -",
        "DeleteToken begins",
        "DeleteToken a/p miss v",
        "DeleteToken begins",
        "DeleteToken a/p NotFound -",
        "RevokeTokens begins",
        "RevokeTokens a/ miss v",
        "PutToken begins",
        "PutToken nobody/p KeyNotFound -",
        "GetToken a/p MalformedToken -",
    ];
    assert_eq!(log.take(), expected);
}

#[tokio::test]
async fn without_its_event_there_is_no_value_and_no_effect() {
    let (redis, keys, log) = (RedisServer::start(), provider(&["a"]), Arc::new(Log::default()));
    let vault = recorded_builder(
        Arc::new(redis.store()),
        &keys,
        Arc::new(Shared(Arc::clone(&log))),
        Arc::new(SystemClock),
    )
    .build();
    let at = token("a", "p");
    log.down.store(true, Ordering::SeqCst);
    assert_eq!(
        vault.put(&at, value("x")).await.unwrap_err().code(),
        "AccessNotRecorded"
    );
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    log.down.store(false, Ordering::SeqCst);
    vault.put(&at, value("x")).await.unwrap();
    log.down_after.store(true, Ordering::SeqCst);
    assert_eq!(vault.get(&at).await.unwrap_err().code(), "AccessNotRecorded");
}

#[test]
fn actions_have_the_names_that_policies_use() {
    assert_eq!(Action::Get.name(), "GetToken");
    assert!(!Action::Get.has_effect() && Action::Put.has_effect());
}
