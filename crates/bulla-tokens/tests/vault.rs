//! What the vault promises, over a real Redis and a key provider that fails as it is told to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

#[path = "vault/access.rs"]
mod access;
#[path = "vault/answers.rs"]
mod answers;
#[path = "vault/chaos.rs"]
mod chaos;
#[path = "vault/fetching.rs"]
mod fetching;
#[path = "vault/keys.rs"]
mod keys;
#[path = "vault/revocation.rs"]
mod revocation;
#[path = "vault/sharing.rs"]
mod sharing;
#[path = "vault/tampering.rs"]
mod tampering;
