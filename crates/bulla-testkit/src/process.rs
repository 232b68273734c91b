use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::BullaCommand;

/// A running `bulla serve`, ended with the test that started it.
///
/// It listens on a port that the system chose and is ready when [`start`](Self::start) returns: the harness waits for the line by which
/// the server announces itself, never for a time.
///
/// ```no_run
/// # use bulla_testkit::BullaProcess;
/// let server = BullaProcess::dev("target/debug/bulla").expect("a dev server starts");
/// println!("aws kms list-keys --endpoint-url {}", server.endpoint());
/// server.stop().expect("it ends by itself");
/// ```
#[derive(Debug)]
pub struct BullaProcess {
    child: Child,
    endpoint: String,
    log: Arc<Log>,
}

/// A server that did not come up, or did not go down; its `Debug` shows the log.
pub struct ProcessError {
    what: &'static str,
    /// How the process ended; `None` while it runs, or when it never did.
    pub status: Option<ExitStatus>,
    /// Everything that it wrote to stdout and stderr.
    pub logs: String,
    source: Option<io::Error>,
}

impl BullaProcess {
    /// How long a server may take to announce itself, and to end.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// Starts `bulla serve --dev` on a throw-away directory.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn dev(binary: impl AsRef<Path>) -> Result<Self, ProcessError> {
        Self::start(&Self::dev_command(binary))
    }

    /// Starts `bulla serve` on a directory that `bulla init` made.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn production(binary: impl AsRef<Path>, data_dir: impl AsRef<Path>) -> Result<Self, ProcessError> {
        Self::start(&Self::production_command(binary, data_dir))
    }

    /// The command of [`dev`](Self::dev), to which a test adds arguments and variables.
    pub fn dev_command(binary: impl AsRef<Path>) -> BullaCommand {
        BullaCommand::new(binary).args(["serve", "--listen", "127.0.0.1:0", "--dev"])
    }

    /// The command of [`production`](Self::production), to which a test adds arguments and variables.
    pub fn production_command(binary: impl AsRef<Path>, data_dir: impl AsRef<Path>) -> BullaCommand {
        BullaCommand::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir.as_ref())
    }

    /// Starts `command` and waits for its announcement.
    ///
    /// # Errors
    /// The process can't be started, ended before it announced itself, or took longer than [`PATIENCE`](Self::PATIENCE).
    pub fn start(command: &BullaCommand) -> Result<Self, ProcessError> {
        let mut child = command.to_command().spawn().map_err(|source| ProcessError {
            what: "bulla can't be started",
            status: None,
            logs: String::new(),
            source: Some(source),
        })?;
        let log = Arc::new(Log::default());
        // Both pipes are read to their end, so that a chatty child never blocks.
        let pipes: [Option<Box<dyn Read + Send>>; 2] = [
            child.stderr.take().map(|p| Box::new(p) as _),
            child.stdout.take().map(|p| Box::new(p) as _),
        ];
        for pipe in pipes.into_iter().flatten() {
            Log::read_all(&log, pipe);
        }
        let announced = log.wait(Self::PATIENCE, find_endpoint);
        let mut process = Self {
            child,
            endpoint: String::new(),
            log,
        };
        match announced {
            Waited::Found(endpoint) => {
                process.endpoint = endpoint;
                Ok(process)
            }
            Waited::Ended => {
                let status = process.child.wait().ok();
                Err(process.error("bulla ended before it listened", status))
            }
            Waited::TimedOut => Err(process.error("bulla did not announce itself in time", None)),
        }
    }

    /// Where the server listens: `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Host and port of [`endpoint`](Self::endpoint).
    pub fn address(&self) -> &str {
        self.endpoint
            .split_once("://")
            .map_or(&self.endpoint, |(_, address)| address)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything written to stdout and stderr so far.
    pub fn logs(&self) -> String {
        self.log.lock().text.clone()
    }

    /// Waits until the log holds `text`.
    ///
    /// # Errors
    /// The process ended without it, or [`PATIENCE`](Self::PATIENCE) ran out.
    pub fn wait_for_log(&self, text: &str) -> Result<(), ProcessError> {
        match self.log.wait(Self::PATIENCE, |log| log.contains(text).then_some(())) {
            Waited::Found(()) => Ok(()),
            Waited::Ended => Err(self.error("bulla ended without logging the awaited line", None)),
            Waited::TimedOut => Err(self.error("bulla did not log the awaited line", None)),
        }
    }

    /// Sends SIGHUP, on which the server reloads its certificates.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Ends the process with SIGKILL, as a crash would, and waits until it is gone; answers with its log.
    pub fn kill9(mut self) -> String {
        drop(self.child.kill());
        drop(self.child.wait());
        self.log.wait_for_end(Self::PATIENCE);
        self.logs()
    }

    /// Asks the process to end (SIGTERM), waits for it, and answers with its exit status and log.
    ///
    /// # Errors
    /// It did not end within [`PATIENCE`](Self::PATIENCE).
    pub fn stop(mut self) -> Result<(ExitStatus, String), ProcessError> {
        self.signal(Signal::TERM);
        if !self.log.wait_for_end(Self::PATIENCE) {
            return Err(self.error("bulla did not end in time", None));
        }
        match self.child.wait() {
            Ok(status) => Ok((status, self.logs())),
            Err(source) => Err(ProcessError {
                source: Some(source),
                ..self.error("bulla can't be waited for", None)
            }),
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    fn error(&self, what: &'static str, status: Option<ExitStatus>) -> ProcessError {
        ProcessError {
            what,
            status,
            logs: self.logs(),
            source: None,
        }
    }
}

impl Drop for BullaProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl fmt::Debug for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({:?}, {:?}); its log:", self.what, self.status, self.source)?;
        f.write_str(&self.logs)
    }
}

