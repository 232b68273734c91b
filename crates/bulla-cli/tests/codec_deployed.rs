//! `deploy/codec` and `docs/runbooks/codec.md` against the program: what they start, starts; what they ask, is answered; what they name, is there.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bulla_crypto::sha256;
use bulla_testkit::{BullaCommand, BullaProcess};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use support::{BULLA, bulla, in_venv, socket_address};

const PLAIN: &str = r#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"eyJpZCI6MTIzfQ=="}]}"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn deployed(name: &str) -> String {
    fs::read_to_string(root().join("deploy/codec").join(name)).expect("a file of the deployment")
}

/// Certificates that the authority in `authority.pem` signed, for clients and for `codec.test`.
fn pem(name: &str) -> PathBuf {
    root().join("crates/bulla-server/tests/data/codec").join(name)
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(pem(&format!("{name}.pem"))).expect("a certificate")
}

/// The documents of a YAML file, as a parser that is not ours reads them.
fn yaml(name: &str) -> Vec<Value> {
    let mut python = Command::new(in_venv("python3"))
        .args([
            "-c",
            "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut stdin = python.stdin.take().expect("a pipe");
    stdin.write_all(deployed(name).as_bytes()).expect("it reads");
    drop(stdin);
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{name} is no YAML");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let mut found = documents.iter().filter(|document| document["kind"] == kind);
    let one = found.next().expect(kind);
    assert!(found.next().is_none(), "two of {kind}");
    one
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// A request over TLS; gives status and the whole answer.
fn ask(codec: &BullaProcess, client: Option<&str>, head: &str, body: &str) -> (u16, String) {
    let mut stream = connect(codec, client);
    let length = body.len();
    let request = format!("{head}\r\nhost: codec.test\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let status = answer.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, answer)
}

fn connect(codec: &BullaProcess, client: Option<&str>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let key = PrivateKeyDer::from_pem_file(pem(&format!("{name}.key"))).expect("a key");
            let chain = vec![certificate(name)];
            builder
                .with_client_auth_cert(chain, key)
                .expect("a certificate and its key")
        }
    };
    let name = ServerName::try_from("codec.test").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let stream = TcpStream::connect(socket_address(codec)).expect("it listens");
    StreamOwned::new(connection, stream)
}

/// Starts the program as a deployment does, with its files where this test has them, on a free port of this machine.
fn start(args: &[&str], env: &[(&str, &str)], dir: &Path) -> BullaProcess {
    let table = dir.join("codec.toml");
    fs::write(
        &table,
        text(&of_kind(&yaml("deployment.yaml"), "ConfigMap")["data"]["codec.toml"]),
    )
    .expect("written");
    let mut command = BullaCommand::new(BULLA);
    let mut args = args.iter().flat_map(|arg| match arg.split_once('=') {
        Some((flag, value)) => vec![flag, value],
        None => vec![*arg],
    });
    while let Some(arg) = args.next() {
        command = command.arg(arg);
        let there: PathBuf = match arg {
            "--table" => table.clone(),
            "--tls-cert" => pem("first.pem"),
            "--tls-key" => pem("first.key"),
            "--access-log" => dir.join("access.log"),
            "--listen" => "127.0.0.1:0".into(),
            _ => continue,
        };
        args.next().expect("a value");
        command = command.arg(there);
    }
    for (name, value) in env.iter().chain(&[
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "111122223333"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
    ]) {
        command = command.env(name, value);
    }
    BullaProcess::start(&command).expect("the codec starts")
}

/// The container of the deployment.
fn container(documents: &[Value]) -> Value {
    let pod = &of_kind(documents, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(list(&pod["containers"]).len(), 1);
    pod["containers"][0].clone()
}

fn variables(container: &Value) -> Vec<(&str, &str)> {
    let each = list(&container["env"]).iter();
    each.map(|variable| (text(&variable["name"]), text(&variable["value"])))
        .collect()
}

#[test]
fn the_deployment_starts_a_codec_whose_probes_are_answered_within_its_memory() {
    let documents = yaml("deployment.yaml");
    let container = container(&documents);
    let args: Vec<&str> = list(&container["args"]).iter().map(text).collect();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let codec = start(&args, &variables(&container), dir.path());
    for probe in ["livenessProbe", "readinessProbe"] {
        let get = &container[probe]["httpGet"];
        assert_eq!(
            (text(&get["port"]), text(&get["scheme"])),
            ("https", "HTTPS"),
            "{probe}"
        );
        let (status, answer) = ask(&codec, None, &format!("GET {} HTTP/1.1", text(&get["path"])), "");
        assert_eq!(status, 200, "{probe} {answer}");
    }
    assert_eq!(ask(&codec, None, "POST /prod-eu/decode HTTP/1.1", PLAIN).0, 401);
    let preflight = |origin: &str| {
        let head =
            format!("OPTIONS /prod-eu/decode HTTP/1.1\r\norigin: {origin}\r\naccess-control-request-method: POST");
        ask(&codec, None, &head, "").0
    };
    assert_eq!(preflight("https://temporal-ui.example.org"), 204);
    assert_eq!(preflight("https://evil.example"), 403);
    assert_eq!(text(&container["resources"]["requests"]["memory"]), "64Mi");
    assert_eq!(text(&container["resources"]["limits"]["memory"]), "128Mi");
    let status = fs::read_to_string(format!("/proc/{}/status", codec.id())).expect("it runs");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a size");
    let resident_kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(resident_kib < 64 * 1024, "{resident_kib} KiB at rest");
    codec.stop().expect("it stops by itself");
}

#[test]
fn the_manifests_fit_together() {
    let documents = yaml("deployment.yaml");
    let container = container(&documents);
    let deployment = of_kind(&documents, "Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(deployment["spec"]["replicas"], 3);
    assert_eq!(
        deployment["spec"]["selector"]["matchLabels"],
        deployment["spec"]["template"]["metadata"]["labels"]
    );
    let service = of_kind(&documents, "Service");
    assert_eq!(
        service["spec"]["selector"],
        deployment["spec"]["template"]["metadata"]["labels"]
    );
    // The role of the pods comes by their service account.
    let account = of_kind(&documents, "ServiceAccount");
    assert_eq!(account["metadata"]["name"], pod["serviceAccountName"]);
    let role = text(&account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]);
    assert!(role.starts_with("arn:aws:iam::") && role.contains(":role/"), "{role}");
    // One port: the program's argument, the container's, the service's, the image's, the default.
    let port = &container["ports"][0];
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    let args: Vec<&str> = list(&container["args"]).iter().map(text).collect();
    assert!(args.contains(&"--listen=0.0.0.0:8081") && port["containerPort"] == 8081);
    assert!(deployed("Dockerfile").contains("\nEXPOSE 8081\n"));
    assert!(bulla(["codec", "--help"]).stdout_text().contains("8081"));
    // Each file that an argument names lies in a volume, and no volume in another: a read-only one could not hold its mount point.
    let mounts = list(&container["volumeMounts"]);
    let paths: Vec<&str> = mounts.iter().map(|mount| text(&mount["mountPath"])).collect();
    let inside = |path: &str, directory: &str| path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
    for path in &paths {
        assert!(
            !paths.iter().any(|other| inside(path, other)),
            "{path} lies in another volume"
        );
    }
    for arg in &args {
        if let Some((flag, path)) = arg.split_once("=/") {
            let path = format!("/{path}");
            assert!(paths.iter().any(|directory| inside(&path, directory)), "{flag} {path}");
        }
    }
    let names = |list: &[Value]| {
        list.iter()
            .map(|one| text(&one["name"]).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(mounts), names(list(&pod["volumes"])));
    let table = args
        .iter()
        .find_map(|arg| arg.strip_prefix("--table="))
        .expect("a table");
    assert!(
        of_kind(&documents, "ConfigMap")["data"]
            .get(table.rsplit('/').next().expect("a file"))
            .is_some()
    );
    assert_eq!(
        pod["volumes"][0]["configMap"]["name"],
        of_kind(&documents, "ConfigMap")["metadata"]["name"]
    );
}

#[test]
fn each_variable_of_the_deployment_is_one_that_the_program_reads() {
    let documents = yaml("deployment.yaml");
    let container = container(&documents);
    let variables = variables(&container);
    assert!(variables.len() >= 3, "{variables:?}");
    for (name, _) in variables {
        if name.starts_with("AWS_") {
            // The AWS SDK's own.
            assert_eq!(name, "AWS_REGION");
            continue;
        }
        let refused = BullaCommand::new(BULLA)
            .args(["codec", "--key", "aws-kms:///alias/x", "--listen", "127.0.0.1:0"])
            .args(["--endpoint", "http://127.0.0.1:9"])
            .env("AWS_REGION", "eu-west-1")
            .env(name, "no number")
            .run()
            .expect("bulla runs");
        assert!(refused.code != Some(0) && refused.stderr.contains(name), "{refused:?}");
    }
}

#[test]
fn the_unit_starts_reloads_and_records_as_it_says() {
    let unit = deployed("bulla-codec.service").replace("\\\n", " ");
    let setting = |name: &str| {
        let mut lines = unit
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let value = lines.next().unwrap_or_else(|| unreachable!("{name} is not set"));
        assert!(lines.next().is_none(), "{name} is set twice");
        value
    };
    let command: Vec<&str> = setting("ExecStart").split_whitespace().collect();
    assert_eq!(command[0], "/usr/bin/bulla");
    let record = command
        .iter()
        .skip_while(|arg| **arg != "--access-log")
        .nth(1)
        .expect("a record");
    let logs = format!("/var/log/{}/", setting("LogsDirectory"));
    assert!(record.starts_with(&logs), "{record} is not where the unit may write");
    assert_eq!((setting("MemoryMax"), setting("LimitCORE")), ("128M", "0"));
    assert_eq!(setting("ExecReload"), "/bin/kill -HUP $MAINPID");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let codec = start(&command[1..], &[], dir.path());
    assert_eq!(ask(&codec, None, "GET /health HTTP/1.1", "").0, 200);
    assert!(dir.path().join("access.log").exists());
    codec.hang_up();
    codec
        .wait_for_log("the certificate was read again")
        .expect("it reloads");
    codec.stop().expect("it stops by itself");
}

#[test]
fn the_image_runs_the_codec_as_the_user_of_the_deployment() {
    let image = deployed("Dockerfile");
    let line = |name: &str| {
        image
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(name))
            .expect("a line")
    };
    let words = |name: &str| serde_json::from_str::<Vec<String>>(line(name)).expect("an exec form");
    let (entry, command) = (words("ENTRYPOINT "), words("CMD "));
    assert!(
        line("COPY --from=build ").ends_with(&format!(" {}", entry[0])),
        "{entry:?}"
    );
    assert_eq!(entry.len(), 1);
    let documents = yaml("deployment.yaml");
    let pod = &of_kind(&documents, "Deployment")["spec"]["template"]["spec"];
    let user = pod["securityContext"]["runAsUser"].to_string();
    assert_eq!(line("USER ").split(':').next(), Some(&*user));
    // A command of the program, which says what it lacks.
    let alone = bulla(&command);
    assert_eq!(alone.code, Some(2));
    assert!(alone.stderr.contains("no key is named"), "{alone:?}");
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).expect("a toolchain");
    let version = line("FROM rust:").split('-').next().expect("a version");
    assert!(toolchain.contains(&format!("\"{version}")), "{version}");
}

#[test]
fn alerts_name_series_that_the_program_exports_and_sections_that_the_runbook_has() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let container = container(&yaml("deployment.yaml"));
    let args: Vec<&str> = list(&container["args"]).iter().map(text).collect();
    let codec = start(&args, &[], dir.path());
    let metrics = ask(&codec, None, "GET /metrics HTTP/1.1", "").1;
    codec.stop().expect("it stops by itself");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = |text: &str| {
        let words = text.split(|c| !is_name(c)).map(str::to_owned);
        words.filter(|word| word.starts_with("bulla_")).collect::<BTreeSet<_>>()
    };
    let exported: BTreeSet<String> = metrics
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| names(line.split(['{', ' ']).next().unwrap_or_default()))
        .collect();
    let runbook = fs::read_to_string(root().join("docs/runbooks/codec.md")).expect("the runbook");
    let sections: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| {
            let kept = title.to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
            kept.collect::<String>().replace(' ', "-")
        })
        .collect();
    let documents = yaml("alerts.yaml");
    let rules: Vec<&Value> = list(&documents[0]["groups"])
        .iter()
        .flat_map(|group| list(&group["rules"]))
        .collect();
    let mut named = BTreeSet::new();
    for rule in &rules {
        let runbook = text(&rule["annotations"]["runbook"]);
        let (file, section) = runbook.split_once('#').expect("a section");
        assert_eq!(file, "docs/runbooks/codec.md");
        assert!(sections.contains(section), "{section} is not in {sections:?}");
        named.extend(names(text(&rule["expr"])));
    }
    assert!(named.is_subset(&exported), "{named:?} {exported:?}");
    // And those that the runbook tells to look at.
    let is_there = |name: &String| exported.contains(name) || exported.contains(&format!("{name}_bucket"));
    assert!(names(&runbook).iter().all(is_there), "{:?}", names(&runbook));
    let alerts: Vec<&str> = rules.iter().map(|rule| text(&rule["alert"])).collect();
    assert_eq!(
        alerts,
        [
            "BullaCodecKmsErrors",
            "BullaCodecCurrentKeyExpired",
            "BullaCodecSlow",
            "BullaCodecDown"
        ]
    );
    assert!(text(&rules[0]["expr"]).ends_with("> 0.01"));
    assert!(metrics.contains("bulla_codec_request_duration_seconds_bucket{operation=\"decode\","));
    for section in [
        "planned-rotation",
        "emergency-rotation",
        "decode-failures",
        "high-kms-cost",
    ] {
        assert!(sections.contains(section), "{section}");
    }
    assert!(runbook.contains("Alias not resolved"));
}

