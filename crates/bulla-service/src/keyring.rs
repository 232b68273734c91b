//! The store key and what is derived from it (`spec/store.md`, section 2).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::mac::{Domain, MacKey};
use bulla_crypto::{Context, DataKey, Random, SecretBytes, kdf};
use bulla_store::{Change, ChangeKind, Row, Table};

use crate::feed_digest::{FeedDomain, FeedLineDomain, kind_name};

struct RowDomain;
impl Domain for RowDomain {
    const DOMAIN: &'static str = "bulla/store/row/1";
}

struct ChangeDomain;
impl Domain for ChangeDomain {
    const DOMAIN: &'static str = "bulla/store/change/2";
}

/// Of changes written before the head vouched for the feed; they say nothing of what their row holds.
struct UnboundChangeDomain;
impl Domain for UnboundChangeDomain {
    const DOMAIN: &'static str = "bulla/store/change/1";
}

/// Where a wrapped secret lives; it unwraps nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) purpose: &'static str,
    pub(crate) table: Table,
    pub(crate) id: &'a str,
    pub(crate) owner: &'a str,
}

/// One version of the store key: authenticates rows and changes, wraps the secrets in them.
pub(crate) struct StoreKey {
    secret: DataKey,
    rows: MacKey<RowDomain>,
    changes: MacKey<ChangeDomain>,
    unbound_changes: MacKey<UnboundChangeDomain>,
    pub(crate) feed: MacKey<FeedDomain>,
    pub(crate) feed_line: MacKey<FeedLineDomain>,
    wrapping: Material,
}

/// A value that could not be wrapped, or did not unwrap in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a wrapped value does not belong to its place")]
pub(crate) struct WrapError;

impl StoreKey {
    pub(crate) fn new(secret: DataKey, origin: &str, version: u32) -> Result<Self, WrapError> {
        let name = format!("store-key/{version}/{origin}");
        let wrapping =
            Material::new(&kdf::derive_key(&secret, "bulla/store/wrap/1", b""), &name).map_err(|_| WrapError)?;
        Ok(Self {
            rows: MacKey::derive(&secret),
            changes: MacKey::derive(&secret),
            unbound_changes: MacKey::derive(&secret),
            feed: MacKey::derive(&secret),
            feed_line: MacKey::derive(&secret),
            wrapping,
            secret,
        })
    }

    /// The key itself, for wrapping it under another root.
    pub(crate) fn secret(&self) -> &DataKey {
        &self.secret
    }

    /// The context that binds a wrapped store key to its purpose, store and version.
    pub(crate) fn root_context(origin: &str, version: u32) -> Result<Context, WrapError> {
        let version = version.to_string();
        let pairs = [
            ("bulla:purpose", "store-key"),
            ("bulla:store", origin),
            ("bulla:version", &version),
        ];
        Context::from_pairs(pairs).map_err(|_| WrapError)
    }

    /// Makes a row with its MAC.
    pub(crate) fn seal_row(&self, table: Table, id: &str, owner: &str, revision: u64, body: Vec<u8>) -> Row {
        let mac = self
            .rows
            .tag(&row_parts(table, id, owner, &revision.to_be_bytes(), &body));
        Row {
            id: id.to_owned(),
            owner: owner.to_owned(),
            revision,
            body,
            mac,
        }
    }

    pub(crate) fn row_is_genuine(&self, table: Table, row: &Row) -> bool {
        let revision = row.revision.to_be_bytes();
        self.rows
            .verify(&row_parts(table, &row.id, &row.owner, &revision, &row.body), &row.mac)
    }

    /// Makes an entry of the change feed: `row` is what was written under `id`, none where it was deleted.
    pub(crate) fn seal_change(
        &self,
        revision: u64,
        ordinal: u32,
        count: u32,
        table: Table,
        id: &str,
        row: Option<&Row>,
    ) -> Change {
        let mut change = Change {
            revision,
            ordinal,
            count,
            table,
            id: id.to_owned(),
            kind: row.map_or(ChangeKind::Delete, |_| ChangeKind::Put),
            mac: [0; 32],
        };
        change.mac = self.tag_change(&change, row);
        change
    }

    /// Whether this change wrote exactly `row`, or deleted it where there is none.
    ///
    /// A change in the older form says nothing of what the row holds.
    pub(crate) fn change_is_genuine(&self, change: &Change, row: Option<&Row>) -> bool {
        bulla_crypto::constant_time_eq(&self.tag_change(change, row), &change.mac)
            || self.unbound_change_is_genuine(change)
    }

    /// Whether a change is genuine in the older form, which is verified without its row.
    pub(crate) fn unbound_change_is_genuine(&self, change: &Change) -> bool {
        let numbers = Numbers::of(change);
        self.unbound_changes.verify(&numbers.parts(change), &change.mac)
    }

    fn tag_change(&self, change: &Change, row: Option<&Row>) -> [u8; 32] {
        let numbers = Numbers::of(change);
        let [a, b, c, d, e, f] = numbers.parts(change);
        let row = row.map_or(&[][..], |row| &row.mac);
        self.changes.tag(&[a, b, c, d, e, f, row])
    }

