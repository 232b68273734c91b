use bulla_model::policy::default_key_policy;
use bulla_model::{KeyArn, KeyOrigin, KeyState, Operation as Asked, Region, Tag, TagError};
use bulla_store::Table;
use serde_json::{Map, Value, json};

use crate::authorised::{Authorised, KeyForms};
use crate::bodies::{KeyBody, MultiRegionBody, PendingBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::KeyEntry;
use crate::limits::{self, members, shown};
use crate::operations::create_key::shown_tags;
use crate::operations::list_key_rotations::every_version_of;
use crate::operations::put_key_policy::{parse_key_policy, policy_shown, require_way_back};
use crate::row_ids::{RowKey, key_row, keys_owner};
use crate::runner::{KMS, Operation};
use crate::{Call, KeyMetadata, Service, ServiceError};

/// What `ReplicateKey` is asked.
#[derive(Debug, Clone)]
pub struct ReplicateKeyRequest {
    /// Key id or key ARN of the primary; an alias is refused.
    pub key_id: String,
    /// Where the replica is to be.
    pub replica_region: Region,
    /// The replica's key policy; AWS's default if absent.
    pub policy: Option<String>,
    /// Accepts a policy that keeps the caller from changing it.
    pub bypass_policy_lockout_safety_check: bool,
    /// The replica's own; at most 8,192 characters.
    pub description: String,
    /// The replica's own; at most 50.
    pub tags: Vec<Tag>,
}

/// What `ReplicateKey` answers.
#[derive(Debug, Clone)]
pub struct ReplicateKeyResponse {
    /// The replica. Its state is `Creating`, as AWS's answer has it; it is made by then, and the next question is answered `Enabled`, or
    /// `PendingImport`.
    pub key: KeyMetadata,
    /// Its key policy.
    pub policy: String,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl Service {
    /// Makes a replica of a multi-Region primary key in another region: a key of its own, with the same id and the same material.
    ///
    /// A replica of a key with imported material has none until the same material is imported into it.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`, `LimitExceeded`, `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `Unsupported`, `AlreadyExists`, `Validation`, `Tag`, `AccessDenied`.
    pub async fn replicate_key(
        &self,
        call: &Call,
        request: ReplicateKeyRequest,
    ) -> Result<ReplicateKeyResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl ReplicateKeyRequest {
    /// "AWS KMS must be available in the replica Region." A replica where nobody could ask for it would only keep its primary from being
    /// deleted. The words are not confirmed.
    fn require_served(&self, decision: &Decision<'_>) -> Result<(), ServiceError> {
        let (served, region) = (&decision.core.regions, &self.replica_region);
        if served.is_empty() || served.contains(region) {
            return Ok(());
        }
        Err(ServiceError::Unsupported(format!(
            "AWS KMS is not available in the replica Region {region}."
        )))
    }
}

impl Operation for ReplicateKeyRequest {
    type Response = ReplicateKeyResponse;

    const EVENT: EventKind = EventKind {
        name: "ReplicateKey",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("replicaRegion", self.replica_region.as_str().into()),
            ("description", shown(&self.description)),
            ("policy", self.policy.as_deref().map_or(Value::Null, policy_shown)),
            (
                "bypassPolicyLockoutSafetyCheck",
                if self.bypass_policy_lockout_safety_check {
                    true.into()
                } else {
                    Value::Null
                },
            ),
            ("tags", shown_tags(&self.tags)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::text("description", &self.description, 0, 8192)?;
        Tag::check(&self.tags).map_err(|error| match error {
            TagError::Length => ServiceError::Validation(error.to_string()),
            _ => ServiceError::Tag(error.to_string()),
        })?;
        let primary: Authorised<Self> = decision
            .authorise_key("kms:ReplicateKey", &self.key_id, KeyForms::KeysOnly)
            .await?;
        // "kms:CreateKey in an IAM policy in the replica Region."
        decision.requested_region = Some(self.replica_region.clone());
        decision.authorise("kms:CreateKey", "*")?;
        if !self.tags.is_empty() {
            decision.authorise("kms:TagResource", "*")?;
        }
        decision.requested_region = None;
        let policy = self.policy.as_deref().map(parse_key_policy).transpose()?;
        primary.require_state(Asked::ReplicateKey)?;
        let regions = primary.key.require_primary()?;
        self.require_served(decision)?;
        let keys = decision.in_all_regions(&primary.key).await?;
        let (id, (account, _)) = (&primary.key.id, primary.key.place()?);
        let row = key_row(&account, &self.replica_region, id);
        let exists = regions.primary == self.replica_region || decision.key(&row).await?.is_some();
        if exists {
            // Not confirmed.
            return Err(ServiceError::AlreadyExists(format!(
                "Unable to replicate key {id} to region {}, as the key already exists there",
                self.replica_region
            )));
        }
        let mut replicas = regions.replicas.clone();
        replicas.push(self.replica_region.clone());
        replicas.sort();
        let regions = MultiRegionBody {
            primary: regions.primary.clone(),
            replicas,
        };
        for version in every_version_of(decision, &primary.key).await? {
            primary.copy_version(decision, &version, &row)?;
        }
        let shared = &primary.key.body;
        let (state, pending) = match shared.origin {
            // "If you replicate a multi-Region primary key with imported key material, the replica key is created with no key material."
            KeyOrigin::External => (
                KeyState::PendingImport,
                shared.pending.as_ref().map(|pending| PendingBody {
                    id: pending.id,
                    valid_to: None,
                }),
            ),
            _ => (KeyState::Enabled, None),
        };
        let body = KeyBody {
            version: VERSION,
            description: self.description.clone(),
            usage: shared.usage,
            spec: shared.spec,
            origin: shared.origin,
            state,
            created: decision.now,
            deletion_date: None,
            tags: self.tags.clone(),
            current: shared.current,
            versions: shared.versions,
            on_demand_rotations: shared.on_demand_rotations,
            rotation: shared.rotation.clone(),
            policy: self.policy.clone(),
            creator: Some(decision.call.caller.arn().to_string()),
            multi_region: Some(regions.clone()),
            pending_window_days: None,
            expiration: None,
            pending,
        };
        if let Some(policy) = &policy
            && !self.bypass_policy_lockout_safety_check
        {
            let replica = KeyEntry::new(RowKey::new(Table::Keys, &row), body.clone());
            let replica = replica.ok_or(ServiceError::Internal("a key row without a key id"))?;
            require_way_back(decision, &replica, policy).await?;
        }
        decision.put(Table::Keys, &row, &keys_owner(&account, &self.replica_region), &body);
        decision.put_keys(&keys, |key| KeyBody {
            multi_region: Some(regions.clone()),
            ..key.body.clone()
        });
        let arn = KeyArn::new(&self.replica_region, &account, id);
        decision.concerns(arn.shared());
        decision.response = members([(
            "replicaKeyMetadata",
            json!({"arn": arn.as_str(), "keyId": id.as_str(), "keyState": state.as_str()}),
        )]);
        let key = KeyMetadata::of(&row, &body).ok_or(ServiceError::Internal("a key row without a key id"))?;
        Ok(ReplicateKeyResponse {
            policy: self.policy.clone().unwrap_or_else(|| default_key_policy(&key.account)),
            key: KeyMetadata {
                state: KeyState::Creating,
                ..key
            },
            tags: self.tags.clone(),
        })
    }
}
