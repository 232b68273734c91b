//! What rows that decide contain, as JSON (`spec/store.md`, section 4).

use std::collections::{BTreeMap, BTreeSet};

use bulla_model::{
    AccountId, ExpirationModel, GrantConstraints, GrantOperation, KeyId, KeyMaterialState, KeyOrigin, KeySpec,
    KeyState, KeyUsage, MaterialId, Region, Role, RotationType, Tag, Timestamp,
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
    /// Since when the last uses of keys are kept; the one such row of `key_usage`.
    TrackingBody { since: Timestamp }
    /// The last use of a key; all other rows of `key_usage`.
    KeyUsageBody { operation: String, time: Timestamp, event_id: String, request_id: String }
    /// A version of the store key under each of its roots.
    StoreKeyBody { created: Timestamp, wraps: Vec<RootWrap> }
    /// An audit signing key.
    AuditKeyBody { created: Timestamp, public_key: String, wrapped_seed: String }
    /// A user.
    PrincipalBody {
        role: Role,
        enabled: bool,
        created: Timestamp,
        /// Its identity policies by their names, as they were given.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        policies: BTreeMap<String, String>,
        /// What policies see as `aws:PrincipalTag/…`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
        /// ARNs of the groups that it is in.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        groups: BTreeSet<String>,
    }
    /// A role.
    RoleBody {
        created: Timestamp,
        /// The trust policy as it was given.
        trust: String,
        max_session_seconds: u32,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        policies: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
    }
    /// A group of users.
    GroupBody {
        created: Timestamp,
        /// How many users name it in their rows.
        members: u32,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        policies: BTreeMap<String, String>,
    }
    /// An access key; its owner is the user's ARN.
    AccessKeyBody { enabled: bool, created: Timestamp, wrapped_secret: String }
    /// A batch of events that a client asserted; its owner is the ARN of who brought it.
    AuditBatchBody {
        created: Timestamp,
        events: u32,
        /// Of what the batch says, in hexadecimal.
        digest: String,
    }
    /// Which versions of a token are too old, or of all of a client; its owner is `account/client`, as a digest.
    TokenMarkBody {
        /// The highest version that was seen; of a client, the highest that is barred.
        mark: u64,
        /// When the last version that it bars expires; `None` for never.
        until: Option<Timestamp>,
    }
    /// An API token; its owner is the principal's ARN.
    ApiTokenBody {
        enabled: bool,
        created: Timestamp,
        /// From when on it is refused; `None` for never.
        #[serde(deserialize_with = "Option::deserialize")]
        expires: Option<Timestamp>,
        /// Of the whole token, in hexadecimal (`spec/api-token.md`, section 2).
        hash: String,
    }
    /// A KMS key. The members from `policy` on are absent where they say nothing.
    KeyBody {
        description: String,
        usage: KeyUsage,
        spec: KeySpec,
        origin: KeyOrigin,
        state: KeyState,
        created: Timestamp,
        #[serde(deserialize_with = "Option::deserialize")]
        deletion_date: Option<Timestamp>,
        tags: Vec<Tag>,
        /// `None` until material is imported for the first time.
        #[serde(deserialize_with = "Option::deserialize")]
        current: Option<MaterialId>,
        versions: u32,
        on_demand_rotations: u32,
        #[serde(deserialize_with = "Option::deserialize")]
        rotation: Option<RotationBody>,
        /// The key policy as it was given; `None` for the default one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
        /// The ARN of the principal who made the key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        creator: Option<String>,
        /// Present for multi-Region keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        multi_region: Option<MultiRegionBody>,
        /// The waiting period of a primary that waits for its replicas to be deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pending_window_days: Option<u32>,
        /// Present while imported material is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expiration: Option<ExpirationBody>,
        /// Imported material that waits for a rotation on demand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pending: Option<PendingBody>,
    }
    /// One version of a key's material. The members after `wrapped_material` are absent where they say nothing.
    KeyVersionBody {
        number: u32,
        created: Timestamp,
        #[serde(deserialize_with = "Option::deserialize")]
        rotation: Option<RotationType>,
        /// `None` where imported material was deleted or has expired.
        #[serde(deserialize_with = "Option::deserialize")]
        wrapped_material: Option<String>,
        #[serde(default = "symmetric", skip_serializing_if = "is_symmetric")]
        spec: KeySpec,
        /// `None`: current if it is the key's `current`, else non-current.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<KeyMaterialState>,
        /// When imported material expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        valid_to: Option<Timestamp>,
        /// Present for imported material.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        import: Option<ImportBody>,
    }
    /// An alias; its owner is the target key's row id.
    AliasBody { target: KeyId, created: Timestamp, updated: Timestamp }
    /// A grant; its owner is the key's row id.
    GrantBody {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// An ARN.
        grantee: String,
        /// An ARN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retiring: Option<String>,
        operations: Vec<GrantOperation>,
        #[serde(default, skip_serializing_if = "GrantConstraints::is_empty")]
        constraints: GrantConstraints,
        created: Timestamp,
        /// The ARN of the root of the account that made it.
        issuer: String,
    }
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

/// The regions of a multi-Region key; the same in each of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MultiRegionBody {
    pub(crate) primary: Region,
    pub(crate) replicas: Vec<Region>,
}

