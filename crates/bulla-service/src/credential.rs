use std::fmt;

use bulla_crypto::SecretBytes;
use bulla_model::{AccountId, PrincipalArn};

/// An active access key of an active principal, with its secret: what a façade verifies signatures with.
pub struct Credential {
    pub(crate) access_key_id: String,
    pub(crate) secret: SecretBytes,
    pub(crate) principal: PrincipalArn,
    pub(crate) account: AccountId,
    pub(crate) revision: u64,
}

impl Credential {
    /// The access key id, `AKIA…`.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The secret access key, 40 ASCII characters.
    pub fn secret(&self) -> &SecretBytes {
        &self.secret
    }

    /// Whose key it is.
    pub fn principal(&self) -> &PrincipalArn {
        &self.principal
    }

    /// The principal's account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Metadata revision of the access key's row: with the id, a cache key for whatever is derived from the secret.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("secret", &"[redacted]")
            .field("principal", &self.principal)
            .field("revision", &self.revision)
            .finish()
    }
}
