//! Primary keys of rows: they carry account and region, so a key of one is not found from another.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bulla_model::{AccountId, AliasName, KeyId, MaterialId, Region};
use bulla_store::Table;
use quick_cache::Equivalent;

/// Names one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowKey {
    pub(crate) table: Table,
    pub(crate) id: Arc<str>,
}

/// A [`RowKey`] that is only looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowKeyRef<'a> {
    pub(crate) table: Table,
    pub(crate) id: &'a str,
}

impl RowKey {
    pub(crate) fn new(table: Table, id: &str) -> Self {
        Self { table, id: id.into() }
    }
}

impl Hash for RowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        RowKeyRef {
            table: self.table,
            id: &self.id,
        }
        .hash(state);
    }
}

impl Hash for RowKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.table as u8).hash(state);
        self.id.hash(state);
    }
}

impl Equivalent<RowKey> for RowKeyRef<'_> {
    fn equivalent(&self, key: &RowKey) -> bool {
        self.table == key.table && self.id == &*key.id
    }
}

/// `account/region`: what keys belong to.
pub(crate) fn keys_owner(account: &AccountId, region: &Region) -> String {
    format!("{account}/{region}")
}

/// `account/region/key id`.
pub(crate) fn key_row(account: &AccountId, region: &Region, id: &KeyId) -> String {
    format!("{account}/{region}/{id}")
}

/// `account/region/alias/name`.
pub(crate) fn alias_row(account: &AccountId, region: &Region, name: &AliasName) -> String {
    format!("{account}/{region}/{name}")
}

/// `account/region/material id in hex`.
pub(crate) fn version_row(account: &AccountId, region: &Region, id: &MaterialId) -> String {
    format!("{account}/{region}/{id}")
}

/// `account/region/key id/grant id`.
pub(crate) fn grant_row(key_row: &str, grant_id: &str) -> String {
    format!("{key_row}/{grant_id}")
}

/// `account/region/*`: every key of an account and a region, as what a grant is on.
pub(crate) fn every_key(account: &AccountId, region: &Region) -> String {
    format!("{account}/{region}/*")
}

/// `region/material id in hex`: that material of all accounts, as a set.
pub(crate) fn material_set(region: &Region, id: &MaterialId) -> String {
    format!("{region}/{id}")
}

/// `account/region/alias/`: all aliases of an account and a region, as a set.
pub(crate) fn aliases_set(account: &AccountId, region: &Region) -> String {
    format!("{account}/{region}/alias/")
}

/// The set that a row belongs to, as a row id that no row has; none in tables whose rows are never counted.
///
/// Who decides by what a listing shows notes the set as read, as if it were a row: each change of a row in it makes the decision stale.
pub(crate) fn set_of(table: Table, id: &str) -> Option<&str> {
    match table {
        Table::Aliases => {
            let mut slashes = id.match_indices('/');
            slashes.nth(2).map(|(at, _)| &id[..=at])
        }
        // A material in one region, whichever account's it is.
        Table::KeyVersions => id.split_once('/').map(|(_, place)| place),
        // All grants of a key, under the key's own row id.
        Table::Grants => id.rsplit_once('/').map(|(key, _)| key),
        _ => None,
    }
}

/// Takes a row id of keys apart; `None` for any other text.
pub(crate) fn parse_key_row(row: &str) -> Option<(AccountId, Region, KeyId)> {
    let mut parts = row.split('/');
    let parsed = (
        parts.next()?.parse().ok()?,
        parts.next()?.parse().ok()?,
        parts.next()?.parse().ok()?,
    );
    parts.next().is_none().then_some(parsed)
}

/// The row id of the settings' one row.
pub(crate) const SETTINGS_ROW: &str = "service";

/// The row id of a numbered key: ten digits.
pub(crate) fn numbered_row(number: u32) -> String {
    format!("{number:010}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_in_the_set_of_its_account_and_region() {
        let (account, region) = ("111122223333".parse().unwrap(), "eu-north-1".parse().unwrap());
        let row = alias_row(&account, &region, &"alias/a/b".parse().unwrap());
        let set = aliases_set(&account, &region);
        assert_eq!(set_of(Table::Aliases, &row), Some(set.as_str()));
        assert_eq!(set_of(Table::Keys, &row), None);
    }

    #[test]
    fn a_material_is_in_the_set_of_its_region() {
        let (account, region) = ("111122223333".parse().unwrap(), "eu-north-1".parse().unwrap());
        let row = version_row(&account, &region, &MaterialId([7; 32]));
        let set = material_set(&region, &MaterialId([7; 32]));
        assert_eq!(set_of(Table::KeyVersions, &row), Some(set.as_str()));
    }

    #[test]
    fn a_grant_is_in_the_set_of_its_key() {
        let key = "111122223333/eu-north-1/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(set_of(Table::Grants, &grant_row(key, &"0f".repeat(32))), Some(key));
    }
}
