use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `CreateCustomKeyStore` is asked, without the secrets that nothing here would use.
#[derive(Debug, Clone)]
pub struct CreateCustomKeyStoreRequest {
    /// `CustomKeyStoreName`.
    pub custom_key_store_name: String,
    /// `CustomKeyStoreType`; AWS's default is `AWS_CLOUDHSM`.
    pub custom_key_store_type: Option<String>,
}

impl Service {
    /// Refuses to make a custom key store: keys of this service are under its root key.
    ///
    /// # Errors
    /// `Unsupported`, `AccessDenied`.
    pub async fn create_custom_key_store(
        &self,
        call: &Call,
        request: CreateCustomKeyStoreRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for CreateCustomKeyStoreRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "CreateCustomKeyStore",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("customKeyStoreName", shown(&self.custom_key_store_name)),
            (
                "customKeyStoreType",
                self.custom_key_store_type.as_deref().map_or(Value::Null, shown),
            ),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        decision.authorise("kms:CreateCustomKeyStore", "*")?;
        Err(ServiceError::Unsupported(
            "Custom key stores are not supported by this service: its keys are held under its own root key.".to_owned(),
        ))
    }
}
