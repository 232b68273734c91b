use bulla_model::{KeyArn, KeyState, Operation as Asked, Timestamp};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `ScheduleKeyDeletion` is asked.
#[derive(Debug, Clone)]
pub struct ScheduleKeyDeletionRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// 7 to 30; 30 by default.
    pub pending_window_in_days: Option<u32>,
}

/// What `ScheduleKeyDeletion` answers.
#[derive(Debug, Clone)]
pub struct ScheduleKeyDeletionResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// When the key will be gone; `None` for a primary that waits for its replicas to be deleted.
    pub deletion_date: Option<Timestamp>,
    /// The new state.
    pub state: KeyState,
    /// The window.
    pub pending_window_in_days: u32,
}

impl Service {
    /// Makes a key refuse every use, and be gone when the window ends.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `Validation`, `AccessDenied`.
    pub async fn schedule_key_deletion(
        &self,
        call: &Call,
        request: ScheduleKeyDeletionRequest,
    ) -> Result<ScheduleKeyDeletionResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ScheduleKeyDeletionRequest {
    type Response = ScheduleKeyDeletionResponse;

    const EVENT: EventKind = EventKind {
        name: "ScheduleKeyDeletion",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("pendingWindowInDays", self.pending_window_in_days.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let days = self.pending_window_in_days.unwrap_or(30);
        if !(7..=30).contains(&days) {
            return Err(ServiceError::Validation(format!(
                "PendingWindowInDays should be between 7 and 30, but it is {days}"
            )));
        }
        let key = decision
            .authorise_key::<Self>("kms:ScheduleKeyDeletion", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::ScheduleKeyDeletion)?;
        // "If you schedule the deletion of a primary key with replicas, its key state changes to PendingReplicaDeletion", and its waiting
        // period begins "when the last of its replicas keys is deleted (not just scheduled)".
        let replicas = key.key.body.multi_region.as_ref().map(|regions| regions.replicas.len());
        let waits = replicas.is_some_and(|count| count > 0) && !key.key.is_replica();
        let (state, deletion_date) = if waits {
            (KeyState::PendingReplicaDeletion, None)
        } else {
            (KeyState::PendingDeletion, Some(decision.now.plus_days(days)))
        };
        let body = KeyBody {
            state,
            deletion_date,
            pending_window_days: waits.then_some(days),
            ..key.key.body.clone()
        };
        decision.put_key(&key.key, &body);
        decision.response = members([
            ("keyId", key.key.arn.as_str().into()),
            ("keyState", state.as_str().into()),
            ("deletionDate", deletion_date.map(|date| date.to_string()).into()),
            ("pendingWindowInDays", days.into()),
        ]);
        Ok(ScheduleKeyDeletionResponse {
            key_arn: key.key.arn.clone(),
            deletion_date,
            state,
            pending_window_in_days: days,
        })
    }
}