impl std::error::Error for ProcessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Finds the bulla binary that was built beside the running test: `target/<profile>/bulla`.
///
/// For tests of crates other than `bulla-cli`, which have no `CARGO_BIN_EXE_bulla`; `None` when `cargo build -p bulla-cli` has not been run.
pub fn built_binary() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let binary = test.parent()?.parent()?.join("bulla");
    binary.is_file().then_some(binary)
}

/// The announcement, as plain text or inside a JSON log line: `bulla is listening on http://127.0.0.1:4599`.
fn find_endpoint(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("bulla is listening on ")?;
    // Only a line that is complete: the address might be cut where the pipe was.
    let (line, _) = rest.split_once('\n')?;
    let end = line.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(line.len());
    Some(line.split_at(end).0.trim_end_matches('/').to_owned())
}

#[derive(Debug, Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    text: String,
    open_pipes: usize,
}

enum Waited<T> {
    Found(T),
    Ended,
    TimedOut,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_all(log: &Arc<Self>, pipe: Box<dyn Read + Send>) {
        log.lock().open_pipes += 1;
        let log = Arc::clone(log);
        thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                log.lock().text.push_str(&String::from_utf8_lossy(&line));
                log.changed.notify_all();
                line.clear();
            }
            log.lock().open_pipes -= 1;
            log.changed.notify_all();
        });
    }

    fn wait<T>(&self, patience: Duration, find: impl Fn(&str) -> Option<T>) -> Waited<T> {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), patience, |state| {
                state.open_pipes > 0 && find(&state.text).is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        match find(&state.text) {
            Some(found) => Waited::Found(found),
            None if state.open_pipes == 0 => Waited::Ended,
            None => Waited::TimedOut,
        }
    }

    /// The pipes close when the process ends.
    fn wait_for_end(&self, patience: Duration) -> bool {
        matches!(self.wait(patience, |_| None::<()>), Waited::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_read_from_a_plain_and_from_a_json_log() {
        let plain = "x\n2026 INFO bulla is listening on http://127.0.0.1:41233\nmore";
        assert_eq!(find_endpoint(plain).as_deref(), Some("http://127.0.0.1:41233"));
        let json = "{\"fields\":{\"message\":\"bulla is listening on http://127.0.0.1:7\"}}\n";
        assert_eq!(find_endpoint(json).as_deref(), Some("http://127.0.0.1:7"));
    }

    #[test]
    fn half_a_line_is_no_announcement() {
        assert_eq!(find_endpoint("bulla is listening on http://127.0.0.1:41"), None);
    }

    #[test]
    fn a_process_that_ends_at_once_is_an_error_that_shows_its_log() {
        let command = BullaCommand::new("/bin/sh").args(["-c", "echo no root key >&2; exit 3"]);
        let error = BullaProcess::start(&command).expect_err("it never listens");
        assert_eq!(error.status.and_then(|status| status.code()), Some(3));
        assert!(format!("{error:?}").contains("no root key"), "{error:?}");
    }

    #[test]
    fn a_process_is_asked_to_end_and_waited_for() {
        let script = "trap 'echo bye; exit 7' TERM; sleep 60 >/dev/null 2>&1 & \
                      echo bulla is listening on http://127.0.0.1:1/; wait $!";
        let command = BullaCommand::new("/bin/sh")
            .env("PATH", "/usr/bin:/bin")
            .args(["-c", script]);
        let process = BullaProcess::start(&command).expect("it announces itself");
        assert_eq!(process.endpoint(), "http://127.0.0.1:1");
        let (status, log) = process.stop().expect("it ends");
        assert_eq!(status.code(), Some(7));
        assert!(log.ends_with("bye\n"), "{log}");
    }
}
