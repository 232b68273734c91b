//! The token vault in `bulla serve`: as the README shows it, with a Redis that two nodes share, with keys held elsewhere, and with services
//! that must not read each other's tokens.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and so may what it takes from the vault's own tests"
)]

#[path = "tokens_served/commands.rs"]
mod commands;
#[path = "tokens_served/development.rs"]
mod development;
#[path = "tokens_served/elsewhere.rs"]
mod elsewhere;
#[path = "tokens_served/fetching.rs"]
mod fetching;
#[path = "tokens_served/http.rs"]
mod http;
#[path = "tokens_served/isolation.rs"]
mod isolation;
#[path = "../../bulla-tokens/tests/support/oauth_server.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod oauth_server;
#[path = "../../bulla-store-sql/tests/support/raw.rs"]
mod raw;
#[path = "../../bulla-tokens/tests/support/redis_server.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod redis_server;
#[path = "../../bulla-store-sql/tests/support/server.rs"]
mod server;
#[path = "tokens_served/shared.rs"]
mod shared;
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;
