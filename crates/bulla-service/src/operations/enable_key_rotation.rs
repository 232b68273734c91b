use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::{KeyBody, RotationBody};
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `EnableKeyRotation` is asked.
#[derive(Debug, Clone)]
pub struct EnableKeyRotationRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// 90 to 2,560; 365 by default.
    pub rotation_period_in_days: Option<u32>,
}

impl Service {
    /// Rotates a key at the end of every period.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `Unsupported`, `Validation`, `AccessDenied`.
    pub async fn enable_key_rotation(
        &self,
        call: &Call,
        request: EnableKeyRotationRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for EnableKeyRotationRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "EnableKeyRotation",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("rotationPeriodInDays", self.rotation_period_in_days.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let period_days = self.rotation_period_in_days.unwrap_or(365);
        limits::range("rotationPeriodInDays", period_days, 90, 2560)?;
        let key = decision
            .authorise_key::<Self>("kms:EnableKeyRotation", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::EnableKeyRotation)?;
        key.require_symmetric()?;
        key.key.require_no_replica()?;
        let unchanged = key
            .key
            .body
            .rotation
            .as_ref()
            .is_some_and(|rotation| rotation.period_days == period_days);
        if !unchanged {
            let rotation = RotationBody {
                period_days,
                next: decision.now.plus_days(period_days),
            };
            let keys = decision.in_all_regions(&key.key).await?;
            decision.put_keys(&keys, |key| KeyBody {
                rotation: Some(rotation.clone()),
                ..key.body.clone()
            });
        }
        decision.response = members([("keyId", key.key.arn.as_str().into())]);
        Ok(())
    }
}
