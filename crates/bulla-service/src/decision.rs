//! One decision: what it read, what it is to write, and what its event says.

mod entries;
mod event;

use std::sync::{Arc, OnceLock};

use bulla_audit::Intent;
use bulla_model::{AccountId, MaterialId, PrincipalArn, Region, Role, Timestamp};
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::bodies::{Body, KeyBody};
use crate::call::CallerKind;
use crate::committer::Write;
pub(crate) use crate::decision::event::{EventKind, cut, kind_of};
use crate::entry::{AccessKeyEntry, ApiTokenEntry, GroupEntry, KeyEntry, PrincipalEntry, RoleEntry};
use crate::grants::GrantEntry;
use crate::oidc::WebIdentity;
use crate::row_ids::RowKey;
use crate::service::Core;
use crate::session::{Session, unique_id};
use crate::{Call, Credential, Mode, ServiceError};

/// What is known while an operation is decided; made anew each time it is decided again.
pub(crate) struct Decision<'a> {
    pub(crate) core: &'a Core,
    pub(crate) call: &'a Call,
    pub(crate) now: Timestamp,
    /// The revision up to which what it reads is current.
    pub(crate) seen: u64,
    pub(crate) reads: Vec<RowKey>,
    pub(crate) writes: Vec<Write>,
    pub(crate) role: Role,
    /// Who asks, where a principal does.
    pub(crate) principal: Option<Arc<PrincipalEntry>>,
    /// The groups that he is in.
    pub(crate) groups: Vec<Arc<GroupEntry>>,
    /// The role whose session asks, where one does.
    pub(crate) assumed: Option<Arc<RoleEntry>>,
    /// Grant tokens of the request.
    pub(crate) grant_tokens: &'a [String],
    /// The alias by which the request named its key.
    pub(crate) request_alias: Option<String>,
    /// `aws:RequestedRegion`, where a permission is needed in another region than the call's.
    pub(crate) requested_region: Option<Region>,
    /// `kms:ReEncryptOnSameKey`, where that is asked.
    pub(crate) re_encrypt_on_same_key: Option<bool>,
    /// The grant that allowed, where one did.
    pub(crate) grant: Option<Arc<GrantEntry>>,
    /// Statements and grants that decided, as the event shows them.
    pub(crate) decided_by: Vec<Value>,
    /// Whether all that decided is noted, also what the event says already.
    pub(crate) explains: bool,
    /// What is asked for, as the event shows it; made once, when a condition or the event needs it.
    asked: &'a (dyn Fn() -> Map<String, Value> + Sync),
    parameters: OnceLock<Map<String, Value>>,
    pub(crate) response: Map<String, Value>,
    /// What the event names.
    pub(crate) resources: Vec<Arc<str>>,
    /// What the event says besides.
    pub(crate) told: Told,
    key_version: Option<MaterialId>,
    missed: bool,
    used_key: bool,
}

/// What an access outside KMS has its event say.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The event's id, where it is known before the event is written.
    pub(crate) event_id: Option<String>,
    pub(crate) cache_hit: Option<bool>,
    pub(crate) purpose: Option<String>,
    pub(crate) additional: Map<String, Value>,
    /// Code and text of what was allowed and failed nevertheless.
    pub(crate) failure: Option<(String, String)>,
    pub(crate) intent: Intent,
}

impl<'a> Decision<'a> {
    pub(crate) fn new(core: &'a Core, call: &'a Call) -> Self {
        Self {
            core,
            call,
            now: core.clock.now(),
            seen: core.rows.synced(),
            reads: Vec::with_capacity(6),
            writes: Vec::new(),
            role: Role::User,
            principal: None,
            groups: Vec::new(),
            assumed: None,
            grant_tokens: &[],
            request_alias: None,
            requested_region: None,
            re_encrypt_on_same_key: None,
            grant: None,
            decided_by: Vec::new(),
            explains: false,
            asked: &Map::new,
            parameters: OnceLock::new(),
            response: Map::new(),
            resources: Vec::new(),
            told: Told::default(),
            key_version: None,
            missed: false,
            used_key: false,
        }
    }

    /// The same for an operation whose parameters are known.
    pub(crate) fn of(
        core: &'a Core,
        call: &'a Call,
        asked: &'a (dyn Fn() -> Map<String, Value> + Sync),
        grant_tokens: &'a [String],
    ) -> Self {
        Self {
            asked,
            grant_tokens,
            ..Self::new(core, call)
        }
    }

    /// What is asked for, as the event shows it.
    pub(crate) fn parameters(&self) -> &Map<String, Value> {
        self.parameters.get_or_init(self.asked)
    }

    /// The same, to be given to the event.
    pub(crate) fn take_parameters(&mut self) -> Map<String, Value> {
        self.parameters.take().unwrap_or_else(self.asked)
    }