#[test]
fn a_hang_up_replaces_the_certificate_and_clients_are_named_by_theirs() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    support::init(&data, &[]);
    let principal = |name: &str| format!("x509/{}", hex::encode(sha256(&certificate(name))));
    let table = dir.path().join("codec.toml");
    let rows = format!(
        "unknown = \"local://{}\"\n[[allow]]\nprincipal = \"{}\"\nnamespaces = [\"*\"]\noperations = [\"encode\", \"decode\"]\n\
         [[allow]]\nprincipal = \"{}\"\nnamespaces = [\"read-*\"]\noperations = [\"decode\"]\n",
        data.join("root.key").display(),
        principal("worker"),
        principal("reader"),
    );
    fs::write(&table, rows).expect("written");
    let install = |name: &str| {
        for kind in ["pem", "key"] {
            let installed = dir.path().join(format!("tls.{kind}"));
            fs::copy(pem(&format!("{name}.{kind}")), installed).expect("a file is copied");
        }
    };
    install("first");
    let record = dir.path().join("access.log");
    let command = BullaCommand::new(BULLA)
        .args(["codec", "--listen", "127.0.0.1:0", "--table"])
        .arg(&table)
        .arg("--tls-cert")
        .arg(dir.path().join("tls.pem"))
        .arg("--tls-key")
        .arg(dir.path().join("tls.key"))
        .arg("--client-ca")
        .arg(pem("authority.pem"))
        .arg("--access-log")
        .arg(&record);
    let codec = BullaProcess::start(&command).expect("a codec starts");
    let post = |client, path: &str, body: &str| {
        let (status, answer) = ask(&codec, client, &format!("POST {path} HTTP/1.1"), body);
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status, body.unwrap_or_default())
    };
    let (status, sealed) = post(Some("worker"), "/read-archive/encode", PLAIN);
    assert_eq!(status, 200, "{sealed}");
    for (client, path, status) in [
        (Some("reader"), "/read-archive/decode", 200),
        (Some("reader"), "/billing/decode", 403),
        (Some("reader"), "/read-archive/encode", 403),
        (Some("unlisted"), "/read-archive/decode", 403),
        (None, "/read-archive/decode", 401),
    ] {
        assert_eq!(post(client, path, &sealed).0, status, "{client:?} {path}");
    }
    let recorded = fs::read_to_string(&record).expect("a record");
    assert!(recorded.contains(&principal("reader")) && recorded.contains(&principal("unlisted")));

    let shown = || {
        let mut stream = connect(&codec, None);
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: codec.test\r\n\r\n")
            .expect("it reads");
        stream.conn.peer_certificates().expect("a certificate")[0].clone()
    };
    assert_eq!(shown(), certificate("first"));
    install("second");
    codec.hang_up();
    codec
        .wait_for_log("the certificate was read again")
        .expect("it is read");
    assert_eq!(shown(), certificate("second"));
    codec.stop().expect("it stops by itself");
}
