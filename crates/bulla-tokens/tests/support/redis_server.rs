use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bulla_tokens::{RedisConfig, RedisStore};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// A Redis server of a test's own, on a free port and in a directory of its own; ended with it.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    directory: tempfile::TempDir,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with more arguments; `{dir}` stands for its directory.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let own = |argument: &&str| argument.replace("{dir}", directory.path().to_str().unwrap());
        let arguments: Vec<_> = arguments.iter().map(own).collect();
        // The port may be taken between the look and the start: then the next one is tried.
        let started = (0..10).find_map(|_| {
            let port = free_port();
            Some((port, spawn(port, &arguments, directory.path())?))
        });
        let (port, child) = started.expect("a Redis server starts: is redis-server of Debian installed?");
        Self {
            child,
            port,
            arguments,
            directory,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::new(&RedisConfig::server(self.url())).unwrap()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, with what its directory has.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.arguments, self.directory.path()).expect("it starts again");
    }

    /// Stops its process; nothing is answered until [`go_on`](Self::go_on).
    pub(crate) fn freeze(&self) {
        stop(&self.child);
    }

    pub(crate) fn go_on(&self) {
        go_on(&self.child);
    }

    /// Runs `redis-cli` against it and answers what it printed.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        cli(self.port, arguments)
    }

    pub(crate) fn get(&self, key: &str) -> Vec<u8> {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        redis::cmd("GET").arg(key).query(&mut connection).unwrap()
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        redis::cmd("SET").arg(key).arg(value).exec(&mut connection).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process, too.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Stops a process, and waits until all its threads have stopped: the signal alone does not say when.
pub(crate) fn stop(child: &Child) {
    kill_process(pid(child), Signal::STOP).unwrap();
    let stopped = waitpid(Some(pid(child)), WaitOptions::UNTRACED).unwrap();
    assert!(stopped.is_some_and(|(_, status)| status.stopped()));
}

/// Lets a stopped process go on.
pub(crate) fn go_on(child: &Child) {
    kill_process(pid(child), Signal::CONT).unwrap();
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

pub(crate) fn cli(port: u16, arguments: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("redis-cli of Debian");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a server and waits until it answers; `None` where it ended first.
fn spawn(port: u16, arguments: &[String], directory: &Path) -> Option<Child> {
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--dir", directory.to_str()?])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server of Debian");
    let tls_port = arguments.windows(2).find(|two| two[0] == "--tls-port");
    let tls_port: Option<u16> = tls_port.map(|two| two[1].parse().expect("a port"));
    let port = tls_port.unwrap_or(port);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(30) {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() && (tls_port.is_some() || is_loaded(port)) {
            return Some(child);
        }
        std::thread::yield_now();
    }
    drop(child.kill());
    drop(child.wait());
    None
}

/// Whether it answers, with a password asked for or not.
fn is_loaded(port: u16) -> bool {
    let answer = cli(port, &["PING"]);
    answer.contains("PONG") || answer.contains("NOAUTH")
}