    pub(crate) fn account(&self) -> &'a AccountId {
        self.call.caller.account()
    }

    pub(crate) fn region(&self) -> &'a Region {
        &self.call.region
    }

    /// Finds out who asks: his credential and its principal decide, as they are now.
    pub(crate) async fn identify(&mut self) -> Result<(), ServiceError> {
        let (principal, made) = match &self.call.caller.kind {
            CallerKind::Operator | CallerKind::Service => {
                self.role = Role::Admin;
                return Ok(());
            }
            CallerKind::Development if self.core.mode == Mode::Development => {
                self.role = Role::Admin;
                return Ok(());
            }
            CallerKind::Development | CallerKind::Explained => return Err(ServiceError::UnrecognizedClient),
            CallerKind::Signed(credential) => self.identify_by_access_key(credential).await?,
            CallerKind::Token(token) => self.identify_by_token(token).await?,
            CallerKind::Mapped(user) if user.identity.expires <= self.now => return Err(ServiceError::ExpiredToken),
            // A mapping names whoever has the name now.
            CallerKind::Mapped(user) => (user.principal.clone(), self.now),
            CallerKind::Session(session) => return self.identify_session(session).await,
            CallerKind::WebIdentity(identity) if identity.expires <= self.now => {
                return Err(ServiceError::ExpiredToken);
            }
            CallerKind::WebIdentity(_) => return Ok(()),
        };
        let principal = self
            .principal(principal.as_str())
            .await?
            .filter(|principal| principal.accepts(made))
            .ok_or(ServiceError::UnrecognizedClient)?;
        self.take_on(principal).await
    }

    /// Has a principal's role and policies decide.
    pub(crate) async fn take_on(&mut self, principal: Arc<PrincipalEntry>) -> Result<(), ServiceError> {
        self.role = principal.body.role;
        for group in &principal.body.groups {
            // A policy of it may deny: who is in a group that is not there may nothing.
            let lost = ServiceError::Internal("a user is in a group that is not there");
            let group = self.group(group).await?.ok_or(lost)?;
            self.groups.push(group);
        }
        self.principal = Some(principal);
        Ok(())
    }

    async fn identify_session(&mut self, session: &Session) -> Result<(), ServiceError> {
        if session.has_expired(self.now) {
            return Err(ServiceError::ExpiredToken);
        }
        // A role that was made anew under the name is another.
        let same = |role: &Arc<RoleEntry>| role.id == session.role_id;
        let role = self.role_entry(session.role.as_str()).await?.filter(same);
        self.assumed = Some(role.ok_or(ServiceError::UnrecognizedClient)?);
        Ok(())
    }

    /// The session that asks, where one does.
    pub(crate) fn session(&self) -> Option<&'a Session> {
        match &self.call.caller.kind {
            CallerKind::Session(session) => Some(session),
            _ => None,
        }
    }

    /// The token that asks, where one does and no principal.
    pub(crate) fn web_identity(&self) -> Option<&'a WebIdentity> {
        match &self.call.caller.kind {
            CallerKind::WebIdentity(identity) => Some(identity),
            _ => None,
        }
    }

    /// The unique id of who asks, as `GetCallerIdentity` tells it; `None` for who has none.
    pub(crate) fn principal_id(&self) -> Option<String> {
        match (&self.principal, self.session()) {
            (Some(user), _) => Some(unique_id("AIDA", &user.row.id, user.body.created)),
            (None, Some(session)) => Some(format!("{}:{}", session.role_id, session.name)),
            (None, None) => None,
        }
    }

    async fn identify_by_access_key(
        &mut self,
        credential: &Credential,
    ) -> Result<(PrincipalArn, Timestamp), ServiceError> {
        let same = |key: &Arc<AccessKeyEntry>| key.enabled && key.credential.principal == credential.principal;
        let key = self.access_key(&credential.access_key_id).await?.filter(same);
        key.map(|key| (key.credential.principal.clone(), key.created))
            .ok_or(ServiceError::UnrecognizedClient)
    }

    async fn identify_by_token(&mut self, known: &ApiTokenEntry) -> Result<(PrincipalArn, Timestamp), ServiceError> {
        let same = |token: &Arc<ApiTokenEntry>| token.body.enabled && token.body.hash == known.body.hash;
        let token = self.api_token(&known.row.id).await?.filter(same);
        let token = token.ok_or(ServiceError::UnrecognizedClient)?;
        if token.has_expired(self.now) {
            return Err(ServiceError::ExpiredToken);
        }
        Ok((token.principal.clone(), token.body.created))
    }

    /// Names a resource in the event.
    pub(crate) fn concerns(&mut self, arn: Arc<str>) {
        if !self.resources.contains(&arn) {
            self.resources.push(arn);
        }
    }

    pub(crate) fn used(&mut self, version: MaterialId) {
        self.key_version = Some(version);
        self.used_key = true;
    }

    pub(crate) fn put<B: Body>(&mut self, table: Table, id: &str, owner: &str, body: &B) {
        self.writes.push(Write {
            key: RowKey::new(table, id),
            owner: owner.to_owned(),
            body: Some(body.to_bytes()),
        });
    }

    /// Writes a key's row anew.
    pub(crate) fn put_key(&mut self, key: &KeyEntry, body: &KeyBody) {
        let id = &key.row.id;
        let owner = id.rsplit_once('/').map_or("", |(owner, _)| owner);
        self.put(Table::Keys, id, owner, body);
    }

    pub(crate) fn delete(&mut self, row: &RowKey) {
        self.writes.push(Write {
            key: row.clone(),
            owner: String::new(),
            body: None,
        });
    }
}
