//! A small log as a store keeps it, and the ways to verify it.

use bulla_audit::{
    Change, ChangeOperation, CommitPoint, EventDraft, EventType, Finding, FindingKind, Intent, KeyChain, LogHead,
    LogState, LogVerifier, Report, Resource, UserIdentity, VerifierKey, row_digest,
};
use bulla_crypto::{DataKey, signature::SigningKey};
use serde_json::{Map, json};

pub(crate) const ORIGIN: &str = "bulla.example/audit";
/// 2024-05-01T12:00:00Z in microseconds.
const START: i64 = 1_714_564_800_000_000;

/// Group commits of different sizes, singles among them.
pub(crate) const MIXED: &[usize] = &[1, 3, 1, 1, 4, 2, 5, 1];
pub(crate) const SINGLES: &[usize] = &[1; 18];
pub(crate) const ONE_GROUP: &[usize] = &[18];
pub(crate) const LAYOUTS: [&[usize]; 3] = [MIXED, SINGLES, ONE_GROUP];

#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// Row number and bytes, as stored.
    pub(crate) events: Vec<(u64, Vec<u8>)>,
    pub(crate) checkpoints: Vec<(u64, String)>,
    pub(crate) head: LogHead,
    pub(crate) state: LogState,
    pub(crate) variant: String,
}

pub(crate) fn signing(seed: u8) -> SigningKey {
    SigningKey::from_seed(&DataKey::from_bytes(&mut [seed; 32])).unwrap()
}

pub(crate) fn verifier_key(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, signing(seed).public_key()).unwrap()
}

pub(crate) fn draft(sequence: u64, variant: &str) -> EventDraft<'static> {
    let mut parameters = Map::new();
    parameters.insert("keyId".into(), json!("alias/app"));
    parameters.insert(
        "encryptionContext".into(),
        json!({"tenant": "t1", "app": format!("a{sequence}")}),
    );
    EventDraft {
        event_time: START + sequence as i64 * 1_000_001,
        event_name: "Decrypt".into(),
        event_source: "kms.amazonaws.com".into(),
        event_type: EventType::ApiCall,
        aws_region: "eu-north-1".into(),
        user_identity: UserIdentity {
            kind: "IAMUser".into(),
            principal_id: Some("AIDAEXAMPLE".into()),
            arn: Some("arn:aws:iam::111122223333:user/alice".into()),
            account_id: Some("111122223333".into()),
            access_key_id: Some("AKIAEXAMPLE".into()),
            user_name: Some("alice".into()),
            ..UserIdentity::default()
        },
        source_ip_address: "192.0.2.7".into(),
        user_agent: "aws-cli/2".into(),
        request_parameters: parameters,
        response_elements: Map::new(),
        resources: vec![Resource {
            arn: "arn:aws:kms:eu-north-1:111122223333:key/1234abcd".into(),
            account_id: "111122223333".into(),
            kind: "AWS::KMS::Key".into(),
        }],
        error_code: None,
        error_message: None,
        request_id: format!("request-{variant}-{sequence}").into(),
        event_id: format!("event-{variant}-{sequence}").into(),
        read_only: true,
        recipient_account_id: "111122223333".into(),
        key_version: Some("1".into()),
        cache_hit: Some(sequence.is_multiple_of(2)),
        purpose: None,
        additional_event_data: Default::default(),
        intent: Intent::None,
    }
}

/// Every third event changes rows: it writes one and, from event 6 on, deletes the one of six events before.
pub(crate) fn changes(sequence: u64, revision: u64) -> Vec<Change> {
    if !sequence.is_multiple_of(3) {
        return Vec::new();
    }
    let change = |id: u64, operation| Change {
        table: "aliases".into(),
        id: format!("a{id}"),
        revision,
        operation,
    };
    let digest = row_digest("aliases", &format!("a{sequence}"), "owner", revision, b"{}");
    let mut changes = vec![change(sequence, ChangeOperation::Put { digest })];
    if sequence >= 6 {
        changes.push(change(sequence - 6, ChangeOperation::Delete));
    }
    changes
}

