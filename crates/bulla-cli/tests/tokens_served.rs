//! The token vault in `bulla serve`: as the README shows it, with a Redis that two nodes share, with keys held elsewhere, and with services
//! that must not read each other's tokens.

#![expect(clippy::panic, reason = "a test may panic")]

#[path = "tokens_served/development.rs"]
mod development;
#[path = "tokens_served/http.rs"]
mod http;
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;
