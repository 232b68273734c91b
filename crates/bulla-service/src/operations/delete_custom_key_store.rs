use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::describe_custom_key_stores::no_such_store;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `DeleteCustomKeyStore` is asked.
#[derive(Debug, Clone)]
pub struct DeleteCustomKeyStoreRequest {
    /// Id of the custom key store.
    pub custom_key_store_id: String,
}

impl Service {
    /// Deletes a custom key store.
    ///
    /// # Errors
    /// `CustomKeyStoreNotFound`: no account has one. `AccessDenied`.
    pub async fn delete_custom_key_store(
        &self,
        call: &Call,
        request: DeleteCustomKeyStoreRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DeleteCustomKeyStoreRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeleteCustomKeyStore",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("customKeyStoreId", shown(&self.custom_key_store_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        decision.authorise("kms:DeleteCustomKeyStore", "*")?;
        Err(no_such_store(&self.custom_key_store_id))
    }
}
