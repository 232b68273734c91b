//! The keys of one multi-Region key: each a row of its own region, with the same id and the same material.
//!
//! What they share (material, rotation, who is primary) is written to all of them in one change set, so no node sees one region
//! ahead of another, and nobody can be killed in between. Every operation that does so reads all their rows, and so decides again
//! where any of them changed.

use std::sync::Arc;

use bulla_model::{AccountId, KeyArn, Region};
use bulla_store::Table;

use crate::ServiceError;
use crate::bodies::{KeyBody, MultiRegionBody};
use crate::decision::Decision;
use crate::entry::KeyEntry;
use crate::row_ids::{key_row, parse_key_row};

impl MultiRegionBody {
    /// Every region, the primary's first.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &Region> {
        std::iter::once(&self.primary).chain(&self.replicas)
    }
}

impl KeyEntry {
    /// The account and the region that the key is in.
    pub(crate) fn place(&self) -> Result<(AccountId, Region), ServiceError> {
        let place = parse_key_row(&self.row.id).map(|(account, region, _)| (account, region));
        place.ok_or(ServiceError::Internal("a key row without a key id"))
    }

    /// Whether it is a replica of a primary key in another region.
    pub(crate) fn is_replica(&self) -> bool {
        let primary = self.body.multi_region.as_ref().map(|regions| &regions.primary);
        primary.is_some_and(|primary| self.place().is_ok_and(|(_, region)| region != *primary))
    }

    /// Requires that it is no replica: what is shared by all regions is changed at the primary.
    pub(crate) fn require_no_replica(&self) -> Result<(), ServiceError> {
        if self.is_replica() {
            return Err(not_primary(&self.arn));
        }
        Ok(())
    }

    /// Requires the primary of a multi-Region key, and gives its regions.
    pub(crate) fn require_primary(&self) -> Result<&MultiRegionBody, ServiceError> {
        match &self.body.multi_region {
            Some(regions) if !self.is_replica() => Ok(regions),
            _ => Err(not_primary(&self.arn)),
        }
    }
}

fn not_primary(arn: &KeyArn) -> ServiceError {
    ServiceError::Unsupported(format!("{arn} is not a multi-Region primary key."))
}

impl Decision<'_> {
    /// Reads the key of every region, the primary's first; of a key of one region, that key alone.
    pub(crate) async fn in_all_regions(&mut self, key: &Arc<KeyEntry>) -> Result<Vec<Arc<KeyEntry>>, ServiceError> {
        let Some(regions) = &key.body.multi_region else {
            return Ok(vec![key.clone()]);
        };
        let (account, _) = key.place()?;
        let mut keys = Vec::with_capacity(1 + regions.replicas.len());
        for region in regions.regions() {
            let row = key_row(&account, region, &key.id);
            // A region that is named and not there was not left so by the service.
            let sibling = self.key(&row).await?;
            keys.push(sibling.ok_or_else(|| self.core.rows.tampered(Table::Keys, &row))?);
        }
        Ok(keys)
    }

    /// Writes the key of every region anew.
    pub(crate) fn put_keys(&mut self, keys: &[Arc<KeyEntry>], change: impl Fn(&KeyEntry) -> KeyBody) {
        for key in keys {
            let body = change(key);
            self.put_key(key, &body);
        }
    }
}
