use aws_sdk_kms::primitives::DateTime;
use aws_sdk_kms::types::{KeyMetadata, OriginType};
use bulla_kms::KmsErrorKind::{AccessDenied, Unsupported};
use bulla_kms::{KeySpec, KmsError};

use crate::AwsProvider;
use crate::error::Failure;
use crate::regions::RegionClient;

const DAY_SECONDS: i64 = 86_400;

/// A key of AWS KMS as it is described to people; times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// Its ARN.
    pub arn: String,
    /// Its id.
    pub key_id: String,
    /// Its spec, in AWS's words.
    pub spec: String,
    /// What it is for, in AWS's words.
    pub usage: String,
    /// Its state, in AWS's words.
    pub state: String,
    /// Where its material comes from, in AWS's words.
    pub origin: String,
    /// What people wrote of it.
    pub description: String,
    /// The custom key store that holds it.
    pub custom_key_store: Option<String>,
    /// When it was made.
    pub created_seconds: Option<i64>,
    /// When it will be gone.
    pub deletion_seconds: Option<i64>,
    /// When its imported material ends.
    pub valid_to_seconds: Option<i64>,
    /// Where else it is.
    pub multi_region: Option<MultiRegion>,
    /// How it gets new material.
    pub rotation: Rotation,
    /// Days since its material was made: since it was last rotated, else since it was made.
    pub material_age_days: Option<u32>,
}

/// Where a multi-Region key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiRegion {
    /// Whether this is the primary key.
    pub is_primary: bool,
    /// The primary key's ARN.
    pub primary_arn: String,
    /// The ARNs of all replicas.
    pub replica_arns: Vec<String>,
}

/// How a key gets new material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// Keys of its spec, origin or store get none: another key takes its place.
    Never,
    /// These credentials may not ask.
    Unknown,
    /// It can be rotated.
    Possible {
        /// Days from one rotation to the next, where it is rotated by itself.
        every_days: Option<u32>,
        /// When it will be rotated by itself.
        next_seconds: Option<i64>,
        /// When it was last rotated.
        last_seconds: Option<i64>,
    },
}

/// From which age of its material on a key is due for rotation, and from which it counts as expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy {
    /// Due from this age on; 90 days by default.
    pub due_days: u32,
    /// Expired from this age on; 365 days by default.
    pub expired_days: u32,
}

/// What a [`RotationPolicy`] says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Its material is young enough.
    Fresh,
    /// It is time to rotate or replace it.
    Due,
    /// It should have been rotated or replaced.
    Expired,
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self {
            due_days: 90,
            expired_days: 365,
        }
    }
}

