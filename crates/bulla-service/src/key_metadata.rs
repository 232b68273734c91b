use bulla_model::{
    AccountId, EncapsulationAlgorithm, EncryptionAlgorithm, ExpirationModel, KeyAgreementAlgorithm, KeyArn, KeyId,
    KeyOrigin, KeySpec, KeyState, KeyUsage, MacAlgorithm, MaterialId, MultiRegionKeyType, Region, SigningAlgorithm,
    Timestamp,
};

use crate::bodies::KeyBody;
use crate::row_ids::parse_key_row;

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
    /// `MultiRegionConfiguration`; `MultiRegion` is whether it is there.
    pub multi_region: Option<MultiRegionConfiguration>,
    /// `PendingDeletionWindowInDays`, present while a primary waits for its replicas to be deleted.
    pub pending_window_in_days: Option<u32>,
    /// `ExpirationModel`, present while imported material is there.
    pub expiration_model: Option<ExpirationModel>,
    /// `ValidTo`, present while imported material is there that expires.
    pub valid_to: Option<Timestamp>,
    /// `CurrentKeyMaterialId`: for symmetric encryption keys that have material.
    pub current_key_material_id: Option<MaterialId>,
}

/// The keys of a multi-Region key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiRegionConfiguration {
    /// Which of them this one is.
    pub kind: MultiRegionKeyType,
    /// The primary.
    pub primary: RegionalKey,
    /// All replicas.
    pub replicas: Vec<RegionalKey>,
}

/// One of the keys of a multi-Region key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionalKey {
    /// Its ARN.
    pub arn: KeyArn,
    /// Its region.
    pub region: Region,
}

impl KeyMetadata {
    /// Tells what the row of a key says; `None` where the row's id is none of a key.
    pub(crate) fn of(row: &str, body: &KeyBody) -> Option<Self> {
        let (account, region, key_id) = parse_key_row(row)?;
        let regional = |region: &Region| RegionalKey {
            arn: KeyArn::new(region, &account, &key_id),
            region: region.clone(),
        };
        let multi_region = body.multi_region.as_ref().map(|keys| MultiRegionConfiguration {
            kind: if keys.primary == region {
                MultiRegionKeyType::Primary
            } else {
                MultiRegionKeyType::Replica
            },
            primary: regional(&keys.primary),
            replicas: keys.replicas.iter().map(regional).collect(),
        });
        let expiration = body.expiration.as_ref();
        Some(Self {
            arn: KeyArn::new(&region, &account, &key_id),
            account,
            key_id,
            created: body.created,
            description: body.description.clone(),
            usage: body.usage,
            state: body.state,
            deletion_date: body.deletion_date,
            origin: body.origin,
            spec: body.spec,
            multi_region,
            pending_window_in_days: body
                .pending_window_days
                .filter(|_| body.state == KeyState::PendingReplicaDeletion),
            expiration_model: expiration.map(|expiration| expiration.model),
            valid_to: expiration.and_then(|expiration| expiration.valid_to),
            current_key_material_id: body.current.filter(|_| body.spec == KeySpec::SymmetricDefault),
        })
    }

    /// `EncryptionAlgorithms`; none where the key is not for encryption, and so with the others.
    pub fn encryption_algorithms(&self) -> &'static [EncryptionAlgorithm] {
        self.where_used(KeyUsage::EncryptDecrypt, self.spec.encryption_algorithms())
    }

    /// `SigningAlgorithms`.
    pub fn signing_algorithms(&self) -> &'static [SigningAlgorithm] {
        self.where_used(KeyUsage::SignVerify, self.spec.signing_algorithms())
    }

    /// `MacAlgorithms`.
    pub fn mac_algorithms(&self) -> &'static [MacAlgorithm] {
        self.where_used(KeyUsage::GenerateVerifyMac, self.spec.mac_algorithms())
    }

    /// `KeyAgreementAlgorithms`.
    pub fn key_agreement_algorithms(&self) -> &'static [KeyAgreementAlgorithm] {
        self.where_used(KeyUsage::KeyAgreement, self.spec.key_agreement_algorithms())
    }

    /// `EncapsulationAlgorithms`.
    pub fn encapsulation_algorithms(&self) -> &'static [EncapsulationAlgorithm] {
        self.where_used(KeyUsage::EncapsulateDecapsulate, self.spec.encapsulation_algorithms())
    }

    fn where_used<A>(&self, usage: KeyUsage, algorithms: &'static [A]) -> &'static [A] {
        if self.usage == usage { algorithms } else { &[] }
    }
}
