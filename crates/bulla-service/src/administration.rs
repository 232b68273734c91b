//! What only an administrator does, and what AWS's KMS API has no name for.

mod access_keys;
mod audit_reading;
mod principals;

use bulla_crypto::SecretBytes;
use bulla_model::{PrincipalArn, Role, Timestamp};

/// An access key, its secret shown for the only time.
#[derive(Debug)]
pub struct NewCredentials {
    /// `AKIA` and 16 characters of base32.
    pub access_key_id: String,
    /// 40 characters of base64.
    pub secret_access_key: SecretBytes,
}

/// A principal that was made, with its first access key.
#[derive(Debug)]
pub struct CreatePrincipalResponse {
    /// The principal.
    pub principal: PrincipalDescription,
    /// Its first access key.
    pub credentials: NewCredentials,
}

/// An access key that was made.
#[derive(Debug)]
pub struct CreateAccessKeyResponse {
    /// Whose it is.
    pub principal: PrincipalArn,
    /// The key.
    pub credentials: NewCredentials,
}

/// A principal as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalDescription {
    /// Its ARN.
    pub arn: PrincipalArn,
    /// Its role.
    pub role: Role,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// An access key as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyDescription {
    /// Its id.
    pub access_key_id: String,
    /// Whose it is.
    pub principal: PrincipalArn,
    /// Whether signatures with it are accepted.
    pub enabled: bool,
    /// When it was made.
    pub created: Timestamp,
}
