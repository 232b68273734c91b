//! What two verifiers that were written from the specification alone could read differently, decided by vectors.

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_audit::{
    Checkpoint, FindingKind, KeyChain, LogHead, LogState, LogVerifier, ProofBundle, VerifierKey, canonical,
};
use serde_json::{Value, json};

use crate::fixture::{Log, ORIGIN, signing, verifier_key};

/// Bundles as texts: what a parser of JSON may be lenient about.
pub(crate) fn documents(bundle: &ProofBundle) -> Vec<Value> {
    let text = bundle.to_json().unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let compact = value.to_string();
    let sequence = format!("\"sequence\":{}", bundle.sequence);
    let with = |from: &str, to: &str| {
        assert!(compact.contains(from), "{from} in {compact}");
        compact.replacen(from, to, 1)
    };
    let twice = format!("{sequence},{sequence}");
    let escaped = format!("{sequence},\"\\u0073equence\":{}", bundle.sequence);
    let plain = "\"format\":\"bulla-audit-proof/1\"";
    let cases = [
        (true, "without white space", compact.clone()),
        (true, "white space around it", format!(" \t\r\n{text}\n ")),
        (
            true,
            "names and values with escapes",
            with(plain, "\"\\u0066ormat\":\"bulla-audit-proof\\/1\""),
        ),
        (false, "a member twice, with equal values", with(&sequence, &twice)),
        (
            false,
            "a member twice, once with an escape in its name",
            with(&sequence, &escaped),
        ),
        (
            false,
            "an unknown member",
            with(plain, &format!("{plain},\"more\":null")),
        ),
        (
            false,
            "an integer with a fraction",
            with(&sequence, &format!("{sequence}.0")),
        ),
        (
            false,
            "an integer with an exponent",
            with(&sequence, &format!("{sequence}e0")),
        ),
        (
            false,
            "an integer as a string",
            with(&sequence, &format!("\"sequence\":\"{}\"", bundle.sequence)),
        ),
        (false, "a byte order mark", format!("\u{feff}{text}")),
        (false, "something after it", format!("{text}{{}}")),
        (
            false,
            "a member that is null",
            with("\"keyStatements\":[", "\"keyStatements\":null,\"x\":["),
        ),
    ];
    list(
        "text",
        cases.map(|(accepted, reason, text)| (accepted, reason, json!(text))),
    )
}

/// Checkpoints at the last size, with lines that some keys did not write.
pub(crate) fn notes(log: &Log) -> Vec<Value> {
    let checkpoint = log.state.checkpoint(ORIGIN, 1_714_564_800_000_000);
    let signed = |seed: u8| checkpoint.sign(&signing(seed)).unwrap();
    let line = |note: &str| note.rsplit_once("\n\n").unwrap().1.to_owned();
    let (good, old, unknown) = (signed(2), signed(1), signed(9));
    let wrong = {
        let mut other = log.state.checkpoint(ORIGIN, 1_714_564_800_000_001);
        other.origin = ORIGIN.to_owned();
        move |seed: u8| line(&other.sign(&signing(seed)).unwrap())
    };
    let raw = |bytes: &[u8]| format!("\u{2014} {ORIGIN} {}\n", STANDARD.encode(bytes));
    let id = verifier_key(9).id();
    let known = verifier_key(2).id();
    let huge = checkpoint_text(&good, 1, "9007199254740992");
    let cases = [
        (true, "a line of an unknown key", format!("{good}{}", line(&unknown))),
        (
            true,
            "a wrong signature by an unknown key",
            format!("{good}{}", wrong(9)),
        ),
        (
            true,
            "two lines of one unknown key",
            format!("{good}{0}{0}", line(&unknown)),
        ),
        (
            true,
            "an unknown key's signature of one byte",
            format!("{good}{}", raw(&[&id[..], &[7]].concat())),
        ),
        (
            true,
            "a signature by the key before, too",
            format!("{good}{}", line(&old)),
        ),
        (
            false,
            "a wrong signature by the key before",
            format!("{good}{}", wrong(1)),
        ),
        (false, "two lines of the key in force", format!("{good}{}", line(&good))),
        (false, "a line with a key id alone", format!("{good}{}", raw(&id))),
        (
            false,
            "a signature of the key in force that is too short",
            raw(&[&known[..], &[7; 63]].concat()),
        )
            .with_text(&good),
        (false, "the key before alone", old.clone()),
        (false, "an unknown key alone", unknown.clone()),
        (false, "a size above 2^53 - 1", huge),
    ];
    list(
        "note",
        cases.map(|(accepted, reason, note)| (accepted, reason, json!(note))),
    )
}

trait WithText {
    fn with_text(self, note: &str) -> Self;
}

impl WithText for (bool, &'static str, String) {
    /// Puts the text of a note before what are its signature lines alone.
    fn with_text(self, note: &str) -> Self {
        let text = note.rsplit_once("\n\n").unwrap().0;
        (self.0, self.1, format!("{text}\n\n{}", self.2))
    }
}

