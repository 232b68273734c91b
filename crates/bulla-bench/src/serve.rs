//! The key service over HTTP: 64 keep-alive connections, SigV4 verified, every operation durable in the audit log.
//!
//! The server and the load generator have a core each (`taskset`). The floor of throughput is `GET /healthz` of the same server: its HTTP
//! stack with an empty handler. The floor of the latencies is a bare write of one group commit's bytes and `fdatasync`, on the disk that holds the
//! data directory, in the same run.

mod policy;
mod primitives;

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bulla_testkit::{BullaCommand, BullaProcess, Signer, load};
use serde_json::{Value, json};

use crate::report::Figure;

const REGION: &str = "eu-west-1";

/// Measures the service and hands each figure to `emit`.
pub(crate) fn run(quick: bool, wanted: &dyn Fn(&str) -> bool, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    let operations = [
        "encrypt",
        "decrypt",
        "generate-data-key",
        "sign-p256",
        "sign-rsa2048",
        "hmac",
    ];
    let names: Vec<String> = operations
        .iter()
        .map(|operation| format!("serve/{operation}"))
        .collect();
    if names.iter().any(|name| wanted(name)) || wanted(policy::NAME) {
        let service = Service::start()?;
        let sync_ms = bare_sync_p50_ms(service.dir.path())?;
        let time = Duration::from_millis(if quick { 1_000 } else { 5_000 });
        for operation in operations {
            if wanted(&format!("serve/{operation}")) {
                operation_figures(&service, operation, time, sync_ms, emit)?;
            }
            // Beside the bare primitive, too, where it takes a good part of the whole.
            if let Some(primitive) = primitives::of(operation) {
                let name = format!("serve/{operation}");
                if wanted(&name) {
                    let (target, body) = service.ask(operation)?;
                    let rate = service.measure(64, time / 3, &target, &body)?.per_second();
                    let floor = primitives::per_second(primitive?, time / 3);
                    emit(Figure::rate(&format!("{name}/primitive"), rate, "op/s", floor));
                }
            }
        }
        if wanted(policy::NAME) {
            policy::figure(&service, time, emit)?;
        }
        service.stop()?;
    }
    if wanted("memory/100000-keys") || wanted("start/100000-keys") {
        hundred_thousand_keys(quick, emit)?;
    }
    Ok(())
}

fn operation_figures(
    service: &Service,
    operation: &str,
    time: Duration,
    sync_ms: f64,
    emit: &mut dyn FnMut(Figure),
) -> Result<()> {
    let (target, body) = service.ask(operation)?;
    for (connections, suffix) in [(64, ""), (16, "/c16"), (1, "/c1")] {
        service.measure(connections, time / 4, &target, &body)?;
        let mut pairs = Vec::new();
        for _ in 0..3 {
            let floor = service.measure_floor(connections, time / 3)?.per_second();
            pairs.push((service.measure(connections, time / 3, &target, &body)?, floor));
        }
        pairs.sort_by(|(a, fa), (b, fb)| (a.per_second() / fa).total_cmp(&(b.per_second() / fb)));
        let (outcome, floor) = pairs.swap_remove(1);
        let name = format!("serve/{operation}{suffix}");
        emit(Figure::rate(&name, outcome.per_second(), "op/s", floor));
        emit(Figure::cost(
            &format!("{name}/p50"),
            outcome.percentile_ms(0.50),
            "ms",
            sync_ms,
        ));
        emit(Figure::cost(
            &format!("{name}/p99"),
            outcome.percentile_ms(0.99),
            "ms",
            sync_ms,
        ));
    }
    Ok(())
}

