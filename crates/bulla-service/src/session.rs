//! Roles assumed for a time, and the session tokens that carry them (`spec/session-token.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_crypto::{Random, SecretBytes, sha256};
use bulla_model::policy::{Policy, PolicyKind};
use bulla_model::{PrincipalArn, Timestamp};
use bulla_store::Table;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::bodies::{Body, VERSION};
use crate::decision::cut;
use crate::entry::RoleEntry;
use crate::keyring::{Place, StoreKey};
use crate::oidc::WebIdentity;
use crate::service::Core;
use crate::{Credential, ServiceError};

/// Longest text of a session token.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Most bytes of a session's policy and tags together.
pub(crate) const MAX_PACKED_BYTES: usize = 4096;
/// Sessions kept opened in memory.
pub(crate) const CACHED: usize = 10_000;

const PLACE: Place<'static> = Place {
    purpose: "session-token",
    table: Table::Roles,
    id: "",
    owner: "",
};

/// A role, assumed for a time.
#[derive(Debug)]
pub(crate) struct Session {
    /// The session's own ARN.
    pub(crate) arn: PrincipalArn,
    pub(crate) role: PrincipalArn,
    pub(crate) role_id: String,
    pub(crate) name: String,
    pub(crate) policy: Option<Policy>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Keys of tags that pass on to sessions of this session.
    pub(crate) transitive: BTreeSet<String>,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    /// Of temporary credentials; none where a bearer token was shown.
    pub(crate) access_key_id: Option<String>,
    /// Whose bearer token was shown, where one was.
    pub(crate) shown: Option<WebIdentity>,
    /// Whose token began it, where one did.
    pub(crate) federated: Option<Federated>,
    /// Who stands behind it, as was said when the first session of the chain began.
    pub(crate) source_identity: Option<String>,
}

/// Whose token of an issuer it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Federated {
    /// The issuer's ARN.
    pub(crate) provider: String,
    /// The token's `sub`, at most 256 bytes of it.
    pub(crate) subject: String,
}

impl Federated {
    pub(crate) fn of(identity: &WebIdentity) -> Self {
        Self {
            provider: identity.provider.clone(),
            subject: cut(&identity.subject, 256).to_owned(),
        }
    }
}

/// What a session token opens to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionBody {
    version: u8,
    access_key_id: String,
    secret: String,
    role: PrincipalArn,
    role_id: String,
    name: String,
    // A policy that is missing is no session without one.
    #[serde(deserialize_with = "Option::deserialize")]
    policy: Option<String>,
    tags: BTreeMap<String, String>,
    transitive: BTreeSet<String>,
    issued: Timestamp,
    expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    federated: Option<Federated>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

impl SessionBody {
    /// The version that has the members which are there: a node of before the last two reads what has none of them.
    fn version_of_members(&self) -> u8 {
        match (&self.federated, &self.source_identity) {
            (None, None) => VERSION,
            _ => 2,
        }
    }
}

impl Drop for SessionBody {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl Body for SessionBody {
    fn version(&self) -> u8 {
        self.version
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let body: Self = serde_json::from_slice(bytes).ok()?;
        (body.version == body.version_of_members()).then_some(body)
    }
}

/// What a new session is to be.
pub(crate) struct NewSession<'a> {
    pub(crate) role: &'a RoleEntry,
    pub(crate) name: &'a str,
    pub(crate) policy: Option<&'a str>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) transitive: BTreeSet<String>,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) federated: Option<Federated>,
    pub(crate) source_identity: Option<String>,
}

/// Temporary credentials, shown for the only time.
#[derive(Debug)]
pub struct SessionCredentials {
    /// `ASIA` and 16 characters of base32.
    pub access_key_id: String,
    /// 40 characters of base64.
    pub secret_access_key: SecretBytes,
    /// The session token.
    pub session_token: SecretBytes,
    /// From when on they are refused.
    pub expiration: Timestamp,
}

impl Session {
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    fn of(body: &SessionBody) -> Option<Self> {
        let policy = match &body.policy {
            Some(document) => Some(Policy::parse(PolicyKind::Identity, document).ok()?),
            None => None,
        };
        Some(Self {
            arn: PrincipalArn::session(&body.role, &body.name)?,
            role: body.role.clone(),
            role_id: body.role_id.clone(),
            name: body.name.clone(),
            policy,
            tags: body.tags.clone(),
            transitive: body.transitive.clone(),
            issued: body.issued,
            expires: body.expires,
            access_key_id: Some(body.access_key_id.clone()),
            federated: body.federated.clone(),
            source_identity: body.source_identity.clone(),
            shown: None,
        })
    }
}

/// Draws credentials for a session and seals them, with all that it is, into its token.
pub(crate) fn issue(
    store_key: &StoreKey,
    random: &dyn Random,
    session: NewSession<'_>,
) -> Result<SessionCredentials, ServiceError> {
    let credentials = crate::administration::draw_credentials(random)?;
    let access_key_id = credentials.access_key_id.replacen("AKIA", "ASIA", 1);
    let secret = credentials.secret_access_key;
    let text = std::str::from_utf8(secret.expose_secret()).map_err(|_| ServiceError::Internal("a secret in ASCII"))?;
    let mut body = SessionBody {
        version: VERSION,
        access_key_id: access_key_id.clone(),
        secret: text.to_owned(),
        role: session.role.arn.clone(),
        role_id: session.role.id.clone(),
        name: session.name.to_owned(),
        policy: session.policy.map(str::to_owned),
        tags: session.tags,
        transitive: session.transitive,
        issued: session.issued,
        expires: session.expires,
        federated: session.federated,
        source_identity: session.source_identity,
    };
    body.version = body.version_of_members();
    let plaintext = Zeroizing::new(body.to_bytes());
    let sealed = store_key
        .seal(PLACE, random, &plaintext)
        .map_err(|_| ServiceError::Internal("the session can't be sealed"))?;
    Ok(SessionCredentials {
        access_key_id,
        secret_access_key: secret,
        session_token: SecretBytes::from_vec(STANDARD.encode(sealed).into_bytes()),
        expiration: session.expires,
    })
}

