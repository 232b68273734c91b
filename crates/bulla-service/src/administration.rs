//! What only an administrator does, and what AWS's KMS API has no name for.

mod access_keys;
mod api_tokens;
mod asserted_events;
mod audit_query;
mod audit_reading;
pub(crate) mod grants;
mod groups;
mod holders;
mod policies;
mod principals;
mod reset;
mod roles;
mod roots;
mod tags;
mod vouched_events;

pub use groups::GroupDescription;
pub use roles::{CreateRoleRequest, RoleDescription};

pub use self::asserted_events::{AssertedBatch, AssertedEvent, RecordedBatch};
pub use self::audit_query::{AuditPage, AuditQuery, PrincipalCounts};

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_crypto::{Random, SecretBytes};
use bulla_model::{PrincipalArn, Role, Timestamp};
use bulla_store::Table;

use crate::ServiceError;
use crate::bodies::{AccessKeyBody, VERSION};
use crate::decision::Decision;
use crate::entry::secret_place;
use crate::keyring::{StoreKey, WrapError};

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

/// An API token that was made, shown for the only time.
#[derive(Debug)]
pub struct CreateApiTokenResponse {
    /// Whose it is.
    pub principal: PrincipalArn,
    /// Names the token: `bulla_` and 16 characters; no secret.
    pub id: String,
    /// The whole token, 81 ASCII characters.
    pub token: SecretBytes,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
}

/// An API token as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTokenDescription {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub principal: PrincipalArn,
    /// Whether it is accepted, its end apart.
    pub enabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is refused; `None` for never.
    pub expires: Option<Timestamp>,
    /// When it was used last, some minutes ago at the latest; `None` where it was not.
    pub last_used: Option<Timestamp>,
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

/// Draws an access key: `AKIA` and 80 random bits in base32; 240 random bits in base64.
pub(crate) fn draw_credentials(random: &dyn Random) -> Result<NewCredentials, ServiceError> {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let failed = |_| ServiceError::Internal("the random generator failed");
    let mut id = [0; 16];
    random.fill(&mut id).map_err(failed)?;
    let characters = id.iter().map(|byte| char::from(BASE32[usize::from(byte & 31)]));
    let access_key_id = "AKIA".chars().chain(characters).collect();
    let mut secret = zeroize::Zeroizing::new([0; 30]);
    random.fill(&mut *secret).map_err(failed)?;
    let mut text = vec![0; 40];
    STANDARD
        .encode_slice(*secret, &mut text)
        .map_err(|_| ServiceError::Internal("30 bytes are 40 characters"))?;
    Ok(NewCredentials {
        access_key_id,
        secret_access_key: SecretBytes::from_vec(text),
    })
}

/// Wraps an access key's secret for its row.
pub(crate) fn wrap_secret(
    store_key: &StoreKey,
    random: &dyn Random,
    credentials: &NewCredentials,
    principal: &PrincipalArn,
) -> Result<String, WrapError> {
    let place = secret_place(&credentials.access_key_id, principal.as_str());
    store_key.wrap(place, random, credentials.secret_access_key.expose_secret())
}

/// Leaves a new access key to be written.
async fn put_access_key(
    decision: &mut Decision<'_>,
    principal: &PrincipalArn,
    credentials: &NewCredentials,
    principal_created: Timestamp,
) -> Result<(), ServiceError> {
    let id = &credentials.access_key_id;
    if decision.access_key(id).await?.is_some() {
        return Err(ServiceError::Internal("the random generator repeats itself"));
    }
    let core = decision.core;
    let wrapped_secret = wrap_secret(&core.rows.store_key, &*core.random, credentials, principal)
        .map_err(|_| ServiceError::Internal("the secret can't be wrapped"))?;
    let body = AccessKeyBody {
        version: VERSION,
        enabled: true,
        // Of another node's clock, or of one that was put back: no key is older than its user.
        created: decision.now.max(principal_created),
        wrapped_secret,
    };
    decision.put(Table::AccessKeys, id, principal.as_str(), &body);
    Ok(())
}
