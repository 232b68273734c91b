//! The operations of the AWS KMS API, one file each.

mod cancel_key_deletion;
pub(crate) mod create_alias;
mod create_key;
pub(crate) mod data_key;
mod decrypt;
mod delete_alias;
mod describe_key;
mod disable_key;
mod disable_key_rotation;
mod enable_key;
mod enable_key_rotation;
mod encrypt;
mod generate_data_key;
mod generate_data_key_without_plaintext;
mod generate_random;
mod get_key_rotation_status;
mod list_aliases;
pub(crate) mod list_key_rotations;
mod list_keys;
mod re_encrypt;
mod rotate_key_on_demand;
mod schedule_key_deletion;
mod update_alias;
mod update_key_description;

pub use cancel_key_deletion::{CancelKeyDeletionRequest, CancelKeyDeletionResponse};
pub use create_alias::CreateAliasRequest;
pub use create_key::{CreateKeyRequest, CreateKeyResponse};
pub use decrypt::{DecryptRequest, DecryptResponse};
pub use delete_alias::DeleteAliasRequest;
pub use describe_key::{DescribeKeyRequest, DescribeKeyResponse};
pub use disable_key::DisableKeyRequest;
pub use disable_key_rotation::DisableKeyRotationRequest;
pub use enable_key::EnableKeyRequest;
pub use enable_key_rotation::EnableKeyRotationRequest;
pub use encrypt::{EncryptRequest, EncryptResponse};
pub use generate_data_key::{GenerateDataKeyRequest, GenerateDataKeyResponse};
pub use generate_data_key_without_plaintext::{
    GenerateDataKeyWithoutPlaintextRequest, GenerateDataKeyWithoutPlaintextResponse,
};
pub use generate_random::{GenerateRandomRequest, GenerateRandomResponse};
pub use get_key_rotation_status::{GetKeyRotationStatusRequest, GetKeyRotationStatusResponse};
pub use list_aliases::{AliasEntry, ListAliasesRequest, ListAliasesResponse};
pub use list_key_rotations::{ListKeyRotationsRequest, ListKeyRotationsResponse, RotationEntry};
pub use list_keys::{ListKeysRequest, ListKeysResponse};
pub use re_encrypt::{ReEncryptRequest, ReEncryptResponse};
pub use rotate_key_on_demand::{RotateKeyOnDemandRequest, RotateKeyOnDemandResponse};
pub use schedule_key_deletion::{ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse};
pub use update_alias::UpdateAliasRequest;
pub use update_key_description::UpdateKeyDescriptionRequest;