/// A note whose text has another line, signed by the second key over exactly that.
fn checkpoint_text(note: &str, line: usize, value: &str) -> String {
    let text = note.rsplit_once("\n\n").unwrap().0;
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines[line] = value;
    let text = format!("{}\n", lines.join("\n"));
    let signature = signing(2).sign(text.as_bytes()).unwrap();
    let signed = [&verifier_key(2).id()[..], &signature].concat();
    format!("{text}\n\u{2014} {ORIGIN} {}\n", STANDARD.encode(signed))
}

/// The only event of a log, in forms that a reader takes or refuses.
pub(crate) fn event_forms() -> Vec<Value> {
    let log = Log::build(&[1], 1, "v");
    let base: Value = serde_json::from_slice(&log.events[0].1).unwrap();
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut value = base.clone();
        edit(&mut value);
        canonical::to_vec(&value).unwrap()
    };
    let text = String::from_utf8(log.events[0].1.clone()).unwrap();
    let replaced = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        text.replacen(from, to, 1).into_bytes()
    };
    let nested = |depth: usize| {
        let mut value = json!(1);
        for _ in 0..depth {
            value = json!([value]);
        }
        value
    };
    let without = |name: &'static str| edited(&|event| drop(event.as_object_mut().unwrap().remove(name)));
    let mut cases = vec![
        (true, "as it is written", log.events[0].1.clone()),
        (
            true,
            "members that nobody knows",
            edited(&|event| event["zzz"] = json!({"a": [null]})),
        ),
        (
            true,
            "an identity with a member that nobody knows",
            edited(&|event| event["userIdentity"]["zzz"] = json!(1)),
        ),
        (
            true,
            "another version, source and type",
            edited(&|event| {
                event["eventVersion"] = json!("9");
                event["eventSource"] = json!("bulla");
                event["eventType"] = json!("Other");
            }),
        ),
        (
            true,
            "no parameters",
            edited(&|event| event["requestParameters"] = Value::Null),
        ),
        (true, "a value 32 deep", edited(&|event| event["zzz"] = nested(31))),
        (
            false,
            "a value 33 deep",
            replaced("\"userAgent\"", &format!("\"uaaa\":{},\"userAgent\"", nested(32))),
        ),
        (
            false,
            "a name twice, with equal values",
            replaced("\"readOnly\":true", "\"readOnly\":true,\"readOnly\":true"),
        ),
        (
            false,
            "a name twice in an object within",
            replaced("\"type\":\"IAMUser\"", "\"type\":\"IAMUser\",\"type\":\"IAMUser\""),
        ),
        (false, "white space", replaced(",\"readOnly\":", ", \"readOnly\":")),
        (
            false,
            "an escape that is not needed",
            replaced("Decrypt", "\\u0044ecrypt"),
        ),
        (false, "an escape of a lone surrogate", replaced("aws-cli/2", "\\ud800")),
        (
            false,
            "an integer with a fraction",
            replaced("\"sequence\":0", "\"sequence\":0.0"),
        ),
        (false, "a negative zero", replaced("\"sequence\":0", "\"sequence\":-0")),
        (
            false,
            "members in another order",
            replaced(
                "\"eventType\":\"AwsApiCall\",\"eventVersion\":\"1.11\"",
                "\"eventVersion\":\"1.11\",\"eventType\":\"AwsApiCall\"",
            ),
        ),
        (
            false,
            "a byte order mark",
            replaced("{\"awsRegion\"", "\u{feff}{\"awsRegion\""),
        ),
        (false, "an array around it", format!("[{text}]").into_bytes()),
        (
            false,
            "a key version that is null",
            edited(&|event| event["keyVersion"] = Value::Null),
        ),
        (
            false,
            "an error code that is a number",
            edited(&|event| event["errorCode"] = json!(1)),
        ),
        (
            false,
            "a cache hit that is a string",
            edited(&|event| event["cacheHit"] = json!("true")),
        ),
        (
            false,
            "an intent that is false",
            edited(&|event| event["intent"] = json!(false)),
        ),
        (
            false,
            "an empty list of resources",
            edited(&|event| event["resources"] = json!([])),
        ),
        (
            false,
            "a resource with a member too many",
            edited(&|event| event["resources"][0]["x"] = json!("y")),
        ),
        (
            false,
            "a change with a member too many",
            edited(&|event| event["changes"][0]["x"] = json!("y")),
        ),
        (
            false,
            "an empty list of changes",
            edited(&|event| event["changes"] = json!([])),
        ),
        (
            false,
            "a user name that is a number",
            edited(&|event| event["userIdentity"]["userName"] = json!(7)),
        ),
        (
            false,
            "a time with a leap second",
            edited(&|event| event["eventTime"] = json!("2016-12-31T23:59:60.000000Z")),
        ),
        (
            false,
            "a time of another length",
            edited(&|event| event["eventTime"] = json!("2024-05-01T12:00:00Z")),
        ),
        (
            false,
            "parameters that are a list",
            edited(&|event| event["requestParameters"] = json!([])),
        ),
    ];
    for (reason, name) in [
        ("no address", "sourceIPAddress"),
        ("no agent", "userAgent"),
        ("no recipient", "recipientAccountId"),
        ("no answer", "responseElements"),
        ("no identity", "userIdentity"),
        ("no time", "eventTime"),
        ("no revision", "metadataRevision"),
    ] {
        cases.push((false, reason, without(name)));
    }
    let encoded =
        |(accepted, reason, bytes): (bool, &'static str, Vec<u8>)| (accepted, reason, json!(STANDARD.encode(bytes)));
    list("bytes", cases.into_iter().map(encoded))
}

