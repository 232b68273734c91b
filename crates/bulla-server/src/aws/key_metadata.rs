use bulla_model::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeyState, MacAlgorithm, MaterialId,
    SigningAlgorithm,
};
use bulla_service::{MultiRegionConfiguration, RegionalKey};
use serde::Serialize;

use super::wire::{Seconds, as_text_if_any};

/// `KeyMetadata`, as `CreateKey`, `DescribeKey` and `ReplicateKey` answer it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyMetadata<'a> {
    #[serde(rename = "AWSAccountId")]
    aws_account_id: &'a str,
    key_id: &'a str,
    arn: &'a str,
    creation_date: Seconds,
    enabled: bool,
    description: &'a str,
    key_usage: &'a str,
    key_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_date: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<Seconds>,
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_model: Option<&'static str>,
    key_manager: &'static str,
    /// Deprecated, and there all the same, with the value of `KeySpec`.
    customer_master_key_spec: &'a str,
    key_spec: &'a str,
    #[serde(flatten)]
    algorithms: Algorithms,
    multi_region: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_region_configuration: Option<MultiRegion<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_deletion_window_in_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    current_key_material_id: Option<MaterialId>,
}

impl<'a> KeyMetadata<'a> {
    /// Borrows what the service says of a key.
    pub(super) fn of(key: &'a bulla_service::KeyMetadata) -> Self {
        Self {
            aws_account_id: key.account.as_str(),
            key_id: key.key_id.as_str(),
            arn: key.arn.as_str(),
            creation_date: Seconds(key.created),
            enabled: key.state == KeyState::Enabled,
            description: &key.description,
            key_usage: key.usage.as_str(),
            key_state: key.state.as_str(),
            deletion_date: key.deletion_date.map(Seconds),
            valid_to: key.valid_to.map(Seconds),
            origin: key.origin.as_str(),
            expiration_model: key.expiration_model.map(bulla_model::ExpirationModel::as_str),
            key_manager: "CUSTOMER",
            customer_master_key_spec: key.spec.as_str(),
            key_spec: key.spec.as_str(),
            algorithms: Algorithms::of(key),
            multi_region: key.multi_region.is_some(),
            multi_region_configuration: key.multi_region.as_ref().map(MultiRegion::of),
            pending_deletion_window_in_days: key.pending_window_in_days,
            current_key_material_id: key.current_key_material_id,
        }
    }
}

/// The lists of algorithms, each there only where it is not empty; `MacAlgorithms` is none of `GetPublicKey`'s.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Algorithms {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    encryption_algorithms: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signing_algorithms: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    key_agreement_algorithms: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    encapsulation_algorithms: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mac_algorithms: Vec<&'static str>,
}

impl Algorithms {
    /// Those that a key has for what it is for.
    pub(super) fn of(key: &bulla_service::KeyMetadata) -> Self {
        fn names<A: Copy>(algorithms: &[A], name: fn(A) -> &'static str) -> Vec<&'static str> {
            algorithms.iter().copied().map(name).collect()
        }
        Self {
            encryption_algorithms: names(key.encryption_algorithms(), EncryptionAlgorithm::as_str),
            signing_algorithms: names(key.signing_algorithms(), SigningAlgorithm::as_str),
            key_agreement_algorithms: names(key.key_agreement_algorithms(), KeyAgreementAlgorithm::as_str),
            encapsulation_algorithms: names(key.encapsulation_algorithms(), EncapsulationAlgorithm::as_str),
            mac_algorithms: names(key.mac_algorithms(), MacAlgorithm::as_str),
        }
    }
}

/// `MultiRegionConfiguration`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MultiRegion<'a> {
    multi_region_key_type: &'static str,
    primary_key: Regional<'a>,
    replica_keys: Vec<Regional<'a>>,
}

impl<'a> MultiRegion<'a> {
    fn of(configuration: &'a MultiRegionConfiguration) -> Self {
        Self {
            multi_region_key_type: configuration.kind.as_str(),
            primary_key: Regional::of(&configuration.primary),
            replica_keys: configuration.replicas.iter().map(Regional::of).collect(),
        }
    }
}

/// `MultiRegionKey`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Regional<'a> {
    arn: &'a str,
    region: &'a str,
}

impl<'a> Regional<'a> {
    fn of(key: &'a RegionalKey) -> Self {
        Self {
            arn: key.arn.as_str(),
            region: key.region.as_str(),
        }
    }
}
