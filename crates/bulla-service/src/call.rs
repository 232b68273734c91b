use std::sync::Arc;

use bulla_model::{AccountId, PrincipalArn, Region};

use crate::Credential;
use crate::entry::ApiTokenEntry;
use crate::oidc::WebIdentity;
use crate::session::Session;

/// Who asks, from where, and under which request id; the same for every operation.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks.
    pub caller: Caller,
    /// The region whose keys are meant; over AWS, that of the credential scope.
    pub region: Region,
    /// Names this request in the answer, the log and the audit event; at most 128 bytes.
    pub request_id: Arc<str>,
    /// Where the request came from, as text: an address, or `in-process`.
    pub source_ip: Arc<str>,
    /// The client's own description of itself; cut to 256 bytes in events.
    pub user_agent: Arc<str>,
    /// Whether nobody on the way could read the request: it came over TLS, or within this process. What `aws:SecureTransport` tells.
    pub secure_transport: bool,
}

/// Who asks; made from a credential whose signature or secret was verified, or by the process that owns the data directory.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(crate) kind: CallerKind,
    pub(crate) account: AccountId,
    pub(crate) arn: PrincipalArn,
}

#[derive(Debug, Clone)]
pub(crate) enum CallerKind {
    /// A principal, by one of its access keys; both rows decide.
    Signed(Arc<Credential>),
    /// A principal, by one of its API tokens; both rows decide.
    Token(Arc<ApiTokenEntry>),
    /// A session of a role; the role's row decides.
    Session(Arc<Session>),
    /// A user, by a token of an issuer that is mapped to him; his row decides.
    Mapped(Arc<MappedUser>),
    /// Who has a token of an issuer and asks for a role; he is no principal, and may nothing else.
    WebIdentity(Arc<WebIdentity>),
    /// The administrator that the development mode makes of everybody; refused by a service in production mode.
    Development,
    /// Who holds the root key and the store: the command line on the data directory.
    Operator,
    /// A principal whom somebody else asks about; no call of his.
    Explained,
    /// The service itself: rotations and deletions that are due.
    Service,
}

/// A user whom a token of an issuer stands for.
#[derive(Debug)]
pub(crate) struct MappedUser {
    pub(crate) principal: PrincipalArn,
    pub(crate) identity: WebIdentity,
}

impl Caller {
    /// The caller whose signature over a request was verified with `credential`.
    pub fn signed(credential: Arc<Credential>) -> Self {
        Self {
            account: credential.account().clone(),
            arn: credential.principal().clone(),
            kind: match &credential.session {
                Some(session) => CallerKind::Session(session.clone()),
                None => CallerKind::Signed(credential),
            },
        }
    }

    /// The caller who showed an API token that was verified.
    pub(crate) fn by_token(token: Arc<ApiTokenEntry>) -> Self {
        Self {
            account: token.principal.account(),
            arn: token.principal.clone(),
            kind: CallerKind::Token(token),
        }
    }

    /// The caller of a session for which no signature was verified, but a bearer token.
    pub(crate) fn by_session(session: Arc<Session>) -> Self {
        Self {
            account: session.role.account(),
            arn: session.arn.clone(),
            kind: CallerKind::Session(session),
        }
    }

    pub(crate) fn by_mapping(user: MappedUser) -> Self {
        Self {
            account: user.principal.account(),
            arn: user.principal.clone(),
            kind: CallerKind::Mapped(Arc::new(user)),
        }
    }

    /// Who asks for `session` with a token.
    pub(crate) fn by_web_identity(account: AccountId, session: PrincipalArn, identity: Arc<WebIdentity>) -> Self {
        Self {
            account,
            arn: session,
            kind: CallerKind::WebIdentity(identity),
        }
    }

    /// The administrator of `account` in development mode; a service in production mode refuses him.
    pub fn dev_admin(account: AccountId) -> Self {
        Self {
            arn: PrincipalArn::root(&account),
            account,
            kind: CallerKind::Development,
        }
    }

    /// Who runs commands on the data directory itself, with the root key at hand.
    pub fn operator(account: AccountId) -> Self {
        Self {
            arn: PrincipalArn::root(&account),
            account,
            kind: CallerKind::Operator,
        }
    }

    pub(crate) fn service(account: AccountId) -> Self {
        Self {
            arn: PrincipalArn::root(&account),
            account,
            kind: CallerKind::Service,
        }
    }

    /// The account whose keys are meant where no ARN says otherwise.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Whose token of an issuer was shown as a bearer credential, where one was.
    pub(crate) fn shown(&self) -> Option<&WebIdentity> {
        match &self.kind {
            CallerKind::Mapped(user) => Some(&user.identity),
            CallerKind::Session(session) => session.shown.as_ref(),
            _ => None,
        }
    }

    /// The caller's ARN.
    pub fn arn(&self) -> &PrincipalArn {
        &self.arn
    }
}