fn list(name: &str, cases: impl IntoIterator<Item = (bool, &'static str, Value)>) -> Vec<Value> {
    cases
        .into_iter()
        .map(|(accepted, reason, value)| json!({"reason": reason, "accepted": accepted, name: value}))
        .collect()
}

fn frozen() -> Value {
    serde_json::from_str(include_str!("../../../../spec/vectors/audit-log.json")).unwrap()
}

fn cases<'a>(frozen: &'a Value, list: &str, name: &str) -> Vec<(bool, &'a str, &'a str)> {
    let read = |case: &'a Value| {
        let text = |name: &str| case[name].as_str().unwrap();
        (case["accepted"].as_bool().unwrap(), text("reason"), text(name))
    };
    frozen[list].as_array().unwrap().iter().map(read).collect()
}

fn keys(frozen: &Value) -> KeyChain {
    let trusted = frozen["keys"][0]["verifierKey"].as_str().unwrap();
    let mut keys = KeyChain::new(VerifierKey::parse(trusted).unwrap());
    for statement in frozen["keyStatements"].as_array().unwrap() {
        keys.extend(statement.as_str().unwrap()).unwrap();
    }
    keys
}

#[test]
fn a_bundle_is_taken_or_refused_as_the_specification_decides() {
    let frozen = frozen();
    let trusted = keys(&frozen).trusted().clone();
    for (accepted, reason, text) in cases(&frozen, "documents", "text") {
        let verified = ProofBundle::from_json(text).and_then(|bundle| bundle.verify(&trusted));
        assert_eq!(verified.is_ok(), accepted, "{reason}");
    }
}

#[test]
fn a_note_is_taken_or_refused_as_the_specification_decides() {
    let frozen = frozen();
    let keys = keys(&frozen);
    for (accepted, reason, note) in cases(&frozen, "notes", "note") {
        assert_eq!(keys.verify_checkpoint(note).is_ok(), accepted, "{reason}");
    }
}

#[test]
fn an_event_is_taken_or_refused_as_the_specification_decides() {
    let frozen = frozen();
    for (accepted, reason, bytes) in cases(&frozen, "eventForms", "bytes") {
        let bytes = STANDARD.decode(bytes).unwrap();
        let findings = only_event(&bytes);
        let refused = findings
            .iter()
            .any(|kind| matches!(kind, FindingKind::NotCanonical | FindingKind::Malformed));
        assert_eq!(refused, !accepted, "{reason}: {findings:?}");
    }
}

#[test]
fn a_statement_knows_the_old_key_and_the_new_one_and_no_other() {
    let frozen = frozen();
    let statement = frozen["keyStatements"][0].as_str().unwrap();
    let trusted = frozen["keys"][0]["verifierKey"].as_str().unwrap();
    let mut keys = KeyChain::new(VerifierKey::parse(trusted).unwrap());
    let unknown = format!(
        "\u{2014} {ORIGIN} {}\n",
        STANDARD.encode([&verifier_key(7).id()[..], &[0; 64]].concat())
    );
    assert!(keys.extend(&format!("{statement}{unknown}")).is_ok());
    let again = format!("{statement}{}", statement.rsplit_once("\n\n").unwrap().1);
    assert!(KeyChain::new(verifier_key(1)).extend(&again).is_err());
}

/// What is found in a log of this one event, whose head is signed over exactly it.
fn only_event(bytes: &[u8]) -> Vec<FindingKind> {
    let mut state = LogState::new();
    if bytes.windows(10).any(|part| part == b"\"changes\":") {
        state.next_metadata_revision();
    }
    state.append(bytes);
    let checkpoint: Checkpoint = state.checkpoint(ORIGIN, 0);
    let note = checkpoint.sign(&signing(1)).unwrap();
    let head = LogHead {
        size: 1,
        metadata_revision: state.metadata_revision(),
        state: state.to_bytes(),
        checkpoint: note.clone(),
    };
    let mut verifier = LogVerifier::new(KeyChain::new(verifier_key(1)), head);
    verifier.push_event(0, bytes);
    verifier.push_checkpoint(1, &note);
    let report = verifier.finish();
    report.findings.iter().map(|finding| finding.kind).collect()
}