/// When the imported material of a key expires: the earliest of all its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpirationBody {
    pub(crate) model: ExpirationModel,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) valid_to: Option<Timestamp>,
}

/// Material that is not permanently the key's yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PendingBody {
    pub(crate) id: MaterialId,
    /// When it expires in this region, if it is there and does.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) valid_to: Option<Timestamp>,
}

/// What was said of a version's material when it was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportBody {
    pub(crate) model: ExpirationModel,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) description: Option<String>,
}

fn symmetric() -> KeySpec {
    KeySpec::SymmetricDefault
}

fn is_symmetric(spec: &KeySpec) -> bool {
    *spec == KeySpec::SymmetricDefault
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as the first version of Bulla wrote them; they open for ever, and are written as they were.
    #[test]
    fn rows_of_the_first_version_are_read_and_written_as_they_were() {
        let id = "7f".repeat(32);
        let key = format!(
            "{{\"version\":1,\"description\":\"a key\",\"usage\":\"ENCRYPT_DECRYPT\",\"spec\":\"SYMMETRIC_DEFAULT\",\"origin\":\"AWS_KMS\",\
             \"state\":\"Enabled\",\"created\":5,\"deletion_date\":null,\"tags\":[{{\"key\":\"k\",\"value\":\"v\"}}],\"current\":\"{id}\",\
             \"versions\":2,\"on_demand_rotations\":1,\"rotation\":{{\"period_days\":365,\"next\":9}}}}"
        );
        let body = KeyBody::from_bytes(key.as_bytes()).expect("reads");
        assert_eq!(body.current, Some(id.parse().expect("an id")));
        assert_eq!((&body.policy, &body.creator, &body.multi_region), (&None, &None, &None));
        assert_eq!(body.to_bytes(), key.as_bytes());
        let version = r#"{"version":1,"number":2,"created":5,"rotation":"ON_DEMAND","wrapped_material":"AQICAH"}"#;
        let body = KeyVersionBody::from_bytes(version.as_bytes()).expect("reads");
        assert_eq!(body.spec, KeySpec::SymmetricDefault);
        assert_eq!(body.to_bytes(), version.as_bytes());
    }

    #[test]
    fn what_the_first_version_did_not_have_is_read_as_it_was_written() {
        let version = KeyVersionBody {
            version: VERSION,
            number: 1,
            created: Timestamp::from_micros(5),
            rotation: None,
            wrapped_material: None,
            spec: KeySpec::Rsa2048,
            state: Some(KeyMaterialState::PendingRotation),
            valid_to: Some(Timestamp::from_micros(6)),
            import: Some(ImportBody {
                model: ExpirationModel::Expires,
                description: Some("ours".to_owned()),
            }),
        };
        assert_eq!(
            String::from_utf8_lossy(&version.to_bytes()),
            "{\"version\":1,\"number\":1,\"created\":5,\"rotation\":null,\"wrapped_material\":null,\"spec\":\"RSA_2048\",\
             \"state\":\"PENDING_ROTATION\",\"valid_to\":6,\"import\":{\"model\":\"KEY_MATERIAL_EXPIRES\",\"description\":\"ours\"}}"
        );
        assert_eq!(KeyVersionBody::from_bytes(&version.to_bytes()), Some(version));
    }

    #[test]
    fn bodies_of_another_version_or_with_another_member_are_refused() {
        let body = PrincipalBody {
            version: VERSION,
            role: Role::User,
            enabled: true,
            created: Timestamp::from_micros(5),
            policies: BTreeMap::new(),
            tags: BTreeMap::new(),
            groups: BTreeSet::new(),
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
