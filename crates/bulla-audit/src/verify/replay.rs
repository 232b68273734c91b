use std::collections::HashMap;

use super::{ExpectedRows, FindingKind, OpenIntent, finding::Findings, parse::Row};

/// What the events say when they are replayed in order: rows, revisions, intents.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) expected: ExpectedRows,
    /// Whether no event was left out.
    pub(super) complete: bool,
    /// The newest metadata revision, unless an event was left out since.
    pub(super) revision: Option<u64>,
    /// Announced and not reported: by `eventID`, sequence and `eventName`.
    intents: HashMap<String, (u64, String)>,
}

impl Replay {
    pub(super) fn new() -> Self {
        Self {
            expected: ExpectedRows::default(),
            complete: true,
            revision: Some(0),
            intents: HashMap::new(),
        }
    }

    /// Leaves an event out whose content can't be believed.
    pub(super) fn skip(&mut self) {
        self.complete = false;
        self.revision = None;
    }

    pub(super) fn apply(&mut self, sequence: u64, row: Row, findings: &mut Findings) {
        if row.defect.is_some() {
            return self.skip();
        }
        let content = row.content;
        let revision = content.metadata_revision;
        let follows = match self.revision {
            Some(before) if content.changes.is_empty() => revision == before,
            Some(before) => revision == before + 1,
            None => true,
        };
        if !follows || content.changes.iter().any(|change| change.revision != revision) {
            findings.one(FindingKind::MetadataRevision, sequence);
        }
        self.revision = Some(revision);
        for change in content.changes {
            self.expected.apply(sequence, change);
        }
        if content.announces {
            if self
                .intents
                .insert(content.event_id, (sequence, content.event_name))
                .is_some()
            {
                findings.one(FindingKind::IntentTwice, sequence);
            }
        } else if let Some(announced) = content.outcome_of
            && self.intents.remove(&announced).is_none()
            && self.complete
        {
            findings.one(FindingKind::OutcomeWithoutIntent, sequence);
        }
    }

    pub(super) fn open_intents(&mut self) -> Vec<OpenIntent> {
        let mut open: Vec<OpenIntent> = self
            .intents
            .drain()
            .map(|(event_id, (sequence, event_name))| OpenIntent {
                sequence,
                event_id,
                event_name,
            })
            .collect();
        open.sort_by_key(|intent| intent.sequence);
        open
    }
}
