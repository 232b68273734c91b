use std::fmt;
use std::sync::Arc;

use bulla_crypto::SecretBytes;
use bulla_model::{AccountId, PrincipalArn};

use crate::session::Session;

/// An active access key of an active principal, or temporary credentials of a session, with the secret: what a façade verifies
/// signatures with.
pub struct Credential {
    pub(crate) access_key_id: String,
    pub(crate) secret: SecretBytes,
    pub(crate) principal: PrincipalArn,
    pub(crate) account: AccountId,
    pub(crate) revision: u64,
    /// What it is temporary credentials of.
    pub(crate) session: Option<Arc<Session>>,
}

impl Credential {
    /// The access key id, `AKIA…`, or `ASIA…` of temporary credentials.
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

    /// Metadata revision of the access key's row, 0 for temporary credentials: with the id, a cache key for whatever is derived from the secret.
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
