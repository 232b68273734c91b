pub(crate) mod creation_tags;

use bulla_model::{KeyArn, KeyOrigin, KeySpec, KeyState, KeyUsage, Tag, TagError};
use bulla_store::Table;
use serde_json::{Map, Value, json};

use self::creation_tags::CreationTags;
use crate::bodies::{KeyBody, MultiRegionBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::KeyEntry;
use crate::key_material::{NewVersion, put_new_material};
use crate::limits::{self, members, shown};
use crate::operations::describe_custom_key_stores::no_such_store;
use crate::operations::put_key_policy::{parse_key_policy, policy_shown, require_way_back};
use crate::row_ids::{RowKey, key_row, keys_owner};
use crate::runner::{KMS, Operation};
use crate::{Call, KeyMetadata, Service, ServiceError};

/// What `CreateKey` is asked.
#[derive(Debug, Clone)]
pub struct CreateKeyRequest {
    /// At most 8,192 characters.
    pub description: String,
    /// One of the spec's.
    pub usage: KeyUsage,
    /// Any but `Sm2`.
    pub spec: KeySpec,
    /// `AwsKms`, or `External` for a key that waits for its material.
    pub origin: KeyOrigin,
    /// At most 50.
    pub tags: Vec<Tag>,
    /// The key policy, an IAM JSON document of at most 32 KiB; AWS's default one if absent.
    pub policy: Option<String>,
    /// Take the policy even if it lets the caller never change it.
    pub bypass_policy_lockout_safety_check: bool,
    /// Whether the key is the primary of a multi-Region key.
    pub multi_region: bool,
    /// No custom key store exists, so naming one is refused.
    pub custom_key_store_id: Option<String>,
}

impl Default for CreateKeyRequest {
    /// What AWS makes of a request without members: a symmetric key for encryption, with its own material, under the default policy.
    fn default() -> Self {
        Self {
            description: String::new(),
            usage: KeyUsage::EncryptDecrypt,
            spec: KeySpec::SymmetricDefault,
            origin: KeyOrigin::AwsKms,
            tags: Vec::new(),
            policy: None,
            bypass_policy_lockout_safety_check: false,
            multi_region: false,
            custom_key_store_id: None,
        }
    }
}

/// What `CreateKey` answers.
#[derive(Debug, Clone)]
pub struct CreateKeyResponse {
    /// The key.
    pub key: KeyMetadata,
}

impl Service {
    /// Makes a key with fresh material, or one that waits for imported material.
    ///
    /// # Errors
    /// `Validation`, `Tag`, `MalformedPolicyDocument`, `LimitExceeded`, `Unsupported`, `CustomKeyStoreNotFound`, `AccessDenied`.
    pub async fn create_key(&self, call: &Call, request: CreateKeyRequest) -> Result<CreateKeyResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl CreateKeyRequest {
    /// Refuses combinations of spec, usage and origin that there are not. The messages on origins are not confirmed.
    fn check_kind(&self) -> Result<(), ServiceError> {
        let (spec, usage, origin) = (self.spec, self.usage, self.origin);
        if spec == KeySpec::Sm2 {
            return Err(ServiceError::Unsupported(
                "KeySpec SM2 is not supported in this Region".to_owned(),
            ));
        }
        if !spec.usages().contains(&usage) {
            return Err(ServiceError::Validation(format!(
                "KeyUsage {usage} is not compatible with KeySpec {spec}."
            )));
        }
        match (origin, &self.custom_key_store_id) {
            (KeyOrigin::AwsCloudHsm | KeyOrigin::ExternalKeyStore, _) | (_, Some(_)) if self.multi_region => Err(
                ServiceError::Unsupported("Multi-Region keys are not supported in custom key stores.".to_owned()),
            ),
            (KeyOrigin::AwsCloudHsm | KeyOrigin::ExternalKeyStore, None) => Err(ServiceError::Validation(format!(
                "CustomKeyStoreId is required when Origin is {origin}."
            ))),
            // Without an origin, the store says what it is; and there is none.
            (KeyOrigin::AwsKms | KeyOrigin::AwsCloudHsm | KeyOrigin::ExternalKeyStore, Some(store)) => {
                Err(no_such_store(store))
            }
            (_, Some(_)) => Err(ServiceError::Validation(format!(
                "CustomKeyStoreId is not valid when Origin is {origin}."
            ))),
            (KeyOrigin::External, None) if !spec.can_be_imported() => Err(ServiceError::Unsupported(format!(
                "Origin EXTERNAL is not compatible with KeySpec {spec}."
            ))),
            _ => Ok(()),
        }
    }
}

impl Operation for CreateKeyRequest {
    type Response = CreateKeyResponse;

    const EVENT: EventKind = EventKind {
        name: "CreateKey",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("description", shown(&self.description)),
            ("keyUsage", self.usage.as_str().into()),
            ("keySpec", self.spec.as_str().into()),
            ("origin", self.origin.as_str().into()),
            ("multiRegion", self.multi_region.into()),
            (
                "customKeyStoreId",
                self.custom_key_store_id.as_deref().map_or(Value::Null, shown),
            ),
            ("tags", shown_tags(&self.tags)),
            ("policy", self.policy.as_deref().map_or(Value::Null, policy_shown)),
            (
                "bypassPolicyLockoutSafetyCheck",
                if self.bypass_policy_lockout_safety_check {
                    true.into()
                } else {
                    Value::Null
                },
            ),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::text("description", &self.description, 0, 8192)?;
        check_tags(&self.tags)?;
        decision.authorise("kms:CreateKey", "*")?;
        if !self.tags.is_empty() {
            decision.authorise("kms:TagResource", "*")?;
        }
        let policy = self.policy.as_deref().map(parse_key_policy).transpose()?;
        self.check_kind()?;
        let mut tags = self.tags.clone();
        let chosen = CreationTags::take(decision.core.mode, self.multi_region, &mut tags)?;
        let (account, region) = (decision.account(), decision.region());
        let id = if let Some(id) = &chosen.id {
            id.clone()
        } else if self.multi_region {
            decision.core.draw_multi_region_key_id()?
        } else {
            decision.core.draw_key_id()?
        };
        let (arn, row) = (KeyArn::new(region, account, &id), key_row(account, region, &id));
        // The id is new with all but certainty; that the row is not there yet is part of the decision nevertheless.
        if decision.key(&row).await?.is_some() {
            return Err(match chosen.id {
                Some(_) => ServiceError::AlreadyExists(format!("The key {arn} already exists")),
                None => ServiceError::Internal("the random generator repeats itself"),
            });
        }
        let current = match (self.origin, chosen.stored(self.spec, &id)?) {
            (KeyOrigin::External, _) => None,
            (_, Some((stored, material_id))) => {
                NewVersion::made(&row, self.spec, &stored, material_id, 1, None).put(decision)?;
                Some(material_id)
            }
            (_, None) => Some(put_new_material(decision, &row, self.spec, 1, None).await?),
        };
        let state = current.map_or(KeyState::PendingImport, |_| KeyState::Enabled);
        let body = KeyBody {
            version: VERSION,
            description: self.description.clone(),
            usage: self.usage,
            spec: self.spec,
            origin: self.origin,
            state,
            created: decision.now,
            deletion_date: None,
            tags,
            current,
            versions: current.map_or(0, |_| 1),
            on_demand_rotations: 0,
            rotation: None,
            policy: self.policy.clone(),
            creator: Some(decision.call.caller.arn().to_string()),
            multi_region: self.multi_region.then(|| MultiRegionBody {
                primary: region.clone(),
                replicas: Vec::new(),
            }),
            pending_window_days: None,
            expiration: None,
            pending: None,
        };
        if let Some(policy) = &policy
            && !self.bypass_policy_lockout_safety_check
        {
            let key = KeyEntry::new(RowKey::new(Table::Keys, &row), body.clone());
            let key = key.ok_or(ServiceError::Internal("a key row without a key id"))?;
            require_way_back(decision, &key, policy).await?;
        }
        decision.put(Table::Keys, &row, &keys_owner(account, region), &body);
        decision.concerns(arn.shared());
        decision.response = members([(
            "keyMetadata",
            json!({"arn": arn.as_str(), "keyId": id.as_str(), "keyState": state.as_str()}),
        )]);
        let key = KeyMetadata::of(&row, &body).ok_or(ServiceError::Internal("a key row without a key id"))?;
        Ok(CreateKeyResponse { key })
    }
}

/// Requires tags that a caller may set, at most as many as a key can have.
pub(crate) fn check_tags(tags: &[Tag]) -> Result<(), ServiceError> {
    Tag::check(tags).map_err(|error| match error {
        TagError::Length => ServiceError::Validation(error.to_string()),
        _ => ServiceError::Tag(error.to_string()),
    })
}

/// Tags as an event shows them.
pub(crate) fn shown_tags(tags: &[Tag]) -> Value {
    let tags = tags.iter().take(Tag::MAX_PER_KEY);
    let value = |tag: &Tag| match tag.key.as_str() {
        creation_tags::MATERIAL => Value::Null,
        _ => shown(&tag.value),
    };
    tags.map(|tag| json!({"tagKey": shown(&tag.key), "tagValue": value(tag)}))
        .collect()
}
