use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::describe_custom_key_stores::no_such_store;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `UpdateCustomKeyStore` is asked, without the secrets that nothing here would use.
#[derive(Debug, Clone)]
pub struct UpdateCustomKeyStoreRequest {
    /// Id of the custom key store.
    pub custom_key_store_id: String,
    /// `NewCustomKeyStoreName`.
    pub new_custom_key_store_name: Option<String>,
}

impl Service {
    /// Changes a custom key store.
    ///
    /// # Errors
    /// `CustomKeyStoreNotFound`: no account has one. `AccessDenied`.
    pub async fn update_custom_key_store(
        &self,
        call: &Call,
        request: UpdateCustomKeyStoreRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for UpdateCustomKeyStoreRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "UpdateCustomKeyStore",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("customKeyStoreId", shown(&self.custom_key_store_id)),
            (
                "newCustomKeyStoreName",
                self.new_custom_key_store_name.as_deref().map_or(Value::Null, shown),
            ),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        decision.authorise("kms:UpdateCustomKeyStore", "*")?;
        Err(no_such_store(&self.custom_key_store_id))
    }
}
