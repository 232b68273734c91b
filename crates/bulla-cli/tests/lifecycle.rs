//! From `init` to recovery: what a data directory goes through.

#[path = "lifecycle/credentials.rs"]
mod credentials;
#[path = "lifecycle/directories.rs"]
mod directories;
#[path = "lifecycle/harness.rs"]
mod harness;
#[path = "lifecycle/offline.rs"]
mod offline;
#[path = "lifecycle/recovery.rs"]
mod recovery;
#[path = "lifecycle/serving.rs"]
mod serving;
