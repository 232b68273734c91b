use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_testkit::TestClock;
use bulla_tokens::conformance::Backend;
use bulla_tokens::store::StoreErrorKind;
use bulla_tokens::{EmbeddedStore, TokenStore};

struct File {
    directory: tempfile::TempDir,
    clock: Arc<TestClock>,
}

#[async_trait]
impl Backend for File {
    async fn create() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Arc::new(TestClock::default()),
        }
    }

    async fn open(&self) -> Arc<dyn TokenStore> {
        let path = self.directory.path().join("tokens.db");
        Arc::new(EmbeddedStore::open(&path, Arc::clone(&self.clock) as _).await.unwrap())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

bulla_tokens::token_store_conformance!(File);

#[tokio::test]
async fn a_file_that_is_no_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    std::fs::write(
        &path,
        b"not a database, but long enough to be taken for one by its size",
    )
    .unwrap();
    let error = EmbeddedStore::open(&path, Arc::new(TestClock::default()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Malformed);
}
