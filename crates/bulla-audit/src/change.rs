use aws_lc_rs::digest;

use crate::{Hash, canonical};

/// What an event did to one row that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The row's table.
    pub table: String,
    /// The row's primary key.
    pub id: String,
    /// The metadata revision that the change made; the event's own `metadataRevision`.
    pub revision: u64,
    /// What happened to the row.
    pub operation: ChangeOperation,
}

/// Whether a row was written or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOperation {
    /// Written, new or over an older one.
    Put {
        /// [`row_digest`] of what was written.
        digest: Hash,
    },
    /// Deleted.
    Delete,
}

/// Digests a row that decides, as events and `audit verify` name it.
///
/// ```text
/// SHA-256( "bulla/row/1" ‖ u32 length ‖ table ‖ u32 length ‖ id ‖ u32 length ‖ owner ‖ revision u64 ‖ u64 length ‖ body )
/// ```
/// All integers are big-endian.
pub fn row_digest(table: &str, id: &str, owner: &str, revision: u64, body: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"bulla/row/1");
    for part in [table, id, owner] {
        // The store bounds ids and owners at 512 bytes; a longer one would only change the digest, never make two rows equal
        // within those bounds.
        context.update(&(part.len() as u32).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.update(&revision.to_be_bytes());
    context.update(&(body.len() as u64).to_be_bytes());
    context.update(body);
    Hash::from_digest(&context.finish())
}

impl Change {
    /// Writes the canonical object; the members are in their canonical order already.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), canonical::CanonicalError> {
        out.push(b'{');
        if let ChangeOperation::Put { digest } = self.operation {
            out.extend_from_slice(b"\"digest\":\"");
            digest.write_hex(out);
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(b"\"id\":");
        canonical::write_string(out, &self.id);
        out.extend_from_slice(match self.operation {
            ChangeOperation::Put { .. } => b",\"op\":\"put\",\"revision\":".as_slice(),
            ChangeOperation::Delete => b",\"op\":\"delete\",\"revision\":",
        });
        canonical::write_integer(out, self.revision)?;
        out.extend_from_slice(b",\"table\":");
        canonical::write_string(out, &self.table);
        out.push(b'}');
        Ok(())
    }

    /// Reads a change from an event; `None` for any other shape.
    pub(crate) fn from_value(value: &serde_json::Value) -> Option<Change> {
        let members = value.as_object()?;
        let text = |name: &str| members.get(name)?.as_str();
        let operation = match (text("op")?, members.get("digest")) {
            ("put", Some(digest)) => ChangeOperation::Put {
                digest: Hash::from_hex(digest.as_str()?)?,
            },
            ("delete", None) => ChangeOperation::Delete,
            _ => return None,
        };
        let known = if matches!(operation, ChangeOperation::Delete) {
            4
        } else {
            5
        };
        (members.len() == known).then_some(())?;
        Some(Change {
            table: text("table")?.to_owned(),
            id: text("id")?.to_owned(),
            revision: members.get("revision")?.as_u64()?,
            operation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_digest_changes_with_every_part_and_with_every_boundary() {
        let digests = [
            row_digest("t", "ab", "c", 1, b"d"),
            row_digest("t", "a", "bc", 1, b"d"),
            row_digest("ta", "b", "c", 1, b"d"),
            row_digest("t", "ab", "", 1, b"cd"),
            row_digest("t", "ab", "c", 2, b"d"),
            row_digest("t", "ab", "c", 1, b"e"),
            row_digest("u", "ab", "c", 1, b"d"),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest));
        }
    }

    #[test]
    fn a_change_is_written_canonically_and_read_back() {
        let put = Change {
            table: "kms_keys".into(),
            id: "0/\"x\"".into(),
            revision: 7,
            operation: ChangeOperation::Put { digest: Hash::ZERO },
        };
        let delete = Change {
            operation: ChangeOperation::Delete,
            ..put.clone()
        };
        for change in [put, delete] {
            let mut out = Vec::new();
            change.write(&mut out).unwrap();
            let value = canonical::parse(&out).unwrap();
            assert_eq!(Change::from_value(&value), Some(change));
        }
    }
}