/// 100,000 keys in use: memory of the process when each has sealed something, and the time until a restarted service is ready.
fn hundred_thousand_keys(quick: bool, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    let keys = if quick { 5_000 } else { 100_000 };
    let service = Service::start()?;
    let empty_mb = service.resident_mb()?;
    let mut signer = service.signer();
    let address = service.address;
    let ids = std::rc::Rc::new(std::cell::RefCell::new(Vec::with_capacity(keys)));
    let kept = std::rc::Rc::clone(&ids);
    load::run_counted(
        address,
        64,
        keys,
        move |request| signer.request_now(request, "CreateKey", b"{}"),
        move |body| {
            if let Some(id) = serde_json::from_slice::<Value>(body)
                .ok()
                .and_then(|body| body["KeyMetadata"]["KeyId"].as_str().map(str::to_owned))
            {
                kept.borrow_mut().push(id);
            }
        },
    )?;
    let ids = ids.take();
    ensure!(ids.len() >= keys, "{} keys were made", ids.len());
    let count = ids.len();
    let mut signer = service.signer();
    let mut next = ids.into_iter().cycle();
    load::run_counted(
        address,
        64,
        count,
        move |request| {
            let body = json!({ "KeyId": next.next().unwrap_or_default(), "Plaintext": "AAAA" });
            signer.request_now(request, "Encrypt", body.to_string().as_bytes());
        },
        |_| {},
    )?;
    emit(Figure::cost(
        &format!("memory/{count}-keys"),
        service.resident_mb()?,
        "MB",
        empty_mb,
    ));

    let Service { dir, process, .. } = service;
    process.stop()?;
    let mut starts = Vec::new();
    let mut opens = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        let process = BullaProcess::production(program()?, data_dir(dir.path()))?;
        starts.push(begin.elapsed());
        process.stop()?;
        opens.push(open_database(dir.path())?);
    }
    starts.sort_unstable();
    opens.sort_unstable();
    emit(Figure::cost(
        &format!("start/{count}-keys"),
        starts[2].as_secs_f64() * 1e3,
        "ms",
        opens[2].as_secs_f64() * 1e3,
    ));
    Ok(())
}

/// A production service on a temporary data directory, pinned to the first core; this process pins itself to the second.
struct Service {
    dir: tempfile::TempDir,
    process: BullaProcess,
    address: SocketAddr,
    access_key_id: String,
    secret_access_key: String,
    key_id: String,
}

impl Service {
    fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("bulla-bench").tempdir_in(scratch())?;
        let data = data_dir(dir.path());
        let printed = BullaCommand::new(program()?)
            .args(["init", "--output", "json", "--data-dir"])
            .arg(&data)
            .run()?;
        ensure!(printed.succeeded(), "bulla init failed: {}", printed.stderr);
        let printed: Value = serde_json::from_slice(&printed.stdout)?;
        let text = |name: &str| {
            printed[name]
                .as_str()
                .map(str::to_owned)
                .context("bulla init prints credentials")
        };
        let (access_key_id, secret_access_key) = (text("AccessKeyId")?, text("SecretAccessKey")?);
        let process =
            BullaProcess::start(&BullaProcess::production_command(program()?, &data).args(["--worker-threads", "1"]))?;
        pin(process.id(), 0)?;
        pin(std::process::id(), 1)?;
        let address = process.address().parse()?;
        let mut service = Self {
            dir,
            process,
            address,
            access_key_id,
            secret_access_key,
            key_id: String::new(),
        };
        service.key_id = service.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")?;
        Ok(service)
    }

    fn create_key(&self, spec: &str, usage: &str) -> Result<String> {
        let made = self.call("CreateKey", &json!({ "KeySpec": spec, "KeyUsage": usage }))?;
        let id = made["KeyMetadata"]["KeyId"].as_str();
        Ok(id.context("CreateKey answers with a key")?.to_owned())
    }

    fn stop(self) -> Result<()> {
        self.process.stop()?;
        Ok(())
    }

    fn signer(&self) -> Signer {
        Signer::new(
            &self.access_key_id,
            &self.secret_access_key,
            REGION,
            self.process.address(),
        )
    }

    fn call(&self, target: &str, body: &Value) -> Result<Value> {
        self.call_as(self.signer(), target, &body.to_string())
    }

    fn call_as(&self, mut signer: Signer, target: &str, body: &str) -> Result<Value> {
        let mut request = Vec::new();
        signer.request_now(&mut request, target, body.as_bytes());
        match load::once(self.address, &request)?.as_slice() {
            [] => Ok(Value::Null),
            answer => Ok(serde_json::from_slice(answer)?),
        }
    }

    /// Target and body of an operation on 32 bytes, under a context of one pair where it takes one.
    fn ask(&self, operation: &str) -> Result<(String, String)> {
        let context = json!({ "client_id": "client_123" });
        let plaintext = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let encrypt = json!({ "KeyId": self.key_id, "Plaintext": plaintext, "EncryptionContext": context });
        let (target, body) = match operation {
            "encrypt" => ("Encrypt", encrypt),
            "decrypt" => {
                let blob = self.call("Encrypt", &encrypt)?["CiphertextBlob"].take();
                (
                    "Decrypt",
                    json!({ "CiphertextBlob": blob, "EncryptionContext": context }),
                )
            }
            "sign-p256" => (
                "Sign",
                json!({
                    "KeyId": self.create_key("ECC_NIST_P256", "SIGN_VERIFY")?,
                    "Message": plaintext,
                    "SigningAlgorithm": "ECDSA_SHA_256",
                }),
            ),
            "sign-rsa2048" => (
                "Sign",
                json!({
                    "KeyId": self.create_key("RSA_2048", "SIGN_VERIFY")?,
                    "Message": plaintext,
                    "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
                }),
            ),
            "hmac" => (
                "GenerateMac",
                json!({
                    "KeyId": self.create_key("HMAC_256", "GENERATE_VERIFY_MAC")?,
                    "Message": plaintext,
                    "MacAlgorithm": "HMAC_SHA_256",
                }),
            ),
            _ => (
                "GenerateDataKey",
                json!({ "KeyId": self.key_id, "KeySpec": "AES_256", "EncryptionContext": context }),
            ),
        };
        Ok((target.to_owned(), body.to_string()))
    }

    fn measure(&self, connections: usize, time: Duration, target: &str, body: &str) -> Result<load::Outcome> {
        self.measure_as(self.signer(), connections, time, target, body)
    }

    fn measure_as(
        &self,
        mut signer: Signer,
        connections: usize,
        time: Duration,
        target: &str,
        body: &str,
    ) -> Result<load::Outcome> {
        let (target, body) = (target.to_owned(), body.to_owned());
        Ok(load::run(self.address, connections, time, move |request| {
            signer.request_now(request, &target, body.as_bytes());
        })?)
    }

    fn measure_floor(&self, connections: usize, time: Duration) -> Result<load::Outcome> {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", self.process.address());
        Ok(load::run(self.address, connections, time, move |buffer| {
            buffer.clear();
            buffer.extend_from_slice(request.as_bytes());
        })?)
    }

    fn resident_mb(&self) -> Result<f64> {
        resident_mb(self.process.id())
    }
}

