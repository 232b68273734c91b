use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulla_store::StoreError;
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::dialect::{Dialect, Settings};
use crate::error;

/// How long to wait for a connection, or for the answer to one statement, before the database counts as not reached.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A few connections for one role, handed out in the order of asking.
///
/// Instead of sqlx's pool: a connection that was being used when its future was dropped is closed and never handed out again, what is wrong
/// with a new one is told as it is, and a connection comes back without a question to the database.
pub(crate) struct Connections {
    options: AnyConnectOptions,
    dialect: Dialect,
    settings: Settings,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<AnyConnection>>,
}

/// The right to use one connection, and the connection unless a statement is under way on it.
pub(crate) struct Lease {
    home: Arc<Connections>,
    permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(crate) fn new(options: AnyConnectOptions, dialect: Dialect, settings: Settings, size: u32) -> Arc<Self> {
        Arc::new(Self {
            options,
            dialect,
            settings,
            permits: Arc::new(Semaphore::new(size.max(1) as usize)),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Waits for the right to use a connection; `None` when the deadline passes.
    pub(crate) async fn lease(self: &Arc<Self>, deadline: Instant) -> Result<Option<Lease>, StoreError> {
        match timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Some(Lease {
                home: Arc::clone(self),
                permit,
            })),
            Ok(Err(_)) => Err(StoreError::Unavailable("the store was closed".into())),
            Err(_) => Ok(None),
        }
    }

    /// Closes what is idle; what is in use is closed when it comes back.
    pub(crate) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            // Nothing can be done about a connection that does not close well.
            let _ = timeout(ANSWER_TIMEOUT, connection.close()).await;
        }
    }

    async fn connect(&self) -> Result<AnyConnection, StoreError> {
        let mut connection = self.options.connect().await.map_err(error::from_sqlx)?;
        // Durability is asked for on each new connection: settings can change under a running process.
        self.dialect.set_up(&mut connection, &self.settings).await?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<AnyConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Takes a connection that was used before and is idle.
    pub(crate) fn reuse(&self) -> Option<AnyConnection> {
        self.home.idle().pop()
    }

    /// Makes a new connection.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, StoreError> {
        timeout(ANSWER_TIMEOUT, self.home.connect())
            .await
            .unwrap_or_else(|_| Err(no_answer()))
    }

    /// Gives back a connection on which nothing is open, and the right to use it.
    pub(crate) fn give_back(self, connection: AnyConnection) {
        if !self.home.permits.is_closed() {
            self.home.idle().push(connection);
        }
        // After the connection, so that who waits finds it.
        drop(self.permit);
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("dialect", &self.dialect)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

pub(crate) fn no_answer() -> StoreError {
    StoreError::Unavailable(format!("the database did not answer within {} s", ANSWER_TIMEOUT.as_secs()).into())
}
