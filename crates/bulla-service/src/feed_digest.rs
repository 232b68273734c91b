//! What binds the change feed to the log: a digest over every change, which each signed checkpoint carries (`spec/store.md`, section 5).

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_audit::LogState;
use bulla_crypto::constant_time_eq;
use bulla_crypto::mac::Domain;
use bulla_store::{Change, ChangeKind};

use crate::keyring::StoreKey;

pub(crate) struct FeedDomain;
impl Domain for FeedDomain {
    const DOMAIN: &'static str = "bulla/store/feed/1";
}

pub(crate) struct FeedLineDomain;
impl Domain for FeedLineDomain {
    const DOMAIN: &'static str = "bulla/store/feed-line/1";
}

/// A digest over all changes up to one of them; zeros before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FeedDigest([u8; 32]);

/// A line that is not the service's over this very state of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForgedLine;

const KEY_ID: &[u8; 4] = b"feed";

impl FeedDigest {
    /// The digest after more changes, in their order.
    pub(crate) fn after(self, store_key: &StoreKey, changes: &[Change]) -> Self {
        changes.iter().fold(self, |before, change| {
            Self(store_key.feed.tag(&[
                &before.0,
                &change.revision.to_be_bytes(),
                &change.ordinal.to_be_bytes(),
                &change.count.to_be_bytes(),
                change.table.name().as_bytes(),
                change.id.as_bytes(),
                kind_name(change.kind),
                &change.mac,
            ]))
        })
    }

    /// Adds the line of this digest to a signed checkpoint of `log`. Verifiers of signed notes pass over it: no key of theirs has its name.
    pub(crate) fn add_line(self, store_key: &StoreKey, note: &mut String, origin: &str, log: &LogState) {
        let mut line = Vec::with_capacity(68);
        line.extend_from_slice(KEY_ID);
        line.extend_from_slice(&self.0);
        line.extend_from_slice(&self.tag(store_key, log));
        note.push_str(&prefix(origin));
        STANDARD.encode_string(line, note);
        note.push('\n');
    }

    /// Reads the digest from the line of a checkpoint of `log`; none where it has no such line, as programs before this format wrote it.
    pub(crate) fn of_checkpoint(
        store_key: &StoreKey,
        note: &str,
        origin: &str,
        log: &LogState,
    ) -> Result<Option<Self>, ForgedLine> {
        let Some(encoded) = line(note, origin) else {
            return Ok(None);
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| ForgedLine)?;
        let rest = bytes.strip_prefix(KEY_ID).ok_or(ForgedLine)?;
        let (digest, tag) = rest.split_first_chunk::<32>().ok_or(ForgedLine)?;
        let digest = Self(*digest);
        let genuine = constant_time_eq(&digest.tag(store_key, log), tag);
        genuine.then_some(Some(digest)).ok_or(ForgedLine)
    }

    /// Bound to the newest event: the line of another course of events is none of this one's.
    fn tag(self, store_key: &StoreKey, log: &LogState) -> [u8; 32] {
        store_key.feed_line.tag(&[
            &self.0,
            &log.size().to_be_bytes(),
            &log.metadata_revision().to_be_bytes(),
            log.last().as_bytes(),
        ])
    }
}

/// Whether a checkpoint has a line of the feed at all; nothing vouches for it yet.
pub(crate) fn has_line(note: &str, origin: &str) -> bool {
    line(note, origin).is_some()
}

pub(crate) fn kind_name(kind: ChangeKind) -> &'static [u8] {
    match kind {
        ChangeKind::Put => b"put",
        ChangeKind::Delete => b"delete",
    }
}

fn prefix(origin: &str) -> String {
    format!("\u{2014} {origin}/change-feed ")
}

fn line<'a>(note: &'a str, origin: &str) -> Option<&'a str> {
    let (_, signatures) = note.rsplit_once("\n\n")?;
    let prefix = prefix(origin);
    signatures.lines().find_map(|line| line.strip_prefix(&prefix))
}