/// What a process holds in memory.
pub(crate) fn resident_mb(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("the kernel tells the resident size")?;
    let kib: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kib / 1024.0)
}

/// The program beside this one.
pub(crate) fn program() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("bulla");
    ensure!(path.exists(), "{} is missing: scripts/bench builds it", path.display());
    Ok(path)
}

/// Where data directories go: beside the program, because a temporary directory may lie in memory.
pub(crate) fn scratch() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned))
        .unwrap_or_else(std::env::temp_dir)
}

fn data_dir(dir: &Path) -> PathBuf {
    dir.join("data")
}

pub(crate) fn pin(process: u32, core: u32) -> Result<()> {
    let status = std::process::Command::new("taskset")
        .args(["-a", "-c", "-p", &core.to_string(), &process.to_string()])
        .stdout(std::process::Stdio::null())
        .status()
        .context("taskset (util-linux) gives server and load generator a core each")?;
    ensure!(status.success(), "taskset could not pin process {process}");
    Ok(())
}

/// Median of a write of 64 KiB and `fdatasync`: about what a group commit of 64 operations writes.
fn bare_sync_p50_ms(dir: &Path) -> Result<f64> {
    let mut file = File::create(dir.join("sync"))?;
    let block = vec![0x5a; 64 * 1024];
    let mut times = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2].as_secs_f64() * 1e3)
}

/// Opens the service's database alone, reads its head and closes it: the floor of a start.
fn open_database(dir: &Path) -> Result<Duration> {
    let url = format!("sqlite://{}", data_dir(dir).join("bulla.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begin = Instant::now();
    runtime.block_on(async {
        let store = bulla_store_sql::SqlStore::connect(&url).await?;
        bulla_store::Store::head(&store).await?;
        anyhow::Ok(())
    })?;
    Ok(begin.elapsed())
}
