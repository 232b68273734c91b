use bulla_model::{KeyOrigin, KeySpec, KeyUsage};
use bulla_service::{Call, CreateKeyRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Flag, List, Object, Text, parse};
use super::key_metadata::KeyMetadata;
use super::validation::{
    CUSTOM_KEY_STORE_ID, CUSTOMER_MASTER_KEY_SPECS, Checks, DESCRIPTION, KEY_SPECS, KEY_USAGES, ORIGINS, POLICY,
    TagInput, XKS_KEY_ID,
};
use super::wire::{Failure, Reply};

/// Answers `CreateKey`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.create_key(call, parse::<Input>(body)?.check()?).await?;
    Reply::json(
        &Output {
            key_metadata: KeyMetadata::of(&response.key),
        },
        0,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    policy: Option<Text>,
    description: Option<Text>,
    key_usage: Option<Text>,
    customer_master_key_spec: Option<Text>,
    key_spec: Option<Text>,
    origin: Option<Text>,
    custom_key_store_id: Option<Text>,
    bypass_policy_lockout_safety_check: Option<Flag>,
    tags: Option<List<Object<TagInput>>>,
    multi_region: Option<Flag>,
    xks_key_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<CreateKeyRequest, Failure> {
        let mut checks = Checks::default();
        let both_specs = self.customer_master_key_spec.is_some() && self.key_spec.is_some();
        let policy = checks.text("policy", self.policy, &POLICY);
        let description = checks
            .text("description", self.description, &DESCRIPTION)
            .unwrap_or_default();
        let no_usage = self.key_usage.is_none();
        let usage = checks.value("keyUsage", self.key_usage, KEY_USAGES, KeyUsage::EncryptDecrypt);
        let old_spec = checks.choice(
            "customerMasterKeySpec",
            self.customer_master_key_spec,
            CUSTOMER_MASTER_KEY_SPECS,
        );
        let spec = checks.choice("keySpec", self.key_spec, KEY_SPECS);
        let spec = spec.or(old_spec).and_then(|name| name.parse().ok());
        let spec = spec.unwrap_or(KeySpec::SymmetricDefault);
        let origin = checks.value("origin", self.origin, ORIGINS, KeyOrigin::AwsKms);
        let store = checks.text("customKeyStoreId", self.custom_key_store_id, &CUSTOM_KEY_STORE_ID);
        let bypass = checks.flag(self.bypass_policy_lockout_safety_check);
        let tags = checks.tags(self.tags);
        let multi_region = checks.flag(self.multi_region);
        let external = checks.text("xksKeyId", self.xks_key_id, &XKS_KEY_ID);
        if both_specs {
            checks.refuse(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
            );
        }
        if no_usage && spec != KeySpec::SymmetricDefault {
            checks.refuse("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.");
        }
        if external.is_some() && store.is_none() {
            // Not confirmed.
            checks.refuse("XksKeyId is valid only with Origin EXTERNAL_KEY_STORE and a CustomKeyStoreId.");
        }
        let request = CreateKeyRequest {
            description,
            usage,
            spec,
            origin,
            tags,
            policy,
            bypass_policy_lockout_safety_check: bypass,
            multi_region,
            custom_key_store_id: store,
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_metadata: KeyMetadata<'a>,
}
