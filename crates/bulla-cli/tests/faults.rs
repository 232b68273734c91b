//! The disk is full, the database is locked, read-only or damaged, the root key is gone: a clear error, nothing that was acknowledged
//! is lost, nothing is done without its event, and the service works again once the fault is gone.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

#[path = "faults/database.rs"]
mod database;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/harness.rs"]
mod harness;
#[path = "faults/killed_init.rs"]
mod killed_init;
#[path = "faults/root_key.rs"]
mod root_key;
#[path = "faults/two_servers.rs"]
mod two_servers;
