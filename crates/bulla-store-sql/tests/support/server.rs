//! A database of its own for one test, on the server that `scripts/test` started.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::raw::execute;

/// A database that the test made.
pub(crate) struct Database {
    admin_url: String,
    name: String,
    /// Where it is.
    pub(crate) url: String,
}

impl Database {
    /// Makes a database on the server whose URL is in the environment.
    pub(crate) async fn create(variable: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "tests find the server by the environment")]
        let admin_url = std::env::var(variable).expect("the URL of a server in the environment: run ./scripts/test");
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "bulla_test_{}_{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        );
        execute(&admin_url, &format!("CREATE DATABASE {name}")).await;
        let (before, parameters) = admin_url
            .split_once('?')
            .map_or((&*admin_url, ""), |(url, rest)| (url, rest));
        let (server, _) = before.rsplit_once('/').expect("a URL that names a database");
        let separator = if parameters.is_empty() { "" } else { "?" };
        let url = format!("{server}/{name}{separator}{parameters}");
        Self { admin_url, name, url }
    }

    /// Removes the database and whoever is connected to it.
    pub(crate) async fn destroy(&self) {
        let force = if self.admin_url.starts_with("postgres") {
            " WITH (FORCE)"
        } else {
            ""
        };
        execute(&self.admin_url, &format!("DROP DATABASE {}{force}", self.name)).await;
    }
}
