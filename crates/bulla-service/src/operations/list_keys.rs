use bulla_model::{KeyArn, KeyId};

use crate::{Call, Service, ServiceError};

/// What `ListKeys` is asked.
#[derive(Debug, Clone)]
pub struct ListKeysRequest {
    /// Most entries to answer, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

/// What `ListKeys` answers.
#[derive(Debug, Clone)]
pub struct ListKeysResponse {
    /// In order of ids.
    pub keys: Vec<(KeyId, KeyArn)>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<String>,
}

impl Service {
    /// Lists the keys of the caller's account and region.
    ///
    /// # Errors
    /// `InvalidMarker`, `AccessDenied`.
    pub async fn list_keys(&self, call: &Call, request: ListKeysRequest) -> Result<ListKeysResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
