//! What rows that decide contain, as JSON (`spec/store.md`, section 4).

use bulla_model::{
    AccountId, KeyId, KeyOrigin, KeySpec, KeyState, KeyUsage, MaterialId, Role, RotationType, Tag, Timestamp,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Mode;

/// The version of every body there is now.
pub(crate) const VERSION: u8 = 1;

/// A body; each names its version first, and refuses members it does not know.
pub(crate) trait Body: Serialize + DeserializeOwned {
    fn version(&self) -> u8;

    /// Writes the body's bytes.
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("bodies have string keys and no fallible serialisers")
    }

    /// Reads a body; `None` for anything that this version does not write.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes)
            .ok()
            .filter(|body| body.version() == VERSION)
    }
}

macro_rules! body {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            pub(crate) version: u8,
            $($(#[$field_doc])* pub(crate) $field: $type),*
        }
        impl Body for $name {
            fn version(&self) -> u8 {
                self.version
            }
        }
    )*};
}

body! {
    /// The one row of `settings`.
    SettingsBody { mode: Mode, account: AccountId, origin: String, created: Timestamp }
    /// A version of the store key under each of its roots.
    StoreKeyBody { created: Timestamp, wraps: Vec<RootWrap> }
    /// An audit signing key.
    AuditKeyBody { created: Timestamp, public_key: String, wrapped_seed: String }
    /// A user.
    PrincipalBody { role: Role, enabled: bool, created: Timestamp }
    /// An access key; its owner is the user's ARN.
    AccessKeyBody { enabled: bool, created: Timestamp, wrapped_secret: String }
    /// A KMS key.
    KeyBody {
        description: String,
        usage: KeyUsage,
        spec: KeySpec,
        origin: KeyOrigin,
        state: KeyState,
        created: Timestamp,
        deletion_date: Option<Timestamp>,
        tags: Vec<Tag>,
        current: MaterialId,
        versions: u32,
        on_demand_rotations: u32,
        rotation: Option<RotationBody>,
    }
    /// One version of a key's material.
    KeyVersionBody {
        number: u32,
        created: Timestamp,
        rotation: Option<RotationType>,
        wrapped_material: String,
    }
    /// An alias; its owner is the target key's row id.
    AliasBody { target: KeyId, created: Timestamp, updated: Timestamp }
}

/// The store key under one root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RootWrap {
    /// The resolved root key, with its scheme.
    pub(crate) root: String,
    /// Base64.
    pub(crate) wrapped: String,
}

/// Automatic rotation of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationBody {
    pub(crate) period_days: u32,
    pub(crate) next: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_another_version_or_with_another_member_are_refused() {
        let body = PrincipalBody {
            version: VERSION,
            role: Role::User,
            enabled: true,
            created: Timestamp::from_micros(5),
        };
        assert_eq!(
            body.to_bytes(),
            br#"{"version":1,"role":"user","enabled":true,"created":5}"#
        );
        assert_eq!(PrincipalBody::from_bytes(&body.to_bytes()), Some(body));
        for wrong in [
            r#"{"version":2,"role":"user","enabled":true,"created":5}"#,
            r#"{"version":1,"role":"user","enabled":true,"created":5,"more":1}"#,
            r#"{"version":1,"role":"root","enabled":true,"created":5}"#,
            r#"{"version":1,"role":"user","role":"admin","enabled":true,"created":5}"#,
            r#"{"version":1,"role":"user","created":5}"#,
        ] {
            assert_eq!(PrincipalBody::from_bytes(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
