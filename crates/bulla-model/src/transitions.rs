use crate::{KeyOrigin, KeyState};

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What is asked of an existing key; each variant is named after its AWS operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $($(#[$doc])* $name),*
        }

        impl Operation {
            /// Every operation that names a key, sorted by name.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),*];

            /// AWS's name.
            pub fn as_str(self) -> &'static str {
                match self { $(Operation::$name => stringify!($name)),* }
            }
        }
    };
}

operations! {
    /// Cancel a scheduled deletion.
    CancelKeyDeletion,
    /// Give the key an alias.
    CreateAlias,
    /// Permit others to use the key.
    CreateGrant,
    /// Recover a shared secret.
    Decapsulate,
    /// Decrypt.
    Decrypt,
    /// Remove an alias of the key.
    DeleteAlias,
    /// Delete imported material.
    DeleteImportedKeyMaterial,
    /// Agree on a secret.
    DeriveSharedSecret,
    /// Tell the key's metadata.
    DescribeKey,
    /// Disable.
    DisableKey,
    /// Stop automatic rotation.
    DisableKeyRotation,
    /// Enable.
    EnableKey,
    /// Start automatic rotation.
    EnableKeyRotation,
    /// Make a shared secret for the key.
    Encapsulate,
    /// Encrypt.
    Encrypt,
    /// Make a data key.
    GenerateDataKey,
    /// Make a data key pair.
    GenerateDataKeyPair,
    /// Make a data key pair, the private half wrapped only.
    GenerateDataKeyPairWithoutPlaintext,
    /// Make a data key, wrapped only.
    GenerateDataKeyWithoutPlaintext,
    /// Make a MAC.
    GenerateMac,
    /// Tell when the key was used last.
    GetKeyLastUsage,
    /// Tell the key's policy.
    GetKeyPolicy,
    /// Tell the rotation settings.
    GetKeyRotationStatus,
    /// Prepare an import of material.
    GetParametersForImport,
    /// Tell the public half.
    GetPublicKey,
    /// Import material.
    ImportKeyMaterial,
    /// List aliases of the key.
    ListAliases,
    /// List grants on the key.
    ListGrants,
    /// List the names of the key's policies.
    ListKeyPolicies,
    /// List rotations.
    ListKeyRotations,
    /// List the key's tags.
    ListResourceTags,
    /// Set the key's policy.
    PutKeyPolicy,
    /// Decrypt and encrypt again; both keys.
    ReEncrypt,
    /// Make a replica in another region.
    ReplicateKey,
    /// Give a grant up.
    RetireGrant,
    /// Take a grant away.
    RevokeGrant,
    /// Rotate now.
    RotateKeyOnDemand,
    /// Schedule deletion.
    ScheduleKeyDeletion,
    /// Sign.
    Sign,
    /// Set tags.
    TagResource,
    /// Remove tags.
    UntagResource,
    /// Point an alias at the key.
    UpdateAlias,
    /// Change the description.
    UpdateKeyDescription,
    /// Make a replica the primary.
    UpdatePrimaryRegion,
    /// Check a signature.
    Verify,
    /// Check a MAC.
    VerifyMac,
}

/// Why a key refuses an operation in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// AWS's `DisabledException`: `<arn> is disabled.`
    Disabled,
    /// AWS's `KMSInvalidStateException`: `<arn> is <words>.`
    InvalidState(&'static str),
    /// AWS's `UnsupportedOperationException`: `<arn> origin is <origin> which is not valid for this operation.`
    Origin(KeyOrigin),
}

