//! What a role may do before any policy says more: the identity policy that it stands for.

use bulla_model::Role;

/// Whether a role's identity policy allows an action; a key policy decides whether identity policies matter.
pub(crate) fn role_allows(role: Role, action: &str) -> bool {
    const AUDITOR: [&str; 25] = [
        "kms:DescribeCustomKeyStores",
        "kms:DescribeKey",
        "kms:GetKeyLastUsage",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListAliases",
        "kms:ListGrants",
        "kms:ListKeyPolicies",
        "kms:ListKeyRotations",
        "kms:ListKeys",
        "kms:ListResourceTags",
        "kms:ListRetirableGrants",
        "bulla:Explain",
        "bulla:GetPrincipalPolicy",
        "bulla:ListAccessKeys",
        "bulla:ListApiTokens",
        "bulla:ListGivenGrants",
        "bulla:ListGroups",
        "bulla:ListPrincipalTags",
        "bulla:ListRoles",
        "bulla:ListPrincipalPolicies",
        "bulla:ListPrincipals",
        "bulla:ReadAudit",
        "bulla:ReadChanges",
        "bulla:ReadCheckpoint",
    ];
    match role {
        Role::Admin => true,
        Role::Auditor => AUDITOR.contains(&action),
        Role::User => false,
    }
}

/// What the reasons of a decision call whoever made a key.
pub(crate) const CREATOR: &str = "creator";

/// Whether the creator of a key may do this to it: manage it, not use it. It stands beside the identity policies: a key policy that leaves
/// nothing to those leaves nothing to the creator.
pub(crate) fn creator_may(action: &str) -> bool {
    const MANAGES: [&str; 29] = [
        "kms:CancelKeyDeletion",
        "kms:CreateAlias",
        "kms:CreateGrant",
        "kms:DeleteAlias",
        "kms:DeleteImportedKeyMaterial",
        "kms:DescribeKey",
        "kms:DisableKey",
        "kms:DisableKeyRotation",
        "kms:EnableKey",
        "kms:EnableKeyRotation",
        "kms:GetKeyLastUsage",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:GetParametersForImport",
        "kms:GetPublicKey",
        "kms:ImportKeyMaterial",
        "kms:ListGrants",
        "kms:ListKeyPolicies",
        "kms:ListKeyRotations",
        "kms:ListResourceTags",
        "kms:PutKeyPolicy",
        "kms:RevokeGrant",
        "kms:RotateKeyOnDemand",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateAlias",
        "kms:UpdateKeyDescription",
        "kms:UpdatePrimaryRegion",
    ];
    MANAGES.contains(&action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auditors_read_and_users_do_nothing() {
        assert!(role_allows(Role::Admin, "kms:Encrypt"));
        assert!(role_allows(Role::Auditor, "bulla:ReadAudit"));
        for action in [
            "kms:Encrypt",
            "kms:Decrypt",
            "kms:CreateKey",
            "kms:CreateGrant",
            "kms:PutKeyPolicy",
            "kms:GenerateRandom",
            "bulla:CreatePrincipal",
        ] {
            assert!(!role_allows(Role::Auditor, action), "{action}");
        }
        assert!(!role_allows(Role::User, "kms:DescribeKey"));
    }

    #[test]
    fn creators_manage_and_do_not_use() {
        for action in ["kms:PutKeyPolicy", "kms:CreateGrant", "kms:DescribeKey"] {
            assert!(creator_may(action), "{action}");
        }
        for action in [
            "kms:Encrypt",
            "kms:Decrypt",
            "kms:Sign",
            "kms:GenerateDataKey",
            "kms:CreateKey",
            "bulla:GetToken",
        ] {
            assert!(!creator_may(action), "{action}");
        }
    }
}
