use std::time::Duration;

use aws_sdk_kms::types::{KeyMetadata, KeySpec as AwsKeySpec, KeyState as AwsKeyState, KeyUsageType, OriginType, Tag};
use bulla_kms::KmsErrorKind::{Invalid, KeyDisabled, NotFound, Unavailable};
use bulla_kms::{KeyState, KmsError};

use crate::error::Failure;
use crate::new_key::{NewKey, NewKeyError, check_regions};
use crate::provider::state_of;
use crate::regions::RegionClient;
use crate::{AwsFault, AwsProvider};

const OPERATION: &str = "create key";

/// How long a replica may take until it can be named, and how often it is asked.
const REPLICA_TRIES: u32 = 60;
const REPLICA_WAIT: Duration = Duration::from_secs(1);

/// A key that was made, or that was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedKey {
    /// Its ARN.
    pub arn: String,
    /// `false` where the alias named it already.
    pub made: bool,
    /// The ARNs of its replicas that were made.
    pub replicas: Vec<String>,
}

impl AwsProvider {
    /// Makes a key in the first region, gives it its alias, and replicates it.
    ///
    /// With `if_missing`, a key that the alias names already is taken if it is one as described and can be used. Of two that
    /// make it at once, one wins the alias; what the other made is scheduled for deletion, unused.
    ///
    /// # Errors
    /// `Invalid` with a [`NewKeyError`] as its source, before any call, where the description contradicts itself; else as AWS
    /// answers. Where a later step fails, the source says what was made before.
    pub async fn create(&self, new: &NewKey) -> Result<CreatedKey, KmsError> {
        let name = new.alias.as_deref().unwrap_or("(new)");
        let usage = new
            .check(self.regions().home())
            .map_err(|error| KmsError::new(Invalid, OPERATION, name).with_source(error))?;
        let home = self.home(OPERATION, name)?;
        if let (true, Some(alias)) = (new.if_missing, &new.alias)
            && let Some(found) = found(&home, alias).await?
        {
            return fits(new, usage.as_str(), alias, &found);
        }
        let tags = new
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().tag_key(key).tag_value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>();
        let tags = tags.map_err(|error| KmsError::new(Invalid, OPERATION, name).with_source(error))?;
        let request = home
            .client
            .create_key()
            .key_spec(AwsKeySpec::from(new.spec.as_str()))
            .key_usage(KeyUsageType::from(usage.as_str()))
            .set_description((!new.description.is_empty()).then(|| new.description.clone()))
            .set_multi_region(new.multi_region.then_some(true))
            .set_origin(origin(new))
            .set_custom_key_store_id(new.custom_key_store.clone())
            .set_policy(new.policy.clone())
            .set_tags((!tags.is_empty()).then_some(tags));
        let answer = request.send().await.map_err(|error| failed(&home, name, &error))?;
        let made = answer.key_metadata.and_then(|metadata| metadata.arn);
        let arn =
            made.ok_or_else(|| KmsError::new(Unavailable, OPERATION, name).with_source("the answer names no key"))?;
        if let Some(alias) = &new.alias
            && let Err(error) = home
                .client
                .create_alias()
                .alias_name(alias)
                .target_key_id(&arn)
                .send()
                .await
        {
            let failure = Failure::read(&home.region, &error);
            let lost = failure.fault.code.as_deref() == Some("AlreadyExistsException");
            if !(lost && new.if_missing) {
                return Err(after(&arn, failure.kind, alias, failure.fault));
            }
            discard(&home, &arn).await;
            return match found(&home, alias).await? {
                Some(found) => fits(new, usage.as_str(), alias, &found),
                None => Err(after(&arn, Unavailable, alias, failure.fault)),
            };
        }
        let replicas = self
            .replicate_from(&home, &arn, &new.replica_regions, new.alias.as_deref())
            .await?;
        Ok(CreatedKey {
            arn,
            made: true,
            replicas,
        })
    }

    /// Makes replicas of a multi-Region primary key in other regions, and gives each the alias.
    ///
    /// # Errors
    /// `Invalid`, before a replica is asked for, where the key is none or no primary; else as AWS answers.
    pub async fn replicate(&self, key: &str, regions: &[String], alias: Option<&str>) -> Result<Vec<String>, KmsError> {
        const OPERATION: &str = "replicate key";
        let refused = |reason: String| KmsError::new(Invalid, OPERATION, key).with_source(reason);
        let (metadata, arn) = self.metadata_of(OPERATION, key).await?;
        let region = arn.split(':').nth(3).unwrap_or_default().to_owned();
        check_regions(Some(&region), regions).map_err(|error| refused(error.to_string()))?;
        let Some(configuration) = metadata.multi_region_configuration() else {
            return Err(refused(NewKeyError::ReplicasOfSingleRegion.to_string()));
        };
        if let Some(primary) = configuration.primary_key().and_then(|primary| primary.arn())
            && primary != arn
        {
            return Err(refused(format!("it is a replica; replicate the primary key {primary}")));
        }
        self.replicate_from(&self.regions().of(&region), &arn, regions, alias)
            .await
    }