impl RotationPolicy {
    /// Judges material of this age.
    #[must_use]
    pub fn judge(&self, age_days: u32) -> Freshness {
        if age_days >= self.expired_days {
            Freshness::Expired
        } else if age_days >= self.due_days {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }
}

impl AwsProvider {
    /// Describes a key, its rotation and its age; `now_seconds` is the time since 1970-01-01 UTC.
    ///
    /// Asks `DescribeKey`, and for a key that can be rotated `GetKeyRotationStatus` and `ListKeyRotations`; where the
    /// credentials may not ask these, the rotation is [`Unknown`](Rotation::Unknown).
    ///
    /// # Errors
    /// As AWS answers.
    pub async fn report(&self, key: &str, now_seconds: i64) -> Result<KeyReport, KmsError> {
        let (metadata, arn) = self.metadata_of("describe", key).await?;
        let region = arn.split(':').nth(3).unwrap_or_default();
        let rotation = match cannot_rotate(&metadata) {
            Some(_) => Rotation::Never,
            None => rotation(&self.regions().of(region), &arn).await?,
        };
        let created_seconds = metadata.creation_date().map(DateTime::secs);
        let since = match rotation {
            Rotation::Possible { last_seconds, .. } => last_seconds.or(created_seconds),
            Rotation::Never | Rotation::Unknown => created_seconds,
        };
        let days = |since: i64| u32::try_from((now_seconds - since).max(0) / DAY_SECONDS).unwrap_or(u32::MAX);
        Ok(KeyReport {
            key_id: metadata.key_id().to_owned(),
            spec: metadata
                .key_spec()
                .map_or("SYMMETRIC_DEFAULT", |spec| spec.as_str())
                .to_owned(),
            usage: metadata
                .key_usage()
                .map_or("ENCRYPT_DECRYPT", |usage| usage.as_str())
                .to_owned(),
            state: metadata.key_state().map_or("", |state| state.as_str()).to_owned(),
            origin: metadata.origin().map_or("", |origin| origin.as_str()).to_owned(),
            description: metadata.description().unwrap_or_default().to_owned(),
            custom_key_store: metadata.custom_key_store_id().map(str::to_owned),
            created_seconds,
            deletion_seconds: metadata.deletion_date().map(DateTime::secs),
            valid_to_seconds: metadata.valid_to().map(DateTime::secs),
            multi_region: multi_region(&metadata, &arn),
            material_age_days: since.map(days),
            rotation,
            arn,
        })
    }
}

/// Why a key can't get new material, if it can't.
pub(crate) fn cannot_rotate(metadata: &KeyMetadata) -> Option<String> {
    let spec = metadata.key_spec().map_or("SYMMETRIC_DEFAULT", |spec| spec.as_str());
    if spec.parse::<KeySpec>().is_ok_and(|spec| !spec.can_rotate()) {
        return Some(format!(
            "a key of spec {spec} has one material for ever; make another key and move the alias"
        ));
    }
    if let Some(store) = metadata.custom_key_store_id() {
        return Some(format!(
            "a key in the custom key store {store} has one material for ever"
        ));
    }
    match metadata.origin() {
        Some(OriginType::AwsCloudhsm | OriginType::ExternalKeyStore) => {
            Some("a key whose material is outside KMS is rotated there".to_owned())
        }
        _ => None,
    }
}

async fn rotation(region: &RegionClient, arn: &str) -> Result<Rotation, KmsError> {
    let told = |failure: Failure| match failure.kind {
        AccessDenied | Unsupported => Ok(Rotation::Unknown),
        kind => Err(KmsError::new(kind, "describe", arn).with_source(failure.fault)),
    };
    let status = match region.client.get_key_rotation_status().key_id(arn).send().await {
        Ok(status) => status,
        Err(error) => return told(Failure::read(&region.region, &error)),
    };
    let mut last_seconds = None;
    let mut pages = region.client.list_key_rotations().key_id(arn).into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                let dates = page.rotations().iter().filter_map(|rotation| rotation.rotation_date());
                last_seconds = last_seconds.max(dates.map(DateTime::secs).max());
            }
            Err(error) => return told(Failure::read(&region.region, &error)),
        }
    }
    let days = status.rotation_period_in_days.and_then(|days| u32::try_from(days).ok());
    Ok(Rotation::Possible {
        // A year is what AWS rotates by where it says no period.
        every_days: status.key_rotation_enabled.then_some(days.unwrap_or(365)),
        next_seconds: status.next_rotation_date.as_ref().map(DateTime::secs),
        last_seconds,
    })
}

fn multi_region(metadata: &KeyMetadata, arn: &str) -> Option<MultiRegion> {
    let configuration = metadata.multi_region_configuration()?;
    let primary_arn = configuration
        .primary_key()
        .and_then(|primary| primary.arn())
        .unwrap_or_default();
    let replicas = configuration.replica_keys().iter().filter_map(|replica| replica.arn());
    Some(MultiRegion {
        is_primary: primary_arn == arn,
        primary_arn: primary_arn.to_owned(),
        replica_arns: replicas.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn material_is_due_at_90_days_and_expired_at_365() {
        let policy = RotationPolicy::default();
        for (age, freshness) in [
            (0, Freshness::Fresh),
            (89, Freshness::Fresh),
            (90, Freshness::Due),
            (364, Freshness::Due),
            (365, Freshness::Expired),
            (4000, Freshness::Expired),
        ] {
            assert_eq!(policy.judge(age), freshness, "{age}");
        }
    }
}