impl Log {
    /// Builds a log of these group commits, signed with the key of this seed; logs of other variants have other events.
    pub(crate) fn build(groups: &[usize], seed: u8, variant: &str) -> Log {
        let state = LogState::new();
        let head = head(&state, seed);
        let mut log = Log {
            events: Vec::new(),
            checkpoints: Vec::new(),
            head,
            state,
            variant: variant.into(),
        };
        for &group in groups {
            log.commit(group, seed);
        }
        log
    }

    /// One group commit.
    pub(crate) fn commit(&mut self, events: usize, seed: u8) {
        for _ in 0..events {
            let sequence = self.state.size();
            self.append(&draft(sequence, &self.variant.clone()));
        }
        self.sign(seed);
    }

    pub(crate) fn append(&mut self, draft: &EventDraft) {
        let sequence = self.state.size();
        let mut changes = changes(sequence, self.state.metadata_revision() + 1);
        if !changes.is_empty() {
            let revision = self.state.next_metadata_revision();
            changes.iter_mut().for_each(|change| change.revision = revision);
        }
        let commit = CommitPoint {
            sequence,
            previous: self.state.last(),
            metadata_revision: self.state.metadata_revision(),
            changes: &changes,
        };
        let bytes = draft.prepare().unwrap().finish(&commit).unwrap();
        self.state.append(&bytes);
        self.events.push((sequence, bytes));
    }

    pub(crate) fn sign(&mut self, seed: u8) {
        self.head = head(&self.state, seed);
        self.checkpoints.push((self.head.size, self.head.checkpoint.clone()));
    }

    pub(crate) fn size(&self) -> u64 {
        self.state.size()
    }

    /// Verifies under the key of seed 1, against nothing.
    pub(crate) fn verify(&self) -> Report {
        self.verify_against(&[])
    }

    /// Verifies under the key of seed 1, against checkpoints that were kept elsewhere.
    pub(crate) fn verify_against(&self, kept: &[&str]) -> Report {
        self.verify_with(KeyChain::new(verifier_key(1)), kept)
    }

    pub(crate) fn verify_with(&self, keys: KeyChain, kept: &[&str]) -> Report {
        let mut verifier = LogVerifier::new(keys, self.head.clone());
        for note in kept {
            verifier.compare_with(note).unwrap();
        }
        let mut checkpoints = self.checkpoints.iter().peekable();
        for (column, bytes) in &self.events {
            while let Some((size, note)) = checkpoints.next_if(|(size, _)| size <= column) {
                verifier.push_checkpoint(*size, note);
            }
            verifier.push_event(*column, bytes);
        }
        for (size, note) in checkpoints {
            verifier.push_checkpoint(*size, note);
        }
        verifier.finish()
    }

    /// Rewrites one event's bytes as JSON.
    pub(crate) fn edit(&mut self, row: usize, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut value: serde_json::Value = serde_json::from_slice(&self.events[row].1).unwrap();
        edit(&mut value);
        let bytes = bulla_audit::canonical::to_vec(&value).unwrap();
        assert_ne!(bytes, self.events[row].1, "an edit edits");
        self.events[row].1 = bytes;
    }

    /// Makes every row from `from` on continue the chain of the rows as they stand, with sequences counted from there.
    pub(crate) fn rechain(&mut self, from: usize) {
        for row in from..self.events.len() {
            let previous = match row {
                0 => bulla_audit::Hash::ZERO,
                row => bulla_audit::leaf_hash(&self.events[row - 1].1),
            };
            let mut value: serde_json::Value = serde_json::from_slice(&self.events[row].1).unwrap();
            value["previousHash"] = json!(previous.to_string());
            value["sequence"] = json!(row);
            self.events[row] = (row as u64, bulla_audit::canonical::to_vec(&value).unwrap());
        }
    }
}

fn head(state: &LogState, seed: u8) -> LogHead {
    LogHead {
        size: state.size(),
        metadata_revision: state.metadata_revision(),
        state: state.to_bytes(),
        checkpoint: state
            .checkpoint(ORIGIN, START + state.size() as i64)
            .sign(&signing(seed))
            .unwrap(),
    }
}

pub(crate) fn found(report: &Report) -> Vec<(FindingKind, u64, u64)> {
    report
        .findings
        .iter()
        .map(|Finding { kind, first, last }| (*kind, *first, *last))
        .collect()
}