impl Core {
    /// Opens a session token, which must be that of `access_key_id`; `None` for any other. Costs no look at the store.
    pub(crate) fn session_credential(
        &self,
        access_key_id: &str,
        token: &str,
    ) -> Result<Option<Arc<Credential>>, ServiceError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Ok(None);
        }
        let digest = sha256(token.as_bytes());
        let credential = match self.sessions.get(&digest) {
            Some(known) => known,
            None => {
                let Some(opened) = open(&self.rows.store_key, token) else {
                    return Ok(None);
                };
                // Only what the store key has sealed gets in, so that strangers push nobody out.
                let opened = Arc::new(opened);
                self.sessions.insert(digest, opened.clone());
                opened
            }
        };
        let session = credential.session.as_ref();
        let Some(session) = session.filter(|_| credential.access_key_id == access_key_id) else {
            return Ok(None);
        };
        if session.has_expired(self.clock.now()) {
            return Err(ServiceError::ExpiredToken);
        }
        Ok(Some(credential))
    }
}

fn open(store_key: &StoreKey, token: &str) -> Option<Credential> {
    let sealed = STANDARD.decode(token).ok()?;
    let plaintext = store_key.open(PLACE, &sealed).ok()?;
    let body = SessionBody::from_bytes(plaintext.expose_secret())?;
    let session = Session::of(&body)?;
    Some(Credential {
        access_key_id: body.access_key_id.clone(),
        secret: SecretBytes::from_vec(body.secret.as_bytes().to_vec()),
        principal: session.arn.clone(),
        account: session.role.account(),
        // What a session is never changes: its id names one secret for ever.
        revision: 0,
        session: Some(Arc::new(session)),
    })
}

/// Reads any bytes as a session token, and as what one would open to; for the fuzz target.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_any(data: &[u8]) {
    use std::sync::LazyLock;

    static STORE_KEY: LazyLock<StoreKey> = LazyLock::new(|| {
        let secret = bulla_crypto::DataKey::from_slice(&[7; 32]).expect("32 bytes");
        StoreKey::new(secret, "fuzzing", 1).expect("a store key")
    });
    if let Ok(token) = std::str::from_utf8(data) {
        assert!(open(&STORE_KEY, token).is_none(), "a token opened that nobody sealed");
    }
    if let Some(body) = SessionBody::from_bytes(data) {
        assert_eq!(body.version, body.version_of_members());
        if let Some(session) = Session::of(&body) {
            assert_eq!((&session.role, session.expires), (&body.role, body.expires));
        }
        assert!(SessionBody::from_bytes(&body.to_bytes()).is_some());
    }
}

/// The unique id of a user (`AIDA`) or a role (`AROA`): of this one, and of none that is made later under its name.
pub(crate) fn unique_id(prefix: &str, arn: &str, created: Timestamp) -> String {
    let named = format!("bulla/principal-id/1\0{arn}\0{}", created.as_micros());
    prefix.chars().chain(characters_of(&named, 17)).collect()
}

/// The name of the session that a bearer token is: a readable end of its subject, and 100 bits of who it is.
///
/// The digest is part of every name, also where the subject could be one as it is: else a subject could be chosen that reads as
/// another's name, and subjects of two issuers would share one.
pub(crate) fn name_of(identity: &WebIdentity) -> String {
    const READABLE: usize = 43;
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let mut name: Vec<char> = identity.subject.chars().rev().take(READABLE).map(legal).collect();
    name.reverse();
    name.push('-');
    let named = format!("bulla/session-name/1\0{}\0{}", identity.issuer, identity.subject);
    name.into_iter().chain(characters_of(&named, 20)).collect()
}

/// As many characters of base32 as are asked for, 32 at most, of a text's digest.
fn characters_of(text: &str, count: usize) -> impl Iterator<Item = char> {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let characters = sha256(text.as_bytes()).into_iter().take(count);
    characters.map(|byte| char::from(BASE32[usize::from(byte & 31)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_members_of_its_version_and_no_policy_is_said() {
        let body = |more: &str, version: u8| {
            format!(
                r#"{{"version":{version},"access_key_id":"ASIA","secret":"s","role":"arn:aws:iam::111122223333:role/app","role_id":"AROA",
                "name":"pod-1","tags":{{}},"transitive":[],"issued":1,"expires":2{more}}}"#
            )
        };
        let reads = |text: String| SessionBody::from_bytes(text.as_bytes()).is_some();
        assert!(reads(body(r#","policy":null"#, 1)));
        assert!(reads(body(r#","policy":null,"source_identity":"ann""#, 2)));
        for (more, version) in [
            ("", 1),
            (r#","policy":null"#, 2),
            (r#","policy":null,"source_identity":"ann""#, 1),
            (r#","policy":null"#, 3),
            (r#","policy":null,"colour":"red""#, 1),
        ] {
            assert!(!reads(body(more, version)), "{more} {version}");
        }
    }
}
