use std::sync::Arc;

use bulla_store::{Change, RowFilter, Table};

use super::{LIST_LIMIT, Rows};
use crate::ServiceError;
use crate::entry::Entry;
use crate::grants::GrantSet;
use crate::metrics::count;
use crate::row_ids::{RowKey, RowKeyRef, set_of};

impl Rows {
    /// All grants of a key: from the cache, looked at again where some changed, or from the store.
    pub(crate) async fn grants(&self, key_row: &str) -> Result<Arc<GrantSet>, ServiceError> {
        // Before the cache: a change that comes in after the set was taken from it is not known to that set.
        let synced = self.synced();
        match self.cached(Table::Grants, key_row) {
            Some(Entry::GrantSet(set)) if set.changed.is_empty() => Ok(set),
            Some(Entry::GrantSet(set)) => self.refresh_grants(&set, synced).await,
            _ => self.load_grants(key_row, synced).await,
        }
    }

    /// Reads all grants of a key.
    async fn load_grants(&self, key_row: &str, synced: u64) -> Result<Arc<GrantSet>, ServiceError> {
        count(&self.metrics.cache_misses);
        let mut grants = GrantSet::new(RowKey::new(Table::Grants, key_row));
        let mut after: Option<Arc<str>> = None;
        loop {
            let filter = RowFilter::Owner(key_row);
            let page = self.list(Table::Grants, filter, after.as_deref(), LIST_LIMIT).await?;
            for entry in &page {
                after = Some(entry.row().id.clone());
                if let Entry::Grant(grant) = entry {
                    grants.insert(grant.clone());
                }
            }
            if page.len() < LIST_LIMIT as usize {
                break;
            }
        }
        Ok(self.keep_grants(grants, synced))
    }

    /// Looks at the grants that changed since a set was read; `synced` is from before the set was taken from the cache.
    async fn refresh_grants(&self, old: &GrantSet, synced: u64) -> Result<Arc<GrantSet>, ServiceError> {
        let mut grants = old.clone();
        for row in std::mem::take(&mut grants.changed) {
            match self.load(Table::Grants, &row).await? {
                Some(Entry::Grant(grant)) => grants.insert(grant),
                _ => grants.remove(row.rsplit('/').next().unwrap_or_default()),
            }
        }
        Ok(self.keep_grants(grants, synced))
    }

    fn keep_grants(&self, grants: GrantSet, synced: u64) -> Arc<GrantSet> {
        let grants = Arc::new(grants);
        let newest = self.newest();
        if self.synced() == synced {
            self.cache.insert(grants.row.clone(), Entry::GrantSet(grants.clone()));
        }
        drop(newest);
        grants
    }

    /// A set of grants stays in the cache, and is told which of them to look at again.
    pub(super) fn note_changed_grant(&self, change: &Change) {
        let Some(id) = set_of(change.table, &change.id).filter(|_| change.table == Table::Grants) else {
            return;
        };
        let set = RowKeyRef {
            table: Table::Grants,
            id,
        };
        if let Some(Entry::GrantSet(grants)) = self.cache.get(&set) {
            match grants.with_changed(&change.id) {
                Some(grants) => self.cache.insert(grants.row.clone(), Entry::GrantSet(Arc::new(grants))),
                None => drop(self.cache.remove(&set)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bulla_crypto::DataKey;
    use bulla_model::Timestamp;
    use bulla_store::ChangeKind;
    use bulla_store_sql::{OpenOptions, SqlStore};

    use super::*;
    use crate::bodies::{Body, GrantBody, VERSION};
    use crate::keyring::StoreKey;

    const KEY: &str = "111122223333/eu-north-1/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// Rows over a database in a file, and the directory that it is in.
    async fn rows() -> (Rows, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqlStore::open(OpenOptions::sqlite_file(directory.path().join("bulla.db"))).await;
        let secret = DataKey::from_slice(&[7; 32]).expect("32 bytes");
        let store_key = StoreKey::new(secret, "log", 1).expect("a store key");
        (Rows::new(Arc::new(store.expect("opens")), store_key, 100), directory)
    }

    /// Writes or deletes a grant in the store; nothing of it has reached the cache yet.
    async fn commit(rows: &Rows, revision: u64, grant: &str, kind: ChangeKind) -> Change {
        let id = format!("{KEY}/{grant}");
        let mut transaction = rows.store.begin().await.expect("begins");
        let row = if kind == ChangeKind::Put {
            let body = GrantBody {
                version: VERSION,
                grantee: "arn:aws:iam::111122223333:user/ann".to_owned(),
                operations: Vec::new(),
                created: Timestamp::from_micros(0),
                issuer: "arn:aws:iam::111122223333:root".to_owned(),
                name: None,
                retiring: None,
                constraints: Default::default(),
            };
            let row = rows
                .store_key
                .seal_row(Table::Grants, &id, KEY, revision, body.to_bytes());
            transaction.put_row(Table::Grants, &row).await.expect("puts");
            Some(row)
        } else {
            transaction.delete_row(Table::Grants, &id).await.expect("deletes");
            None
        };
        let row = row.as_ref();
        let change = rows.store_key.seal_change(revision, 0, 1, Table::Grants, &id, row);
        transaction
            .append_changes(std::slice::from_ref(&change))
            .await
            .expect("appends");
        transaction.commit().await.expect("commits");
        change
    }

    fn ids(set: &GrantSet) -> Vec<&str> {
        set.in_order().into_iter().map(|grant| &*grant.id).collect()
    }

    #[tokio::test]
    async fn a_grant_revoked_while_a_set_is_looked_at_again_does_not_stay_in_the_cache() {
        let (rows, _directory) = rows().await;
        for (revision, grant) in [(1, "a"), (2, "b")] {
            let change = commit(&rows, revision, grant, ChangeKind::Put).await;
            rows.apply(&[change], revision);
        }
        assert_eq!(ids(&rows.grants(KEY).await.expect("reads")), ["a", "b"]);
        let change = commit(&rows, 3, "a", ChangeKind::Put).await;
        rows.apply(&[change], 3);
        // As `grants` does: the revision, then the set. What comes in between is in neither.
        let synced = rows.synced();
        let Some(Entry::GrantSet(taken)) = rows.cached(Table::Grants, KEY) else {
            panic!("a set");
        };
        let change = commit(&rows, 4, "b", ChangeKind::Delete).await;
        rows.apply(&[change], 4);
        rows.refresh_grants(&taken, synced).await.expect("reads");
        assert_eq!(ids(&rows.grants(KEY).await.expect("reads")), ["a"]);
    }
}
