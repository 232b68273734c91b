//! What a process that holds keys does first.

use anyhow::Context as _;
use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// Switches core dumps and the reading of this process's memory by its own user off, makes new files the owner's alone, allows
/// as many open files as may be allowed, and makes a write beyond the limit on file sizes an error of that write, as on a full disk, instead of the end of the process.
///
/// # Errors
/// The system refuses.
pub(crate) fn guard() -> Result<(), anyhow::Error> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).context("switching core dumps off")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("switching core dumps off")?;
    umask(Mode::from_raw_mode(0o077));
    // The server takes more connections than the usual soft limit has files.
    let files = getrlimit(Resource::Nofile);
    if files.maximum.is_some() {
        let raised = Rlimit {
            current: files.maximum,
            ..files
        };
        setrlimit(Resource::Nofile, raised).context("raising the limit on open files")?;
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("listening for signals")?;
    let _entered = runtime.enter();
    // Who listens once has taken the signal over for good; that nobody listens any more changes nothing.
    drop(signal(SignalKind::from_raw(SIGXFSZ)).context("listening for signals")?);
    Ok(())
}

/// Makes the runtime of a command; `None` is one thread per processor.
///
/// # Errors
/// Threads can't be started.
pub(crate) fn runtime(worker_threads: Option<usize>) -> Result<Runtime, anyhow::Error> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = worker_threads {
        builder.worker_threads(threads.clamp(1, 1024));
    }
    builder.enable_all().build().context("starting threads")
}

/// What the system sends to who writes beyond the limit on file sizes, and what ends a process that does not listen; Linux, each architecture.
const SIGXFSZ: i32 = 25;
