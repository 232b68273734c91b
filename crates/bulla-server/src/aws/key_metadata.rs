use bulla_model::{EncryptionAlgorithm, KeyState, MaterialId};
use serde::Serialize;

use super::wire::{Seconds, as_text_if_any};

/// `KeyMetadata`, as `CreateKey` and `DescribeKey` answer it.
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
    origin: &'a str,
    key_manager: &'static str,
    customer_master_key_spec: &'a str,
    key_spec: &'a str,
    encryption_algorithms: Vec<&'static str>,
    multi_region: bool,
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
            origin: key.origin.as_str(),
            key_manager: "CUSTOMER",
            customer_master_key_spec: key.spec.as_str(),
            key_spec: key.spec.as_str(),
            encryption_algorithms: key
                .encryption_algorithms
                .iter()
                .copied()
                .map(EncryptionAlgorithm::as_str)
                .collect(),
            multi_region: key.multi_region,
            current_key_material_id: key.current_key_material_id,
        }
    }
}
