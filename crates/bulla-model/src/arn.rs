use std::fmt;
use std::sync::Arc;

use crate::{AccountId, AliasName, KeyId, Region};

/// `arn:aws:kms:<region>:<account>:key/<id>`; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyArn(Arc<str>);

/// `arn:aws:kms:<region>:<account>:alias/<name>`; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasArn(Arc<str>);

impl KeyArn {
    /// Builds the ARN of a key.
    pub fn new(region: &Region, account: &AccountId, id: &KeyId) -> Self {
        Self(format!("arn:aws:kms:{region}:{account}:key/{id}").into())
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// The key id at the end of the ARN.
    pub fn key_id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl AliasArn {
    /// Builds the ARN of an alias.
    pub fn new(region: &Region, account: &AccountId, name: &AliasName) -> Self {
        Self(format!("arn:aws:kms:{region}:{account}:{name}").into())
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AliasArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
