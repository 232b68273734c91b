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
