//! The four standing reports: `bulla audit report` over a real log, and the SQL and jq of `docs/audit-queries.md` over an export.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use bulla_audit::{BusinessHours, EventFilter, Outcome, Principals, timestamp};
use bulla_testkit::BullaProcess;
use bulla_testkit::load::Connection;
use serde_json::{Value, json};
use support::{BULLA, Credentials, bulla, init, socket_address};

const HOUR_MICROS: i64 = 3_600_000_000;

#[test]
fn sql_and_jq_find_what_the_reports_find() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    make_calls(&server, &credentials);
    server.stop().expect("it stops by itself");
    let data = data.to_str().expect("a path");

    // Of the log as it is, the program and the library find the same.
    let exported = bulla(["audit", "export", "--data-dir", data]);
    assert!(exported.succeeded(), "{exported:?}");
    let events = lines(&exported.stdout);
    for (report, client) in [
        ("client", Some("client_123")),
        ("outside-hours", None),
        ("denied", None),
    ] {
        let mut arguments = vec!["audit", "report", report];
        arguments.extend(client);
        arguments.extend(["--output", "json", "--data-dir", data]);
        let printed = bulla(arguments);
        assert!(printed.succeeded(), "{printed:?}");
        let found: Vec<String> = lines(&printed.stdout)
            .iter()
            .map(|event| event["sequence"].to_string())
            .collect();
        assert_eq!(found, expected(report, &events), "{report}");
    }
    let principals = bulla(["audit", "report", "principals", "--output", "json", "--data-dir", data]);
    let counted = lines(&principals.stdout);
    assert_eq!(
        counted[0]["principal"],
        events.last().expect("an event")["userIdentity"]["arn"]
    );

    // Of the same events spread over a week, so that hours decide, SQL and jq find what the library does.
    let spread: Vec<Value> = events.iter().enumerate().map(|(at, event)| moved(event, at)).collect();
    let file = dir.path().join("events.jsonl");
    let text: Vec<String> = spread.iter().map(Value::to_string).collect();
    fs::write(&file, text.join("\n") + "\n").expect("written");
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit-queries.md")).expect("the page");
    for report in ["client", "outside-hours", "principals", "denied"] {
        let wanted = expected(report, &spread);
        assert!(wanted.len() > 1, "{report} finds nothing to compare");
        assert_eq!(
            run_sql(&file, &block(&page, "sql", &format!("-- report: {report}"))),
            wanted,
            "{report} in SQL"
        );
        let program = block(&page, "jq", &format!("# report: {report}"));
        assert_eq!(
            run_jq(&file, &program, report == "principals"),
            wanted,
            "{report} in jq"
        );
    }
}

/// What a report is by the library's own filters: sequence numbers, or principals with their counts.
fn expected(report: &str, events: &[Value]) -> Vec<String> {
    let filter = match report {
        "client" => EventFilter {
            client: Some("client_123".to_owned()),
            ..EventFilter::default()
        },
        "denied" => EventFilter {
            outcome: Some(Outcome::Failed),
            ..EventFilter::default()
        },
        "outside-hours" => EventFilter {
            outside: Some(BusinessHours::default()),
            accesses_only: true,
            ..EventFilter::default()
        },
        _ => EventFilter {
            accesses_only: true,
            ..EventFilter::default()
        },
    };
    let found = events.iter().filter(|event| filter.matches(event));
    if report != "principals" {
        return found.map(|event| event["sequence"].to_string()).collect();
    }
    let mut principals = Principals::default();
    found.for_each(|event| principals.count(event));
    let (rows, _) = principals.finish();
    rows.iter()
        .map(|row| format!("{} {} {}", row.principal, row.accesses, row.failed))
        .collect()
}

/// The event 7 hours later than the one before it, and of one of two principals.
fn moved(event: &Value, at: usize) -> Value {
    let mut event = event.clone();
    let began = timestamp::parse("2026-01-05T06:30:00.000000Z").expect("a time");
    let at_micros = i64::try_from(at).expect("few events") * 7 * HOUR_MICROS;
    event["eventTime"] = timestamp::format(began + at_micros).expect("a time").into();
    if at.is_multiple_of(3) {
        event["userIdentity"]["arn"] = "arn:aws:iam::111122223333:user/ann".into();
    }
    event
}

fn make_calls(server: &BullaProcess, credentials: &Credentials) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut signer = credentials.signer(server);
        let mut connection = Connection::open(socket_address(server)).await.expect("it accepts");
        let mut call = async |operation: &str, body: Value| {
            let mut request = Vec::new();
            signer.request_now(&mut request, operation, body.to_string().as_bytes());
            let answer = connection.exchange(&request).await.expect("an answer");
            serde_json::from_slice::<Value>(answer.body).unwrap_or_default()
        };
        let key = call("CreateKey", json!({})).await["KeyMetadata"]["KeyId"].clone();
        for client in ["client_123", "client_9", "client_123", "client_123"] {
            let context = json!({ "client_id": client });
            for _ in 0..4 {
                let body = json!({"KeyId": key, "Plaintext": "AAAA", "EncryptionContext": context});
                call("Encrypt", body).await;
            }
            let body = json!({"KeyId": key, "CiphertextBlob": "AAAA", "EncryptionContext": context});
            call("Decrypt", body).await;
        }
    });
}

fn lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// The block of the page that begins with `first`.
fn block(page: &str, language: &str, first: &str) -> String {
    let start = format!("```{language}\n{first}\n");
    let (_, rest) = page.split_once(&start).expect(first);
    rest.split_once("```").expect("an end").0.to_owned()
}

fn run_sql(events: &Path, query: &str) -> Vec<String> {
    const LOAD: &str = "import sqlite3, sys\n\
        db = sqlite3.connect(':memory:')\n\
        db.execute('CREATE TABLE events (event TEXT NOT NULL)')\n\
        db.executemany('INSERT INTO events VALUES (?)', ((line,) for line in open(sys.argv[1])))\n\
        for row in db.execute(sys.argv[2]): print(row[0])\n";
    let mut python = Command::new("python3");
    printed(python.args(["-c", LOAD]).arg(events).arg(query))
}

fn run_jq(events: &Path, program: &str, slurp: bool) -> Vec<String> {
    let mut jq = Command::new("jq");
    if slurp {
        jq.arg("--slurp");
    }
    printed(jq.arg("--raw-output").arg(program).arg(events))
}

fn printed(command: &mut Command) -> Vec<String> {
    let output = command.output().expect("scripts/test installs python3 and jq");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}
