//! The one table of operations: every name of the AWS KMS API, its action in policies, and who answers it.

use bulla_service::{Call, Service};

use super::wire::{Failure, Reply};

/// One operation of the AWS KMS API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// AWS's name; the target is `TrentService.` and this.
    pub name: &'static str,
    /// The action that policies name.
    pub action: &'static str,
    /// Whether this service does it yet; else it answers `UnsupportedOperationException`.
    pub built: bool,
}

macro_rules! operations {
    ($($name:ident $(=> $module:ident)?,)*) => {
        /// Every operation of the service model, sorted by name.
        pub const ROUTES: &[Route] = &[$(Route {
            name: stringify!($name),
            action: concat!("kms:", stringify!($name)),
            built: operations!(@built $($module)?),
        }),*];

        /// An operation, by its place in [`ROUTES`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operation { $($name),* }

        impl Operation {
            const ALL: &[Self] = &[$(Self::$name),*];

            /// Hands a request to the operation's own file.
            pub(super) async fn answer(self, service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
                match self {
                    $(Self::$name => operations!(@answer $name, service, call, body $(, $module)?),)*
                }
            }
        }
    };
    (@built) => { false };
    (@built $module:ident) => { true };
    (@answer $name:ident, $service:ident, $call:ident, $body:ident) => {
        Err(Failure::unsupported(concat!(stringify!($name), " is not built yet.")))
    };
    (@answer $name:ident, $service:ident, $call:ident, $body:ident, $module:ident) => {
        super::$module::handle($service, $call, $body).await
    };
}

operations! {
    CancelKeyDeletion => cancel_key_deletion,
    ConnectCustomKeyStore => connect_custom_key_store,
    CreateAlias => create_alias,
    CreateCustomKeyStore => create_custom_key_store,
    CreateGrant => create_grant,
    CreateKey => create_key,
    Decapsulate => decapsulate,
    Decrypt => decrypt,
    DeleteAlias => delete_alias,
    DeleteCustomKeyStore => delete_custom_key_store,
    DeleteImportedKeyMaterial => delete_imported_key_material,
    DeriveSharedSecret => derive_shared_secret,
    DescribeCustomKeyStores => describe_custom_key_stores,
    DescribeKey => describe_key,
    DisableKey => disable_key,
    DisableKeyRotation => disable_key_rotation,
    DisconnectCustomKeyStore => disconnect_custom_key_store,
    EnableKey => enable_key,
    EnableKeyRotation => enable_key_rotation,
    Encapsulate => encapsulate,
    Encrypt => encrypt,
    GenerateDataKey => generate_data_key,
    GenerateDataKeyPair => generate_data_key_pair,
    GenerateDataKeyPairWithoutPlaintext => generate_data_key_pair_without_plaintext,
    GenerateDataKeyWithoutPlaintext => generate_data_key_without_plaintext,
    GenerateMac => generate_mac,
    GenerateRandom => generate_random,
    GetKeyLastUsage => get_key_last_usage,
    GetKeyPolicy => get_key_policy,
    GetKeyRotationStatus => get_key_rotation_status,
    GetParametersForImport => get_parameters_for_import,
    GetPublicKey => get_public_key,
    ImportKeyMaterial => import_key_material,
    ListAliases => list_aliases,
    ListGrants => list_grants,
    ListKeyPolicies => list_key_policies,
    ListKeyRotations => list_key_rotations,
    ListKeys => list_keys,
    ListResourceTags => list_resource_tags,
    ListRetirableGrants => list_retirable_grants,
    PutKeyPolicy => put_key_policy,
    ReEncrypt => re_encrypt,
    ReplicateKey => replicate_key,
    RetireGrant => retire_grant,
    RevokeGrant => revoke_grant,
    RotateKeyOnDemand => rotate_key_on_demand,
    ScheduleKeyDeletion => schedule_key_deletion,
    Sign => sign,
    TagResource => tag_resource,
    UntagResource => untag_resource,
    UpdateAlias => update_alias,
    UpdateCustomKeyStore => update_custom_key_store,
    UpdateKeyDescription => update_key_description,
    UpdatePrimaryRegion => update_primary_region,
    Verify => verify,
    VerifyMac => verify_mac,
}

impl Operation {
    /// Finds the operation of an `X-Amz-Target`: `TrentService.<name>`.
    pub(crate) fn of_target(target: &str) -> Option<Self> {
        let name = target.strip_prefix("TrentService.")?;
        let at = ROUTES.binary_search_by(|route| route.name.cmp(name)).ok()?;
        Self::ALL.get(at).copied()
    }

    /// Whether the operation changes nothing; the names of those that do tell.
    pub(crate) fn is_read_only(self) -> bool {
        const CHANGING: [&str; 17] = [
            "Cancel",
            "Connect",
            "Create",
            "Delete",
            "Disable",
            "Disconnect",
            "Enable",
            "Import",
            "Put",
            "Replicate",
            "Retire",
            "Revoke",
            "Rotate",
            "Schedule",
            "Tag",
            "Untag",
            "Update",
        ];
        !CHANGING.iter().any(|verb| self.route().name.starts_with(verb))
    }

    /// The operation's line in the table.
    pub(crate) fn route(self) -> &'static Route {
        &ROUTES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_target() {
        assert_eq!(ROUTES.len(), 56);
        assert!(ROUTES.is_sorted_by(|a, b| a.name < b.name));
        for (route, operation) in ROUTES.iter().zip(Operation::ALL) {
            assert_eq!(
                Operation::of_target(&format!("TrentService.{}", route.name)),
                Some(*operation)
            );
            assert_eq!(operation.route(), route);
        }
    }

    #[test]
    fn operations_that_change_something_are_known_by_their_verbs() {
        for (operation, read_only) in [
            (Operation::GenerateDataKey, true),
            (Operation::GetParametersForImport, true),
            (Operation::Sign, true),
            (Operation::UntagResource, false),
            (Operation::ReplicateKey, false),
            (Operation::RotateKeyOnDemand, false),
        ] {
            assert_eq!(operation.is_read_only(), read_only, "{operation:?}");
        }
        let changing = Operation::ALL.iter().filter(|operation| !operation.is_read_only());
        assert_eq!(changing.count(), 27);
    }

    #[test]
    fn other_targets_name_nothing() {
        for target in [
            "",
            "Encrypt",
            "TrentService",
            "TrentService.",
            "TrentService.encrypt",
            "trentservice.Encrypt",
            "TrentService.Encrypt ",
        ] {
            assert_eq!(Operation::of_target(target), None, "{target}");
        }
    }
}
