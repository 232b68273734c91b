use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError, pages};

/// What `DescribeCustomKeyStores` is asked.
#[derive(Debug, Clone)]
pub struct DescribeCustomKeyStoresRequest {
    /// Only the custom key store of this id.
    pub custom_key_store_id: Option<String>,
    /// Only the custom key store of this name; not both.
    pub custom_key_store_name: Option<String>,
    /// Most entries to answer, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub marker: Option<String>,
}

impl Service {
    /// Describes the custom key stores of the caller's account and region: there are none, as in an account of AWS that made none.
    ///
    /// # Errors
    /// `CustomKeyStoreNotFound` where one is named, `Validation`, `InvalidMarker`, `AccessDenied`.
    pub async fn describe_custom_key_stores(
        &self,
        call: &Call,
        request: DescribeCustomKeyStoresRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DescribeCustomKeyStoresRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DescribeCustomKeyStores",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, shown);
        members([
            ("customKeyStoreId", text(&self.custom_key_store_id)),
            ("customKeyStoreName", text(&self.custom_key_store_name)),
            ("limit", self.limit.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::page(self.limit, 1000, 1000)?;
        pages::place("custom-key-stores", self.marker.as_deref())?;
        decision.authorise("kms:DescribeCustomKeyStores", "*")?;
        match (&self.custom_key_store_id, &self.custom_key_store_name) {
            (None, None) => Ok(()),
            (Some(named), None) | (None, Some(named)) => Err(no_such_store(named)),
            (Some(_), Some(_)) => Err(ServiceError::Validation(
                "You cannot specify both CustomKeyStoreId and CustomKeyStoreName in the same request.".to_owned(),
            )),
        }
    }
}

/// The answer about any custom key store: there is none.
pub(crate) fn no_such_store(named: &str) -> ServiceError {
    ServiceError::CustomKeyStoreNotFound(format!("Custom key store {named} does not exist"))
}
