use crate::KeyState;

/// What is asked of an existing key; each variant is named after its AWS operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Cancel a scheduled deletion.
    CancelKeyDeletion,
    /// Give the key an alias.
    CreateAlias,
    /// Decrypt.
    Decrypt,
    /// Remove an alias of the key.
    DeleteAlias,
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
    /// Encrypt.
    Encrypt,
    /// Make a data key.
    GenerateDataKey,
    /// Make a data key, wrapped only.
    GenerateDataKeyWithoutPlaintext,
    /// Tell the rotation settings.
    GetKeyRotationStatus,
    /// List aliases of the key.
    ListAliases,
    /// List rotations.
    ListKeyRotations,
    /// Decrypt and encrypt again; both keys.
    ReEncrypt,
    /// Rotate now.
    RotateKeyOnDemand,
    /// Schedule deletion.
    ScheduleKeyDeletion,
    /// Point an alias at the key.
    UpdateAlias,
    /// Change the description.
    UpdateKeyDescription,
}

/// Why a key refuses an operation in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// AWS's `DisabledException`: `<arn> is disabled.`
    Disabled,
    /// AWS's `KMSInvalidStateException`: `<arn> is <words>.`
    InvalidState(&'static str),
}

/// Tells whether a key in `state` may be asked `operation`.
///
/// Source: the table at <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>.
///
/// # Errors
/// The refusal that AWS answers.
pub fn permit(operation: Operation, state: KeyState) -> Result<(), Refusal> {
    use KeyState as S;
    use Operation as O;
    let pending_deletion = Err(Refusal::InvalidState("pending deletion"));
    let not_ready = |state: KeyState| match state {
        S::Creating => Err(Refusal::InvalidState("creating")),
        S::PendingImport => Err(Refusal::InvalidState("pending import")),
        S::Updating => Err(Refusal::InvalidState("updating")),
        S::Unavailable => Err(Refusal::InvalidState("unavailable")),
        S::PendingReplicaDeletion => Err(Refusal::InvalidState("pending replica deletion")),
        S::PendingDeletion => Err(Refusal::InvalidState("pending deletion")),
        S::Disabled => Err(Refusal::Disabled),
        S::Enabled => Ok(()),
    };
    match operation {
        O::DescribeKey | O::ListAliases | O::DeleteAlias | O::ListKeyRotations => Ok(()),
        O::Encrypt
        | O::Decrypt
        | O::ReEncrypt
        | O::GenerateDataKey
        | O::GenerateDataKeyWithoutPlaintext
        | O::EnableKeyRotation
        | O::DisableKeyRotation
        | O::RotateKeyOnDemand => not_ready(state),
        O::CreateAlias | O::UpdateAlias | O::UpdateKeyDescription => match state {
            S::PendingDeletion | S::PendingReplicaDeletion => not_ready(state),
            S::Creating | S::Updating => not_ready(state),
            S::Enabled | S::Disabled | S::PendingImport | S::Unavailable => Ok(()),
        },
        O::EnableKey | O::DisableKey => match state {
            S::Enabled | S::Disabled => Ok(()),
            _ => not_ready(state),
        },
        O::ScheduleKeyDeletion => match state {
            S::PendingDeletion | S::PendingReplicaDeletion | S::Creating | S::Updating => not_ready(state),
            S::Enabled | S::Disabled | S::PendingImport | S::Unavailable => Ok(()),
        },
        O::CancelKeyDeletion => match state {
            S::PendingDeletion | S::PendingReplicaDeletion => Ok(()),
            _ => Err(Refusal::InvalidState("not pending deletion")),
        },
        O::GetKeyRotationStatus => match state {
            S::PendingDeletion | S::PendingReplicaDeletion => pending_deletion,
            S::PendingImport | S::Creating | S::Updating | S::Unavailable => not_ready(state),
            S::Enabled | S::Disabled => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Operation; 20] = [
        Operation::CancelKeyDeletion,
        Operation::CreateAlias,
        Operation::Decrypt,
        Operation::DeleteAlias,
        Operation::DescribeKey,
        Operation::DisableKey,
        Operation::DisableKeyRotation,
        Operation::EnableKey,
        Operation::EnableKeyRotation,
        Operation::Encrypt,
        Operation::GenerateDataKey,
        Operation::GenerateDataKeyWithoutPlaintext,
        Operation::GetKeyRotationStatus,
        Operation::ListAliases,
        Operation::ListKeyRotations,
        Operation::ReEncrypt,
        Operation::RotateKeyOnDemand,
        Operation::ScheduleKeyDeletion,
        Operation::UpdateAlias,
        Operation::UpdateKeyDescription,
    ];

    /// AWS's table, written out by hand. One letter a state, in the order Creating, Enabled, Disabled, PendingDeletion, PendingImport,
    /// PendingReplicaDeletion, Updating, Unavailable: `+` permitted, `d` DisabledException, `-` KMSInvalidStateException.
    const TABLE: [(&str, &[Operation]); 6] = [
        (
            "++++++++",
            &[
                Operation::DescribeKey,
                Operation::ListAliases,
                Operation::DeleteAlias,
                Operation::ListKeyRotations,
            ],
        ),
        (
            "-+d-----",
            &[
                Operation::Encrypt,
                Operation::Decrypt,
                Operation::ReEncrypt,
                Operation::GenerateDataKey,
                Operation::GenerateDataKeyWithoutPlaintext,
                Operation::EnableKeyRotation,
                Operation::DisableKeyRotation,
                Operation::RotateKeyOnDemand,
            ],
        ),
        (
            "-++-+--+",
            &[
                Operation::CreateAlias,
                Operation::UpdateAlias,
                Operation::UpdateKeyDescription,
                Operation::ScheduleKeyDeletion,
            ],
        ),
        ("-++-----", &[Operation::EnableKey, Operation::DisableKey]),
        ("---+-+--", &[Operation::CancelKeyDeletion]),
        ("-++-----", &[Operation::GetKeyRotationStatus]),
    ];

    #[test]
    fn every_cell_of_the_table_is_as_aws_has_it() {
        let mut covered = Vec::new();
        for (row, operations) in TABLE {
            for operation in operations {
                covered.push(*operation);
                for (cell, state) in row.chars().zip(KeyState::ALL) {
                    let permitted = permit(*operation, *state);
                    let as_expected = match cell {
                        '+' => permitted == Ok(()),
                        'd' => permitted == Err(Refusal::Disabled),
                        _ => matches!(permitted, Err(Refusal::InvalidState(_))),
                    };
                    assert!(as_expected, "{operation:?} in {state}: {permitted:?}");
                }
            }
        }
        covered.sort();
        assert_eq!(covered, ALL);
    }

    #[test]
    fn the_words_of_a_refusal_name_the_state() {
        let refused = permit(Operation::Encrypt, KeyState::PendingDeletion);
        assert_eq!(refused, Err(Refusal::InvalidState("pending deletion")));
        let refused = permit(Operation::GetKeyRotationStatus, KeyState::PendingImport);
        assert_eq!(refused, Err(Refusal::InvalidState("pending import")));
    }
}
