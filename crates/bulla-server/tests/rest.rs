//! The REST façade over real sockets: who is let in, what every route must show, the log read and written, changes waited for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "rest/asserted.rs"]
mod asserted;
#[path = "rest/audit.rs"]
mod audit;
#[path = "rest/changes.rs"]
mod changes;
#[path = "rest/client.rs"]
mod client;
#[path = "rest/coverage.rs"]
mod coverage;
#[path = "rest/grants.rs"]
mod grants;
#[path = "api/harness.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod harness;
#[path = "rest/openapi.rs"]
mod openapi;
#[path = "rest/protocol.rs"]
mod protocol;
#[path = "rest/tokens.rs"]
mod tokens;
/// The program's own implementation of the port: nothing here stands in for it.
#[path = "../../bulla-cli/src/vault/port.rs"]
mod vault_port;
