use bulla_model::{KeyArn, KeyOrigin, KeySpec, KeyState, KeyUsage, Tag, TagError};
use bulla_store::Table;
use serde_json::{Map, Value, json};

use crate::bodies::{KeyBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::key_material::put_new_symmetric;
use crate::limits::{self, members, shown};
use crate::row_ids::{key_row, keys_owner};
use crate::runner::{KMS, Operation};
use crate::{Call, KeyMetadata, Service, ServiceError};

/// What `CreateKey` is asked.
#[derive(Debug, Clone)]
pub struct CreateKeyRequest {
    /// At most 8,192 characters.
    pub description: String,
    /// Only `EncryptDecrypt` yet.
    pub usage: KeyUsage,
    /// Only `SymmetricDefault` yet.
    pub spec: KeySpec,
    /// Only `AwsKms` yet.
    pub origin: KeyOrigin,
    /// At most 50.
    pub tags: Vec<Tag>,
    /// Refused unless absent: policies are not built yet.
    pub policy: Option<String>,
    /// Refused unless false.
    pub multi_region: bool,
}

/// What `CreateKey` answers.
#[derive(Debug, Clone)]
pub struct CreateKeyResponse {
    /// The key.
    pub key: KeyMetadata,
}

impl Service {
    /// Makes a key with fresh material.
    ///
    /// # Errors
    /// `Validation`, `Tag`, `Unsupported`, `AccessDenied`.
    pub async fn create_key(&self, call: &Call, request: CreateKeyRequest) -> Result<CreateKeyResponse, ServiceError> {
        self.core.run(call, &request).await
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
            ("tags", shown_tags(&self.tags)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::text("description", &self.description, 0, 8192)?;
        check_tags(&self.tags)?;
        decision.authorise("kms:CreateKey", "*")?;
        if self.policy.is_some() {
            return Err(ServiceError::Unsupported(
                "Key policies are not supported by this version of Bulla; leave Policy out.".to_owned(),
            ));
        }
        if self.multi_region {
            return Err(ServiceError::Unsupported(
                "Multi-Region keys are not supported by this version of Bulla.".to_owned(),
            ));
        }
        if self.spec != KeySpec::SymmetricDefault || self.origin != KeyOrigin::AwsKms {
            return Err(ServiceError::Unsupported(format!(
                "The key spec {} with origin {} is not built yet.",
                self.spec, self.origin
            )));
        }
        if self.usage != KeyUsage::EncryptDecrypt {
            return Err(ServiceError::Validation(format!(
                "KeyUsage {} is not compatible with KeySpec {}.",
                self.usage, self.spec
            )));
        }
        let (account, region) = (decision.account(), decision.region());
        let id = decision.core.draw_key_id()?;
        let (arn, row) = (KeyArn::new(region, account, &id), key_row(account, region, &id));
        // The id is new with all but certainty; that the row is not there yet is part of the decision nevertheless.
        if decision.key(&row).await?.is_some() {
            return Err(ServiceError::Internal("the random generator repeats itself"));
        }
        let current = put_new_symmetric(decision, &row, 1, None)?;
        let body = KeyBody {
            version: VERSION,
            description: self.description.clone(),
            usage: self.usage,
            spec: self.spec,
            origin: self.origin,
            state: KeyState::Enabled,
            created: decision.now,
            deletion_date: None,
            tags: self.tags.clone(),
            current: Some(current),
            versions: 1,
            on_demand_rotations: 0,
            rotation: None,
            policy: None,
            creator: Some(decision.call.caller.arn().to_string()),
            multi_region: None,
            pending_window_days: None,
            expiration: None,
        };
        decision.put(Table::Keys, &row, &keys_owner(account, region), &body);
        decision.concerns(arn.shared());
        decision.response = members([(
            "keyMetadata",
            json!({"arn": arn.as_str(), "keyId": id.as_str(), "keyState": "Enabled"}),
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
    tags.map(|tag| json!({"tagKey": shown(&tag.key), "tagValue": shown(&tag.value)}))
        .collect()
}
