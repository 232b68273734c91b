use std::fmt::Write as _;

use bulla_kms_aws::{Freshness, KeyReport, Rotation, RotationPolicy};
use bulla_model::{Clock as _, SystemClock, Timestamp};
use clap::Args;
use serde_json::{Value, json};

use super::Common;
use super::service::Service;
use crate::failure::Explained;
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// Key id, key ARN, alias/name or alias ARN
    key: String,
    /// From this age of its material on the key is due for rotation
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    due_days: u32,
    /// From this age of its material on the key counts as expired
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    expired_days: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Describe {
    pub(super) async fn carry_out(&self, service: &Service) -> Result<(), anyhow::Error> {
        if self.due_days > self.expired_days {
            return Err(Explained::misuse("a key is due before it is expired").into());
        }
        let policy = RotationPolicy {
            due_days: self.due_days,
            expired_days: self.expired_days,
        };
        let now = SystemClock.now().as_micros().div_euclid(1_000_000);
        let report = service.provider.report(&self.key, now).await;
        let report = report.map_err(|error| service.explain(error))?;
        match self.common.output {
            Format::Json => output::json(&document(&report, policy)),
            Format::Text => output::bytes(text(&report, policy).as_bytes()),
        }
    }
}

/// A key as lines for people.
pub(super) fn text(key: &KeyReport, policy: RotationPolicy) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let value = value.replace(char::is_control, "\u{fffd}");
        // Writing to a text can't fail.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("key id", &key.key_id);
    line("arn", &key.arn);
    line("spec", &format!("{} for {}", key.spec, key.usage));
    line("state", &key.state);
    line("origin", &key.origin);
    for (name, seconds) in [
        ("created", key.created_seconds),
        ("gone on", key.deletion_seconds),
        ("valid to", key.valid_to_seconds),
    ] {
        if let Some(seconds) = seconds {
            line(name, &time(seconds));
        }
    }
    if !key.description.is_empty() {
        line("description", &key.description);
    }
    if let Some(store) = &key.custom_key_store {
        line("key store", store);
    }
    line("rotation", &rotation(&key.rotation));
    if let Some(days) = key.material_age_days {
        let verdict = match policy.judge(days) {
            Freshness::Fresh => "fresh",
            Freshness::Due => "due for rotation",
            Freshness::Expired => "expired",
        };
        line("material", &format!("{days} days old, {verdict}"));
    }
    if let Some(all) = &key.multi_region {
        line("multi-Region", if all.is_primary { "primary" } else { "replica" });
        line("primary", &all.primary_arn);
        for replica in &all.replica_arns {
            line("replica", replica);
        }
    }
    text
}

fn rotation(rotation: &Rotation) -> String {
    match rotation {
        Rotation::Never => "never: another key takes its place".to_owned(),
        Rotation::Unknown => "not known: these credentials may not ask".to_owned(),
        Rotation::Possible {
            every_days,
            next_seconds,
            last_seconds,
        } => {
            let mut parts = vec![every_days.map_or("on demand".to_owned(), |days| format!("every {days} days"))];
            parts.extend(next_seconds.map(|next| format!("next on {}", time(next))));
            parts.extend(last_seconds.map(|last| format!("last on {}", time(last))));
            parts.join(", ")
        }
    }
}

/// A key as a document for programs, in AWS's words where AWS has them.
pub(super) fn document(key: &KeyReport, policy: RotationPolicy) -> Value {
    let verdict = key.material_age_days.map(|days| policy.judge(days));
    let mut document = json!({
        "KeyId": key.key_id,
        "Arn": key.arn,
        "KeyState": key.state,
        "Enabled": key.state == "Enabled",
        "Description": key.description,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        "Origin": key.origin,
        "CustomKeyStoreId": key.custom_key_store,
        "CreationDate": key.created_seconds.map(time),
        "DeletionDate": key.deletion_seconds.map(time),
        "ValidTo": key.valid_to_seconds.map(time),
        "MultiRegion": key.multi_region.is_some(),
        "MaterialAgeDays": key.material_age_days,
        "Due": verdict.map(|verdict| verdict != Freshness::Fresh),
        "Expired": verdict.map(|verdict| verdict == Freshness::Expired),
    });
    if let Some(all) = &key.multi_region {
        document["MultiRegionKeyType"] = json!(if all.is_primary { "PRIMARY" } else { "REPLICA" });
        document["PrimaryKeyArn"] = json!(all.primary_arn);
        document["ReplicaKeyArns"] = json!(all.replica_arns);
    }
    if let Rotation::Possible {
        every_days,
        next_seconds,
        last_seconds,
    } = &key.rotation
    {
        document["KeyRotationEnabled"] = json!(every_days.is_some());
        document["RotationPeriodInDays"] = json!(every_days);
        document["NextRotationDate"] = json!(next_seconds.map(time));
        document["LastRotationDate"] = json!(last_seconds.map(time));
    }
    document
}

fn time(seconds: i64) -> String {
    // Up to the end of the year 9999, the last that the form can say.
    let seconds = seconds.clamp(0, 253_402_300_799);
    Timestamp::from_micros(seconds * 1_000_000).to_string()
}
