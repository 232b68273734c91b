//! What a role may do before any policy says more: the identity policy that it stands for.

use bulla_model::Role;

/// Whether a role's identity policy allows an action; a key policy decides whether identity policies matter.
pub(crate) fn role_allows(role: Role, action: &str) -> bool {
    const AUDITOR: [&str; 20] = [
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
        "bulla:ListPrincipalPolicies",
        "bulla:ListPrincipals",
        "bulla:ReadAudit",
        "bulla:ReadCheckpoint",
    ];
    match role {
        Role::Admin => true,
        Role::Auditor => AUDITOR.contains(&action),
        Role::User => false,
    }
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
}
