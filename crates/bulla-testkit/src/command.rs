use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// One run of the program `bulla` in an environment that holds nothing but what the test puts there.
///
/// The child sees `TMPDIR` and the variables set with [`env`](Self::env); no `BULLA_*` or `AWS_*` of the developer's shell reaches it, and
/// the instance metadata service is switched off.
#[derive(Debug, Clone)]
pub struct BullaCommand {
    binary: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    current_dir: Option<PathBuf>,
}

/// What a finished run left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Finished {
    /// The exit code; `None` when a signal ended the process.
    pub code: Option<i32>,
    /// What was written to stdout, byte for byte.
    pub stdout: Vec<u8>,
    /// What was written to stderr.
    pub stderr: String,
}

impl Finished {
    /// Stdout as text; bytes that are not UTF-8 are replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Tells whether the process ended with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code: {:?}", self.code)?;
        writeln!(f, "stdout:\n{}", String::from_utf8_lossy(&self.stdout))?;
        write!(f, "stderr:\n{}", self.stderr)
    }
}

impl BullaCommand {
    /// Prepares a run of `binary`; integration tests of `bulla-cli` pass `env!("CARGO_BIN_EXE_bulla")`.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        Self {
            binary: binary.as_ref().to_owned(),
            args: Vec::new(),
            env: vec![("AWS_EC2_METADATA_DISABLED".into(), "true".into())],
            stdin: Vec::new(),
            current_dir: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the child's environment; `LD_PRELOAD` among them, if a test wants it.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives the child these credentials and the region `us-east-1`, as `aws configure` would.
    #[must_use]
    pub fn credentials(self, access_key_id: &str, secret_access_key: &str) -> Self {
        self.env("AWS_ACCESS_KEY_ID", access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", secret_access_key)
            .env("AWS_REGION", "us-east-1")
    }

    /// Gives the child these bytes on stdin.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs the child in this directory.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.current_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The program can't be started.
    pub fn run(&self) -> io::Result<Finished> {
        let mut child = self.to_command().stdin(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let bytes = self.stdin.clone();
        let writer = thread::spawn(move || {
            // A child that does not read its stdin closes the pipe: not the test's concern.
            stdin.map(|mut pipe| pipe.write_all(&bytes))
        });
        let output = child.wait_with_output()?;
        drop(writer.join());
        Ok(Finished {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    pub(crate) fn to_command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(&self.args).env_clear().env("TMPDIR", std::env::temp_dir());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.current_dir {
            command.current_dir(dir);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}
