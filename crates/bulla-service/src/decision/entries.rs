use std::sync::Arc;

use bulla_store::Table;

use super::Decision;
use crate::ServiceError;
use crate::entry::{
    AccessKeyEntry, AliasEntry, ApiTokenEntry, AuditBatchEntry, Entry, GroupEntry, KeyEntry, PrincipalEntry, RoleEntry,
    StoreKeyEntry, VersionEntry,
};
use crate::grants::GrantEntry;
use crate::row_ids::RowKey;

impl Decision<'_> {
    /// Reads a row, from the cache or the store; what is not there is part of the read set, too.
    async fn entry(&mut self, table: Table, id: &str) -> Result<Option<Entry>, ServiceError> {
        if let Some(entry) = self.core.rows.cached(table, id) {
            self.reads.push(entry.row().clone());
            return Ok(Some(entry));
        }
        self.missed = true;
        self.reads.push(RowKey::new(table, id));
        self.core.rows.load(table, id).await
    }

    pub(crate) async fn key(&mut self, row: &str) -> Result<Option<Arc<KeyEntry>>, ServiceError> {
        match self.entry(Table::Keys, row).await? {
            Some(Entry::Key(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn version(&mut self, row: &str) -> Result<Option<Arc<VersionEntry>>, ServiceError> {
        match self.entry(Table::KeyVersions, row).await? {
            Some(Entry::Version(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn alias(&mut self, row: &str) -> Result<Option<Arc<AliasEntry>>, ServiceError> {
        match self.entry(Table::Aliases, row).await? {
            Some(Entry::Alias(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn principal(&mut self, arn: &str) -> Result<Option<Arc<PrincipalEntry>>, ServiceError> {
        match self.entry(Table::Principals, arn).await? {
            Some(Entry::Principal(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn access_key(&mut self, id: &str) -> Result<Option<Arc<AccessKeyEntry>>, ServiceError> {
        match self.entry(Table::AccessKeys, id).await? {
            Some(Entry::AccessKey(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn role_entry(&mut self, arn: &str) -> Result<Option<Arc<RoleEntry>>, ServiceError> {
        match self.entry(Table::Roles, arn).await? {
            Some(Entry::Role(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn group(&mut self, arn: &str) -> Result<Option<Arc<GroupEntry>>, ServiceError> {
        match self.entry(Table::Groups, arn).await? {
            Some(Entry::Group(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn api_token(&mut self, id: &str) -> Result<Option<Arc<ApiTokenEntry>>, ServiceError> {
        match self.entry(Table::ApiTokens, id).await? {
            Some(Entry::ApiToken(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn audit_batch(&mut self, id: &str) -> Result<Option<Arc<AuditBatchEntry>>, ServiceError> {
        match self.entry(Table::AuditBatches, id).await? {
            Some(Entry::AuditBatch(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn grant(&mut self, row: &str) -> Result<Option<Arc<GrantEntry>>, ServiceError> {
        match self.entry(Table::Grants, row).await? {
            Some(Entry::Grant(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn store_key(&mut self, id: &str) -> Result<Option<Arc<StoreKeyEntry>>, ServiceError> {
        match self.entry(Table::StoreKeys, id).await? {
            Some(Entry::StoreKey(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }
}
