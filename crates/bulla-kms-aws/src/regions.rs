use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_kms::Client;
use tokio::time::Instant;

use crate::AwsConfig;
use crate::key_name::KeyName;

/// The clients of all regions, and which of them failed lately.
pub(crate) struct Regions {
    sdk: SdkConfig,
    configured: Vec<Arc<RegionClient>>,
    others: RwLock<BTreeMap<String, Arc<RegionClient>>>,
    penalty: Duration,
}

/// KMS in one region.
#[derive(Debug)]
pub(crate) struct RegionClient {
    pub(crate) region: String,
    endpoint_url: Option<String>,
    pub(crate) client: Client,
    failed: Mutex<Option<Instant>>,
}

/// A call that has not ended. Dropped before its end, it counts as a failure of its region.
pub(crate) struct Pending<'a>(Option<&'a RegionClient>);

impl Pending<'_> {
    pub(crate) fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(region) = self.0 {
            region.note(true);
        }
    }
}

impl Regions {
    pub(crate) fn new(sdk: SdkConfig, config: &AwsConfig) -> Self {
        let mut configured: Vec<_> = config
            .regions
            .iter()
            .map(|region| RegionClient::new(&sdk, &region.name, region.endpoint_url.as_deref()))
            .collect();
        if configured.is_empty() {
            configured.extend(
                sdk.region()
                    .map(|region| RegionClient::new(&sdk, region.as_ref(), None)),
            );
        }
        Self {
            sdk,
            configured,
            others: RwLock::default(),
            penalty: config.region_penalty,
        }
    }

    pub(crate) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The region where aliases and bare ids are looked up.
    pub(crate) fn home(&self) -> Option<&str> {
        self.configured.first().map(|region| region.region.as_str())
    }

    /// The regions in which to ask for a key, in order: its own, then, for a key that may have replicas, those configured;
    /// those that failed within the penalty last. Empty where no region is known.
    pub(crate) fn candidates(&self, key: &KeyName<'_>) -> Vec<Arc<RegionClient>> {
        let mut candidates = match key.region() {
            Some(region) => vec![self.of(region)],
            None => self.configured.first().cloned().into_iter().collect(),
        };
        if key.may_have_replicas() {
            for region in &self.configured {
                if candidates.iter().all(|known| known.region != region.region) {
                    candidates.push(Arc::clone(region));
                }
            }
        }
        let now = Instant::now();
        candidates.sort_by_key(|region| region.is_penalised(now, self.penalty));
        candidates
    }

    /// The endpoint that is set for a region, if one is.
    pub(crate) fn endpoint(&self, region: &str) -> Option<String> {
        self.of(region).endpoint_url.clone()
    }

    /// KMS in a region.
    pub(crate) fn of(&self, region: &str) -> Arc<RegionClient> {
        if let Some(known) = self.configured.iter().find(|known| known.region == region) {
            return Arc::clone(known);
        }
        if let Some(known) = self.others.read().unwrap_or_else(PoisonError::into_inner).get(region) {
            return Arc::clone(known);
        }
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        // Names come from callers; their number is bounded by AWS's regions, and here for those who make names up.
        if others.len() >= 64 {
            others.clear();
        }
        Arc::clone(
            others
                .entry(region.to_owned())
                .or_insert_with(|| RegionClient::new(&self.sdk, region, None)),
        )
    }
}

impl RegionClient {
    fn new(sdk: &SdkConfig, region: &str, endpoint_url: Option<&str>) -> Arc<Self> {
        let mut builder = aws_sdk_kms::config::Builder::from(sdk).region(Region::new(region.to_owned()));
        if let Some(url) = endpoint_url {
            builder = builder.endpoint_url(url);
        }
        let client = Client::from_conf(builder.build());
        let endpoint_url = endpoint_url.or(sdk.endpoint_url()).map(str::to_owned);
        Arc::new(Self {
            region: region.to_owned(),
            endpoint_url,
            client,
            failed: Mutex::default(),
        })
    }

    /// Notes that the region failed, unless its call comes to an end.
    pub(crate) fn pending(&self) -> Pending<'_> {
        Pending(Some(self))
    }

    /// Notes that the region failed, or that it answered.
    pub(crate) fn note(&self, failed: bool) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed.then(Instant::now);
    }

    fn is_penalised(&self, now: Instant, penalty: Duration) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| now.duration_since(at) < penalty)
    }
}
