use bulla_model::{KeyArn, Operation as Asked, Region};
use serde_json::{Map, Value};

use crate::authorised::{Authorised, KeyForms};
use crate::bodies::{KeyBody, MultiRegionBody};
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::row_ids::key_row;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `UpdatePrimaryRegion` is asked.
#[derive(Debug, Clone)]
pub struct UpdatePrimaryRegionRequest {
    /// Key id or key ARN of the primary; an alias is refused.
    pub key_id: String,
    /// Where one of its replicas is.
    pub primary_region: Region,
}

impl Service {
    /// Makes a replica the primary, and the primary a replica.
    ///
    /// AWS takes seconds for it, in which both keys are `Updating`; here all regions change in one moment, and neither ever is.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `Unsupported`, `AccessDenied`.
    pub async fn update_primary_region(
        &self,
        call: &Call,
        request: UpdatePrimaryRegionRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for UpdatePrimaryRegionRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "UpdatePrimaryRegion",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("primaryRegion", self.primary_region.as_str().into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let primary: Authorised<Self> = decision
            .authorise_key("kms:UpdatePrimaryRegion", &self.key_id, KeyForms::KeysOnly)
            .await?;
        primary.require_state(Asked::UpdatePrimaryRegion)?;
        let regions = primary.key.require_primary()?;
        let (account, _) = primary.key.place()?;
        if regions.primary == self.primary_region {
            return Err(ServiceError::Unsupported(format!(
                "{} is already the primary key in {}.",
                primary.key.arn, self.primary_region
            )));
        }
        // "The primary Region must already have a replica key."
        if !regions.replicas.contains(&self.primary_region) {
            let arn = KeyArn::new(&self.primary_region, &account, &primary.key.id);
            return Err(ServiceError::NotFound(format!("Key '{arn}' does not exist")));
        }
        let keys = decision.in_all_regions(&primary.key).await?;
        let row = key_row(&account, &self.primary_region, &primary.key.id).into();
        let replica: Authorised<Self> = decision.authorise_row("kms:UpdatePrimaryRegion", &row).await?;
        replica.require_state(Asked::UpdatePrimaryRegion)?;
        let mut replicas: Vec<Region> = regions
            .regions()
            .filter(|region| **region != self.primary_region)
            .cloned()
            .collect();
        replicas.sort();
        let regions = MultiRegionBody {
            primary: self.primary_region.clone(),
            replicas,
        };
        decision.put_keys(&keys, |key| KeyBody {
            multi_region: Some(regions.clone()),
            ..key.body.clone()
        });
        decision.response = members([("keyId", primary.key.arn.as_str().into())]);
        Ok(())
    }
}
