//! The Temporal codec over HTTP, alone, with a record that is synced before each answer: payloads of 1 KiB, warm.
//!
//! Three floors: an empty handler of the same server (`/health`); the same JSON parsed, printed and recorded without a seal; and the raw
//! AEAD over the same bytes.
//!
//! An encode parses plain payloads and prints sealed ones, which are longer, a decode the other way round. What that costs without a
//! seal is the mean of two requests that a decode passes through: one of the plain payloads, and one of the sealed payloads under another
//! encoding, byte for byte as long. It is a floor of both together: alone it flatters the encode.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bulla_testkit::{BullaCommand, BullaProcess, load};
use serde_json::{Value, json};

use crate::report::Figure;
use crate::serve::{pin, program, resident_mb, scratch};

const PAYLOAD_BYTES: usize = 1024;
const CONNECTIONS: usize = 16;
/// What the deployment in `deploy/codec` gives a codec.
const MEMORY_LIMIT_MB: f64 = 128.0;

/// Measures the codec and hands each figure to `emit`.
pub(crate) fn run(quick: bool, wanted: &dyn Fn(&str) -> bool, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    let names = [
        "codec/encode-1",
        "codec/encode-100",
        "codec/decode-1",
        "codec/decode-100",
    ];
    if !names.iter().chain(&["memory/codec"]).any(|name| wanted(name)) {
        return Ok(());
    }
    let codec = Codec::start()?;
    let time = Duration::from_millis(if quick { 700 } else { 4_000 });
    for (name, verb, count) in [
        ("codec/encode-1", "encode", 1),
        ("codec/encode-100", "encode", 100),
        ("codec/decode-1", "decode", 1),
        ("codec/decode-100", "decode", 100),
    ] {
        if wanted(name) {
            figures(&codec, name, verb, count, time, emit)?;
        }
    }
    if wanted("memory/codec") {
        emit(Figure::cost(
            "memory/codec",
            resident_mb(codec.process.id())?,
            "MB",
            MEMORY_LIMIT_MB,
        ));
    }
    codec.process.stop()?;
    Ok(())
}

fn figures(
    codec: &Codec,
    name: &str,
    verb: &str,
    count: usize,
    time: Duration,
    emit: &mut dyn FnMut(Figure),
) -> Result<()> {
    let plain = plain(count);
    let sealed = String::from_utf8(load::once(codec.address, &post("encode", &plain))?)?;
    // Base64 of binary/bulla-v1 and of binary/other-v1.
    let other = sealed.replace("YmluYXJ5L2J1bGxhLXYx", "YmluYXJ5L290aGVyLXYx");
    ensure!(
        other != sealed && other.len() == sealed.len(),
        "the answer is not of sealed payloads"
    );
    let asked = match verb {
        "encode" => post(verb, &plain),
        _ => post(verb, &sealed),
    };
    let passed = [post("decode", &plain), post("decode", &other)];
    let rate = |request: &[u8]| -> Result<f64> {
        let request = request.to_vec();
        let outcome = load::run(codec.address, CONNECTIONS, time / 3, move |buffer| {
            buffer.clear();
            buffer.extend_from_slice(&request);
        })?;
        Ok(outcome.per_second())
    };
    rate(&asked)?;
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let empty = rate(b"GET /health HTTP/1.1\r\nhost: codec\r\n\r\n")?;
        let seconds = 1.0 / rate(&passed[0])? + 1.0 / rate(&passed[1])?;
        rounds.push((rate(&asked)?, empty, 2.0 / seconds));
    }
    rounds.sort_by(|a, b| (a.0 / a.2).total_cmp(&(b.0 / b.2)));
    let (sealed, empty, unsealed) = rounds.swap_remove(1);
    emit(Figure::rate(name, sealed, "req/s", empty));
    emit(Figure::rate(&format!("{name}/unsealed"), sealed, "req/s", unsealed));
    let aead = raw_per_second(count, time / 3)?;
    emit(Figure::rate(&format!("{name}/aead"), sealed, "req/s", aead));
    Ok(())
}

/// A codec under a root key file, pinned to the first core; this process pins itself to the second.
struct Codec {
    process: BullaProcess,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Codec {
    fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("bulla-bench").tempdir_in(scratch())?;
        let data = dir.path().join("data");
        let made = BullaCommand::new(program()?)
            .args(["init", "--data-dir"])
            .arg(&data)
            .run()?;
        ensure!(made.succeeded(), "bulla init failed: {}", made.stderr);
        let key = data.join("root.key");
        let key = format!("local://{}", key.to_str().context("a path of UTF-8")?);
        let table = dir.path().join("codec.toml");
        std::fs::write(
            &table,
            format!("unknown = '{key}'\ndefault_namespace = 'default'\nrate_per_second = 0\n"),
        )?;
        let command = BullaCommand::new(program()?)
            .args(["codec", "--listen", "127.0.0.1:0", "--worker-threads", "1", "--table"])
            .arg(&table)
            .arg("--access-log")
            .arg(dir.path().join("access.log"));
        let process = BullaProcess::start(&command)?;
        pin(process.id(), 0)?;
        pin(std::process::id(), 1)?;
        let address = process.address().parse()?;
        Ok(Self {
            process,
            address,
            _dir: dir,
        })
    }
}

fn post(verb: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /{verb} HTTP/1.1\r\nhost: codec\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn plain(count: usize) -> String {
    // Base64 of 1 KiB of zeros.
    let data = format!("{}AA==", "A".repeat(PAYLOAD_BYTES.div_ceil(3) * 4 - 4));
    let payload = json!({ "metadata": { "encoding": "anNvbi9wbGFpbg==" }, "data": data });
    json!({ "payloads": vec![Value::clone(&payload); count] }).to_string()
}

/// How often a second the bare AEAD seals `count` payloads.
fn raw_per_second(count: usize, time: Duration) -> Result<f64> {
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32])
        .ok()
        .context("32 bytes are a key")?;
    let key = LessSafeKey::new(key);
    let mut buffer = vec![0; PAYLOAD_BYTES];
    let begin = Instant::now();
    let mut rounds = 0_u64;
    while begin.elapsed() < time {
        for _ in 0..count {
            let nonce = Nonce::assume_unique_for_key([1; NONCE_LEN]);
            let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut buffer);
            let _ = std::hint::black_box(tag.ok().context("the AEAD seals")?);
        }
        rounds += 1;
    }
    Ok(rounds as f64 / begin.elapsed().as_secs_f64())
}
