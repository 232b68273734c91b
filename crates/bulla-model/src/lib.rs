//! What the key service talks about: ids, ARNs, key states and their legal transitions, roles, names, time.
//!
//! Pure: no I/O, no async, no ambient clock but [`SystemClock`], which is only ever passed in.

mod account;
mod algorithms;
mod alias;
mod arn;
mod bulla_arn;
mod grant;
mod grant_operation;
mod key;
mod key_material;
mod key_ref;
mod key_spec;
mod material_id;
pub mod policy;
mod principal;
mod tag;
mod time;
mod transitions;

pub use account::{AccountId, Region};
pub use algorithms::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, MacAlgorithm, MessageType, SigningAlgorithm,
    WrappingAlgorithm,
};
pub use alias::{AliasName, AliasNameError};
pub use arn::{AliasArn, KeyArn};
pub use bulla_arn::{BullaArn, BullaArnError};
pub use grant::{GrantConstraints, grant_principal};
pub use grant_operation::GrantOperation;
pub use key::{DataKeySpec, KeyId, KeyManager, KeyOrigin, KeyState, KeyUsage, MultiRegionKeyType, RotationType};
pub use key_material::{ExpirationModel, ImportState, ImportType, KeyMaterialState};
pub use key_ref::{KeyRef, KeyRefError, NamedKey};
pub use key_spec::{DataKeyPairSpec, KeySpec, WrappingKeySpec};
pub use material_id::MaterialId;
pub use principal::{PrincipalArn, PrincipalName, Role};
pub use tag::{Tag, TagError};
pub use time::{Clock, SystemClock, Timestamp};
pub use transitions::{Operation, Refusal, permit};

/// A value that is not of the form its type requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}")]
pub struct ParseError {
    /// What was expected: `12-digit account id`.
    pub what: &'static str,
}
