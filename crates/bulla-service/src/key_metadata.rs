use bulla_model::{
    AccountId, EncryptionAlgorithm, KeyArn, KeyId, KeyOrigin, KeySpec, KeyState, KeyUsage, MaterialId, Timestamp,
};

/// What AWS calls `KeyMetadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetadata {
    /// `AWSAccountId`.
    pub account: AccountId,
    /// `KeyId`.
    pub key_id: KeyId,
    /// `Arn`.
    pub arn: KeyArn,
    /// `CreationDate`.
    pub created: Timestamp,
    /// `Description`.
    pub description: String,
    /// `KeyUsage`.
    pub usage: KeyUsage,
    /// `KeyState`; `Enabled` (the boolean) is `state == Enabled`.
    pub state: KeyState,
    /// `DeletionDate`, present while pending deletion.
    pub deletion_date: Option<Timestamp>,
    /// `Origin`.
    pub origin: KeyOrigin,
    /// `KeySpec`; also the deprecated `CustomerMasterKeySpec`.
    pub spec: KeySpec,
    /// `EncryptionAlgorithms`.
    pub encryption_algorithms: Vec<EncryptionAlgorithm>,
    /// `MultiRegion`.
    pub multi_region: bool,
    /// `CurrentKeyMaterialId`.
    pub current_key_material_id: Option<MaterialId>,
}
