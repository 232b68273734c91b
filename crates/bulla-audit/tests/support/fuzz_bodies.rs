//! What the fuzz targets check, shared by `fuzz/` (libFuzzer) and `tests/fuzz_targets.rs` (replay on stable).

use bulla_audit::{Checkpoint, KeyChain, LogHead, LogVerifier, ProofBundle, VerifierKey, canonical};

/// The first key of `spec/vectors/audit-log.json`.
const TRUSTED: &str = "bulla.example/audit+a2522ec1+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

fn trusted() -> VerifierKey {
    VerifierKey::parse(TRUSTED).expect("the key of the vectors")
}

/// Event bytes: what parses is the one way to write it.
pub fn audit_event(data: &[u8]) {
    if let Ok(value) = canonical::parse(data) {
        assert_eq!(canonical::to_vec(&value).expect("what was read is written"), data);
    }
}

/// Verifier keys and signed notes: one spelling of a key; a note that is believed was signed by the trusted key.
pub fn audit_note(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse_and_verify(text, &[trusted()]) {
        assert_eq!(checkpoint.signers(), [trusted()]);
        assert!(text.starts_with(&checkpoint.origin));
    }
    let mut keys = KeyChain::new(trusted());
    if keys.extend(text).is_ok() {
        assert_eq!(keys.keys().count(), 2);
    }
}

/// Proof bundles: what reads is written and read again the same, and what verifies rests on the trusted key.
pub fn audit_bundle(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(bundle) = ProofBundle::from_json(text) {
        let written = bundle.to_json().expect("what was read is written");
        let again = ProofBundle::from_json(&written).expect("what is written is read");
        assert_eq!(again.to_json().expect("and written"), written);
        let verified = bundle.verify(&trusted()).is_ok();
        assert_eq!(again.verify(&trusted()).is_ok(), verified);
        assert!(!verified || text.contains(TRUSTED));
    }
}

/// A whole log, one row a line: a head's checkpoint, then events. Anything may be found; only a signed log is consistent.
pub fn audit_log(data: &[u8]) {
    let mut rows = data.split(|byte| *byte == 0);
    let checkpoint = String::from_utf8_lossy(rows.next().unwrap_or_default()).into_owned();
    let state = rows.next().unwrap_or_default().to_vec();
    let events: Vec<&[u8]> = rows.collect();
    let head = LogHead {
        size: events.len() as u64,
        metadata_revision: 0,
        state,
        checkpoint: checkpoint.clone(),
    };
    let mut verifier = LogVerifier::new(KeyChain::new(trusted()), head);
    for (sequence, event) in events.iter().enumerate() {
        verifier.push_event(sequence as u64, event);
    }
    verifier.push_checkpoint(events.len() as u64, &checkpoint);
    let report = verifier.finish();
    let signed = Checkpoint::parse_and_verify(&checkpoint, &[trusted()]).is_ok();
    assert!(signed || !report.is_consistent());
}