/// Tells whether a key in `state`, with material from `origin`, may be asked `operation`.
///
/// Source: the table at <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html> and its footnotes 6 to 9 on origins;
/// the words of `PendingReplicaDeletion`, `Creating` and `Updating` are not confirmed.
///
/// # Errors
/// The refusal that AWS answers.
pub fn permit(operation: Operation, state: KeyState, origin: KeyOrigin) -> Result<(), Refusal> {
    use KeyState as S;
    use Operation as O;
    let refused = Err(match state {
        S::Creating => Refusal::InvalidState("creating"),
        // What is refused to an enabled key is refused for want of a deletion to cancel.
        S::Enabled => Refusal::InvalidState("not pending deletion"),
        S::Disabled => Refusal::Disabled,
        S::PendingDeletion => Refusal::InvalidState("pending deletion"),
        S::PendingImport => Refusal::InvalidState("pending import"),
        S::PendingReplicaDeletion => Refusal::InvalidState("pending replica deletion"),
        S::Unavailable => Refusal::InvalidState("unavailable"),
        S::Updating => Refusal::InvalidState("updating"),
    });
    let in_custom_store = matches!(origin, KeyOrigin::AwsCloudHsm | KeyOrigin::ExternalKeyStore);
    let wrong_origin = Err(Refusal::Origin(origin));
    match operation {
        O::DescribeKey
        | O::GetKeyLastUsage
        | O::GetKeyPolicy
        | O::ListAliases
        | O::ListGrants
        | O::ListKeyPolicies
        | O::ListKeyRotations
        | O::ListResourceTags
        | O::DeleteAlias
        | O::PutKeyPolicy
        | O::RetireGrant
        | O::RevokeGrant => Ok(()),
        O::Decapsulate
        | O::Decrypt
        | O::DeriveSharedSecret
        | O::Encapsulate
        | O::Encrypt
        | O::GenerateDataKey
        | O::GenerateDataKeyWithoutPlaintext
        | O::GenerateMac
        | O::ReEncrypt
        | O::Sign
        | O::Verify
        | O::VerifyMac => match state {
            // "While the key state is Updating, you can use the keys in cryptographic operations."
            S::Enabled | S::Updating => Ok(()),
            _ => refused,
        },
        O::GenerateDataKeyPair | O::GenerateDataKeyPairWithoutPlaintext => match state {
            S::Enabled | S::Updating if in_custom_store => wrong_origin,
            S::Enabled | S::Updating => Ok(()),
            _ => refused,
        },
        O::GetPublicKey => match state {
            S::Enabled | S::Disabled | S::Updating => Ok(()),
            _ => refused,
        },
        O::CreateGrant => match state {
            S::Enabled | S::Unavailable | S::Updating => Ok(()),
            _ => refused,
        },
        O::CreateAlias | O::UpdateAlias | O::UpdateKeyDescription | O::TagResource | O::UntagResource => match state {
            S::PendingDeletion | S::PendingReplicaDeletion => refused,
            _ => Ok(()),
        },
        O::EnableKey | O::DisableKey => match state {
            S::Enabled | S::Disabled | S::Unavailable => Ok(()),
            _ => refused,
        },
        O::ScheduleKeyDeletion => match state {
            S::PendingDeletion | S::PendingReplicaDeletion | S::Updating => refused,
            _ => Ok(()),
        },
        O::CancelKeyDeletion => match state {
            S::PendingDeletion | S::PendingReplicaDeletion => Ok(()),
            _ => Err(Refusal::InvalidState("not pending deletion")),
        },
        O::EnableKeyRotation | O::DisableKeyRotation => match state {
            S::PendingImport => wrong_origin,
            S::Unavailable if in_custom_store => wrong_origin,
            S::Enabled | S::Updating if origin != KeyOrigin::AwsKms => wrong_origin,
            S::Enabled | S::Updating => Ok(()),
            _ => refused,
        },
        O::RotateKeyOnDemand => match state {
            S::Enabled | S::Updating | S::Unavailable if in_custom_store => wrong_origin,
            S::Enabled | S::Updating => Ok(()),
            _ => refused,
        },
        O::GetKeyRotationStatus => match state {
            S::PendingImport => wrong_origin,
            _ if in_custom_store => wrong_origin,
            S::Unavailable => refused,
            _ => Ok(()),
        },
        O::GetParametersForImport | O::ImportKeyMaterial => match state {
            _ if origin != KeyOrigin::External => wrong_origin,
            S::Enabled | S::Disabled | S::PendingImport => Ok(()),
            _ => refused,
        },
        O::DeleteImportedKeyMaterial => match state {
            _ if origin != KeyOrigin::External => wrong_origin,
            // "If the specified KMS key is in the PendingDeletion state, this operation does not change the KMS key's state."
            S::Creating | S::Updating | S::Unavailable => refused,
            _ => Ok(()),
        },
        O::ReplicateKey => match state {
            S::Enabled => Ok(()),
            _ => refused,
        },
        O::UpdatePrimaryRegion => match state {
            S::Enabled | S::PendingImport => Ok(()),
            _ => refused,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's table, written out by hand. One letter a state, in the order Creating, Enabled, Disabled, PendingDeletion, PendingImport,
    /// PendingReplicaDeletion, Unavailable, Updating: `+` permitted, `d` DisabledException, `-` KMSInvalidStateException,
    /// `o` UnsupportedOperationException for the origin. Rows for AWS_KMS, EXTERNAL and the two custom key stores.
    const TABLE: &[(&str, &str, &str, &[Operation])] = {
        use Operation as O;
        &[
            (
                "++++++++",
                "++++++++",
                "++++++++",
                &[
                    O::DeleteAlias,
                    O::DescribeKey,
                    O::GetKeyLastUsage,
                    O::GetKeyPolicy,
                    O::ListAliases,
                    O::ListGrants,
                    O::ListKeyPolicies,
                    O::ListKeyRotations,
                    O::ListResourceTags,
                    O::PutKeyPolicy,
                    O::RetireGrant,
                    O::RevokeGrant,
                ],
            ),
            (
                "-+d----+",
                "-+d----+",
                "-+d----+",
                &[
                    O::Decapsulate,
                    O::Decrypt,
                    O::DeriveSharedSecret,
                    O::Encapsulate,
                    O::Encrypt,
                    O::GenerateDataKey,
                    O::GenerateDataKeyWithoutPlaintext,
                    O::GenerateMac,
                    O::ReEncrypt,
                    O::Sign,
                    O::Verify,
                    O::VerifyMac,
                ],
            ),
            (
                "-+d----+",
                "-+d----+",
                "-od----o",
                &[O::GenerateDataKeyPair, O::GenerateDataKeyPairWithoutPlaintext],
            ),
            ("-++----+", "-++----+", "-++----+", &[O::GetPublicKey]),
            ("-+d---++", "-+d---++", "-+d---++", &[O::CreateGrant]),
            (
                "+++-+-++",
                "+++-+-++",
                "+++-+-++",
                &[
                    O::CreateAlias,
                    O::TagResource,
                    O::UntagResource,
                    O::UpdateAlias,
                    O::UpdateKeyDescription,
                ],
            ),
            ("-++---+-", "-++---+-", "-++---+-", &[O::EnableKey, O::DisableKey]),
            ("+++-+-+-", "+++-+-+-", "+++-+-+-", &[O::ScheduleKeyDeletion]),
            ("---+-+--", "---+-+--", "---+-+--", &[O::CancelKeyDeletion]),
            (
                "-+d-o--+",
                "-od-o--o",
                "-od-o-oo",
                &[O::EnableKeyRotation, O::DisableKeyRotation],
            ),
            ("-+d----+", "-+d----+", "-od---oo", &[O::RotateKeyOnDemand]),
            ("++++o+-+", "++++o+-+", "oooooooo", &[O::GetKeyRotationStatus]),
            (
                "oooooooo",
                "-++-+---",
                "oooooooo",
                &[O::GetParametersForImport, O::ImportKeyMaterial],
            ),
            ("oooooooo", "-+++++--", "oooooooo", &[O::DeleteImportedKeyMaterial]),
            ("-+d-----", "-+d-----", "-+d-----", &[O::ReplicateKey]),
            ("-+d-+---", "-+d-+---", "-+d-+---", &[O::UpdatePrimaryRegion]),
        ]
    };

    #[test]
    fn every_cell_of_the_table_is_as_aws_has_it() {
        let mut covered = Vec::new();
        for (aws_kms, external, custom, operations) in TABLE {
            for operation in *operations {
                covered.push(*operation);
                for (row, origin) in [
                    (aws_kms, KeyOrigin::AwsKms),
                    (external, KeyOrigin::External),
                    (custom, KeyOrigin::AwsCloudHsm),
                    (custom, KeyOrigin::ExternalKeyStore),
                ] {
                    assert_eq!(row.len(), KeyState::ALL.len());
                    for (cell, state) in row.chars().zip(KeyState::ALL) {
                        let permitted = permit(*operation, *state, origin);
                        let as_expected = match cell {
                            '+' => permitted == Ok(()),
                            'd' => permitted == Err(Refusal::Disabled),
                            'o' => permitted == Err(Refusal::Origin(origin)),
                            _ => matches!(permitted, Err(Refusal::InvalidState(_))),
                        };
                        assert!(as_expected, "{operation:?} of {origin} in {state}: {permitted:?}");
                    }
                }
            }
        }
        covered.sort();
        assert_eq!(covered, Operation::ALL);
    }

    #[test]
    fn the_words_of_a_refusal_name_the_state() {
        let words = |operation, state| permit(operation, state, KeyOrigin::External);
        assert_eq!(
            words(Operation::Encrypt, KeyState::PendingDeletion),
            Err(Refusal::InvalidState("pending deletion"))
        );
        assert_eq!(
            words(Operation::Sign, KeyState::PendingImport),
            Err(Refusal::InvalidState("pending import"))
        );
        assert_eq!(
            words(Operation::CancelKeyDeletion, KeyState::Enabled),
            Err(Refusal::InvalidState("not pending deletion"))
        );
    }
}
