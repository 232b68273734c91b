use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use super::get_key_policy::DEFAULT;
use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError, pages};

/// What `ListKeyPolicies` is asked.
#[derive(Debug, Clone)]
pub struct ListKeyPoliciesRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Most entries to answer, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where the last page ended; there never is a second page.
    pub marker: Option<String>,
}

/// What `ListKeyPolicies` answers.
#[derive(Debug, Clone)]
pub struct ListKeyPoliciesResponse {
    /// `default`.
    pub policy_names: Vec<&'static str>,
}

impl Service {
    /// Lists the names of a key's policies.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidMarker`, `InvalidState`, `AccessDenied`.
    pub async fn list_key_policies(
        &self,
        call: &Call,
        request: ListKeyPoliciesRequest,
    ) -> Result<ListKeyPoliciesResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ListKeyPoliciesRequest {
    type Response = ListKeyPoliciesResponse;

    const EVENT: EventKind = EventKind {
        name: "ListKeyPolicies",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id)), ("limit", self.limit.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::page(self.limit, 100, 1000)?;
        let key = decision
            .authorise_key::<Self>("kms:ListKeyPolicies", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::ListKeyPolicies)?;
        pages::place("policies", self.marker.as_deref())?;
        Ok(ListKeyPoliciesResponse {
            policy_names: vec![DEFAULT],
        })
    }
}