    async fn replicate_from(
        &self,
        primary: &RegionClient,
        arn: &str,
        regions: &[String],
        alias: Option<&str>,
    ) -> Result<Vec<String>, KmsError> {
        let mut replicas = Vec::new();
        // By its id, which means this key in this region; moto knows it by nothing else.
        let id = arn.rsplit_once('/').map_or(arn, |(_, id)| id);
        for region in regions {
            let step = format!("the replica in {region}");
            let request = primary.client.replicate_key().key_id(id).replica_region(region);
            let answer = request.send().await.map_err(|error| {
                let failure = Failure::read(&primary.region, &error);
                after(arn, failure.kind, &step, failure.fault)
            })?;
            let replica = answer.replica_key_metadata.and_then(|metadata| metadata.arn);
            let replica = replica.unwrap_or_else(|| arn.replacen(&primary.region, region, 1));
            if let Some(alias) = alias {
                let there = self.regions().of(region);
                name_replica(&there, &replica, alias)
                    .await
                    .map_err(|failure| after(arn, failure.kind, &format!("{alias} in {region}"), failure.fault))?;
            }
            replicas.push(replica);
        }
        Ok(replicas)
    }
}

/// Names a replica as soon as AWS has made it: it is in the state Creating first.
async fn name_replica(there: &RegionClient, replica: &str, alias: &str) -> Result<(), Failure> {
    let mut tries = 1;
    loop {
        let request = there.client.create_alias().alias_name(alias).target_key_id(replica);
        let failure = match request.send().await {
            Ok(_) => return Ok(()),
            Err(error) => Failure::read(&there.region, &error),
        };
        if failure.fault.code.as_deref() == Some("AlreadyExistsException") {
            // A call that was made again, after its answer was lost, finds what it made itself.
            let named = there.client.describe_key().key_id(alias).send().await.ok();
            let named = named.and_then(|answer| answer.key_metadata?.arn);
            return if named.as_deref() == Some(replica) {
                Ok(())
            } else {
                Err(failure)
            };
        }
        let not_yet = matches!(failure.kind, KeyDisabled | NotFound);
        if !not_yet || tries >= REPLICA_TRIES {
            return Err(failure);
        }
        tries += 1;
        tokio::time::sleep(REPLICA_WAIT).await;
    }
}

fn origin(new: &NewKey) -> Option<OriginType> {
    match (&new.custom_key_store, new.external) {
        (Some(_), _) => Some(OriginType::AwsCloudhsm),
        (None, true) => Some(OriginType::External),
        (None, false) => None,
    }
}

/// The key that an alias names, if it names one.
async fn found(home: &RegionClient, alias: &str) -> Result<Option<KeyMetadata>, KmsError> {
    match home.client.describe_key().key_id(alias).send().await {
        Ok(answer) => Ok(answer.key_metadata),
        Err(error) => {
            let failure = Failure::read(&home.region, &error);
            if failure.kind == NotFound {
                return Ok(None);
            }
            Err(KmsError::new(failure.kind, OPERATION, alias).with_source(failure.fault))
        }
    }
}

/// Takes a key that is there, if it is one as described.
fn fits(new: &NewKey, usage: &str, alias: &str, found: &KeyMetadata) -> Result<CreatedKey, KmsError> {
    let arn = found.arn().unwrap_or_default().to_owned();
    let refused = |kind, reason: String| {
        Err(KmsError::new(kind, OPERATION, alias).with_source(format!("{alias} names {arn} already, {reason}")))
    };
    let (spec, found_usage) = (
        found.key_spec().map_or("SYMMETRIC_DEFAULT", |spec| spec.as_str()),
        found.key_usage().map_or("ENCRYPT_DECRYPT", |usage| usage.as_str()),
    );
    if (spec, found_usage) != (new.spec.as_str(), usage) {
        return refused(Invalid, format!("a key of spec {spec} for {found_usage}"));
    }
    if found.multi_region().unwrap_or(false) != new.multi_region {
        return refused(Invalid, "and only one of the two is a multi-Region key".to_owned());
    }
    if found.custom_key_store_id() != new.custom_key_store.as_deref() {
        return refused(Invalid, "which is in another key store".to_owned());
    }
    if (found.origin() == Some(&OriginType::External)) != new.external {
        return refused(Invalid, "and only one of the two takes imported material".to_owned());
    }
    let waits = new.external && found.key_state() == Some(&AwsKeyState::PendingImport);
    if state_of(found) != KeyState::Enabled && !waits {
        return refused(KeyDisabled, "which can't be used in its state".to_owned());
    }
    Ok(CreatedKey {
        arn,
        made: false,
        replicas: Vec::new(),
    })
}

/// Lets go of a key that lost its alias to another; nothing was ever encrypted under it.
async fn discard(home: &RegionClient, arn: &str) {
    let request = home
        .client
        .schedule_key_deletion()
        .key_id(arn)
        .pending_window_in_days(7);
    if let Err(error) = request.send().await {
        let fault = Failure::read(&home.region, &error).fault;
        tracing::warn!(arn, %fault, "a key that nothing uses is left over");
    }
}

fn failed<E>(
    region: &RegionClient,
    name: &str,
    error: &aws_sdk_kms::error::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> KmsError
where
    E: aws_sdk_kms::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let failure = Failure::read(&region.region, error);
    KmsError::new(failure.kind, OPERATION, name).with_source(failure.fault)
}

/// A step that failed after the key was made.
fn after(arn: &str, kind: bulla_kms::KmsErrorKind, step: &str, fault: AwsFault) -> KmsError {
    KmsError::new(kind, OPERATION, arn).with_source(format!("the key was made, and {step} was not: {fault}"))
}
