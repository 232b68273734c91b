//! The stores of `bulla-tokens`, each through the whole conformance suite.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

#[path = "stores/embedded.rs"]
mod embedded;
#[path = "stores/redis_cluster.rs"]
mod redis_cluster;
#[path = "stores/redis_secured.rs"]
mod redis_secured;
#[path = "stores/redis.rs"]
mod redis_server;