    /// Wraps a secret for its place in a row; base64.
    pub(crate) fn wrap(&self, place: Place<'_>, random: &dyn Random, secret: &[u8]) -> Result<String, WrapError> {
        Ok(STANDARD.encode(self.seal(place, random, secret)?))
    }

    /// Unwraps a secret in its place.
    pub(crate) fn unwrap(&self, place: Place<'_>, wrapped: &str) -> Result<SecretBytes, WrapError> {
        let bytes = STANDARD.decode(wrapped).map_err(|_| WrapError)?;
        self.open(place, &bytes)
    }

    /// Wraps a secret for a place; a ciphertext blob.
    pub(crate) fn seal(&self, place: Place<'_>, random: &dyn Random, secret: &[u8]) -> Result<Vec<u8>, WrapError> {
        let context = place.context()?;
        self.wrapping.encrypt(&context, random, secret).map_err(|_| WrapError)
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<SecretBytes, WrapError> {
        let blob = Blob::parse(sealed).map_err(|_| WrapError)?;
        self.wrapping.decrypt(&blob, &place.context()?).map_err(|_| WrapError)
    }
}

impl Place<'_> {
    fn context(&self) -> Result<Context, WrapError> {
        let pairs = [
            ("bulla:id", self.id),
            ("bulla:owner", self.owner),
            ("bulla:purpose", self.purpose),
            ("bulla:table", self.table.name()),
        ];
        Context::from_pairs(pairs).map_err(|_| WrapError)
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(redacted)")
    }
}

/// The numbers of a change as bytes.
struct Numbers {
    revision: [u8; 8],
    ordinal: [u8; 4],
    count: [u8; 4],
}

impl Numbers {
    fn of(change: &Change) -> Self {
        Self {
            revision: change.revision.to_be_bytes(),
            ordinal: change.ordinal.to_be_bytes(),
            count: change.count.to_be_bytes(),
        }
    }

    fn parts<'a>(&'a self, change: &'a Change) -> [&'a [u8]; 6] {
        [
            &self.revision,
            &self.ordinal,
            &self.count,
            change.table.name().as_bytes(),
            change.id.as_bytes(),
            kind_name(change.kind),
        ]
    }
}

fn row_parts<'a>(table: Table, id: &'a str, owner: &'a str, revision: &'a [u8; 8], body: &'a [u8]) -> [&'a [u8]; 5] {
    [table.name().as_bytes(), id.as_bytes(), owner.as_bytes(), revision, body]
}

#[cfg(test)]
mod tests {
    use bulla_testkit::SeededRandom;

    use super::*;

    fn key() -> StoreKey {
        StoreKey::new(DataKey::from_slice(&[7; 32]).expect("32 bytes"), "log", 1).expect("a store key")
    }

    #[test]
    fn a_wrapped_secret_opens_in_its_own_place_only() {
        let (key, random) = (key(), SeededRandom::new(1));
        let place = Place {
            purpose: "material",
            table: Table::KeyVersions,
            id: "a",
            owner: "k",
        };
        let wrapped = key.wrap(place, &random, b"secret").expect("wraps");
        assert_eq!(key.unwrap(place, &wrapped).expect("opens").expose_secret(), b"secret");
        for other in [
            Place {
                purpose: "secret",
                ..place
            },
            Place {
                table: Table::AccessKeys,
                ..place
            },
            Place { id: "b", ..place },
            Place { owner: "l", ..place },
        ] {
            assert!(key.unwrap(other, &wrapped).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_row_is_genuine_with_every_part_as_it_was() {
        let key = key();
        let row = key.seal_row(Table::Keys, "id", "owner", 3, b"{}".to_vec());
        assert!(key.row_is_genuine(Table::Keys, &row));
        assert!(!key.row_is_genuine(Table::Aliases, &row));
        for forged in [
            Row {
                id: "other".into(),
                ..row.clone()
            },
            Row {
                owner: "other".into(),
                ..row.clone()
            },
            Row {
                revision: 4,
                ..row.clone()
            },
            Row {
                body: b"{ }".to_vec(),
                ..row.clone()
            },
            Row {
                mac: [0; 32],
                ..row.clone()
            },
        ] {
            assert!(!key.row_is_genuine(Table::Keys, &forged), "{forged:?}");
        }
    }

    #[test]
    fn a_change_is_genuine_with_every_part_as_it_was() {
        let key = key();
        let row = key.seal_row(Table::Keys, "id", "owner", 3, b"{}".to_vec());
        let change = key.seal_change(3, 0, 2, Table::Keys, "id", Some(&row));
        assert!(key.change_is_genuine(&change, Some(&row)));
        let another = key.seal_row(Table::Keys, "id", "owner", 3, b"{ }".to_vec());
        assert!(!key.change_is_genuine(&change, Some(&another)));
        assert!(!key.change_is_genuine(&change, None));
        for forged in [
            Change {
                revision: 4,
                ..change.clone()
            },
            Change {
                ordinal: 1,
                ..change.clone()
            },
            Change {
                count: 1,
                ..change.clone()
            },
            Change {
                table: Table::Aliases,
                ..change.clone()
            },
            Change {
                id: "other".into(),
                ..change.clone()
            },
            Change {
                kind: ChangeKind::Delete,
                ..change.clone()
            },
        ] {
            assert!(!key.change_is_genuine(&forged, Some(&row)), "{forged:?}");
        }
    }
}
