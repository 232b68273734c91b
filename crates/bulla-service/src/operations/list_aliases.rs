use bulla_model::{AliasArn, AliasName, KeyId, Timestamp};

use crate::{Call, Service, ServiceError};

/// What `ListAliases` is asked.
#[derive(Debug, Clone)]
pub struct ListAliasesRequest {
    /// Only aliases of this key: a key id or key ARN.
    pub key_id: Option<String>,
    /// Most entries to answer, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// What `ListAliases` answers.
#[derive(Debug, Clone)]
pub struct ListAliasesResponse {
    /// In order of names.
    pub aliases: Vec<AliasEntry>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

/// An alias as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasEntry {
    /// `AliasName`.
    pub name: AliasName,
    /// `AliasArn`.
    pub arn: AliasArn,
    /// `TargetKeyId`.
    pub target_key_id: KeyId,
    /// `CreationDate`.
    pub created: Timestamp,
    /// `LastUpdatedDate`.
    pub updated: Timestamp,
}

impl Service {
    /// Lists the aliases of the caller's account and region.
    ///
    /// # Errors
    /// `NotFound`, `InvalidMarker`, `AccessDenied`.
    pub async fn list_aliases(
        &self,
        call: &Call,
        request: ListAliasesRequest,
    ) -> Result<ListAliasesResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
