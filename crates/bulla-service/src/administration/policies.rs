use bulla_model::PrincipalArn;
use bulla_model::policy::{Policy, PolicyKind};
use serde_json::{Map, Value};

use super::holders::{authorise_holder, kind};
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::put_key_policy::policy_shown;
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError};

/// Most identity policies that one of them has.
const MAX_POLICIES: usize = 10;

impl Service {
    /// Gives a user, a role or a group an identity policy, new or over the older one of the name; decides the very next operation.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`, `Validation`, `LimitExceeded`, `NotFound`, `AccessDenied`.
    pub async fn put_principal_policy(
        &self,
        call: &Call,
        arn: PrincipalArn,
        name: String,
        document: String,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &PutPrincipalPolicy { arn, name, document }).await
    }

    /// Tells an identity policy of a user, a role or a group, as it was given.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn principal_policy(&self, call: &Call, arn: PrincipalArn, name: String) -> Result<String, ServiceError> {
        self.core.run(call, &GetPrincipalPolicy { arn, name }).await
    }

    /// Lists the names of the identity policies of a user, a role or a group, in order.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn list_principal_policies(&self, call: &Call, arn: PrincipalArn) -> Result<Vec<String>, ServiceError> {
        self.core.run(call, &ListPrincipalPolicies { arn }).await
    }

    /// Takes an identity policy from a user, a role or a group; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_principal_policy(
        &self,
        call: &Call,
        arn: PrincipalArn,
        name: String,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &DeletePrincipalPolicy { arn, name }).await
    }
}

struct PutPrincipalPolicy {
    arn: PrincipalArn,
    name: String,
    document: String,
}

impl Operation for PutPrincipalPolicy {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "PutPrincipalPolicy",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("arn", self.arn.as_str().into()),
            ("policyName", shown(&self.name)),
            ("policyDocument", policy_shown(&self.document)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let holder = authorise_holder(decision, "bulla:PutPrincipalPolicy", &self.arn).await?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
        if !(1..=128).contains(&self.name.len()) || !self.name.bytes().all(legal) {
            return Err(ServiceError::Validation(
                "The name of a policy has 1 to 128 letters, digits and +=,.@_-".to_owned(),
            ));
        }
        Policy::parse(PolicyKind::Identity, &self.document)
            .map_err(|error| ServiceError::MalformedPolicyDocument(error.to_string()))?;
        let mut policies = holder.policies().clone();
        policies.insert(self.name.clone(), self.document.clone());
        if policies.len() > MAX_POLICIES {
            return Err(ServiceError::LimitExceeded(format!(
                "The {} {} would have more than {MAX_POLICIES} policies",
                kind(&self.arn),
                self.arn
            )));
        }
        holder.put_policies(decision, policies);
        Ok(())
    }
}

struct GetPrincipalPolicy {
    arn: PrincipalArn,
    name: String,
}

impl Operation for GetPrincipalPolicy {
    type Response = String;

    const EVENT: EventKind = EventKind {
        name: "GetPrincipalPolicy",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into()), ("policyName", shown(&self.name))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<String, ServiceError> {
        let holder = authorise_holder(decision, "bulla:GetPrincipalPolicy", &self.arn).await?;
        let policy = holder.policies().get(&self.name).cloned();
        policy.ok_or_else(|| no_policy(&self.arn, &self.name))
    }
}

struct ListPrincipalPolicies {
    arn: PrincipalArn,
}

impl Operation for ListPrincipalPolicies {
    type Response = Vec<String>;

    const EVENT: EventKind = EventKind {
        name: "ListPrincipalPolicies",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<String>, ServiceError> {
        let holder = authorise_holder(decision, "bulla:ListPrincipalPolicies", &self.arn).await?;
        Ok(holder.policies().keys().cloned().collect())
    }
}

struct DeletePrincipalPolicy {
    arn: PrincipalArn,
    name: String,
}

impl Operation for DeletePrincipalPolicy {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeletePrincipalPolicy",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into()), ("policyName", shown(&self.name))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let holder = authorise_holder(decision, "bulla:DeletePrincipalPolicy", &self.arn).await?;
        let mut policies = holder.policies().clone();
        if policies.remove(&self.name).is_none() {
            return Err(no_policy(&self.arn, &self.name));
        }
        holder.put_policies(decision, policies);
        Ok(())
    }
}

fn no_policy(arn: &PrincipalArn, name: &str) -> ServiceError {
    ServiceError::NotFound(format!("The {} {arn} has no policy {name}", kind(arn)))
}
