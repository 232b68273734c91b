//! One decision: what it read, what it is to write, and what its event says.

use std::sync::{Arc, OnceLock};

use bulla_audit::{EventDraft, EventType, Intent, Resource, UserIdentity};
use bulla_model::{AccountId, MaterialId, PrincipalArn, Region, Role, Timestamp};
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::bodies::{Body, KeyBody};
use crate::call::CallerKind;
use crate::committer::Write;
use crate::entry::{
    AccessKeyEntry, AliasEntry, ApiTokenEntry, AuditBatchEntry, Entry, GroupEntry, KeyEntry, PrincipalEntry, RoleEntry,
    StoreKeyEntry, VersionEntry,
};
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
            CallerKind::Mapped(user) if user.expires <= self.now => return Err(ServiceError::ExpiredToken),
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

    /// Reads a row, from the cache or the store; what is not there is part of the read set, too.
    async fn entry(&mut self, table: Table, id: &str) -> Result<Option<Entry>, ServiceError> {
        if let Some(entry) = self.core.rows.cached(table, id) {
            self.reads.push(entry.row().clone());
            return Ok(Some(entry));
        }
        self.missed = true;
        self.reads.push(RowKey::new(table, id));
        self.core.rows.load(table, id).await
    }

    pub(crate) async fn key(&mut self, row: &str) -> Result<Option<Arc<KeyEntry>>, ServiceError> {
        match self.entry(Table::Keys, row).await? {
            Some(Entry::Key(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn version(&mut self, row: &str) -> Result<Option<Arc<VersionEntry>>, ServiceError> {
        match self.entry(Table::KeyVersions, row).await? {
            Some(Entry::Version(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn alias(&mut self, row: &str) -> Result<Option<Arc<AliasEntry>>, ServiceError> {
        match self.entry(Table::Aliases, row).await? {
            Some(Entry::Alias(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn principal(&mut self, arn: &str) -> Result<Option<Arc<PrincipalEntry>>, ServiceError> {
        match self.entry(Table::Principals, arn).await? {
            Some(Entry::Principal(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn access_key(&mut self, id: &str) -> Result<Option<Arc<AccessKeyEntry>>, ServiceError> {
        match self.entry(Table::AccessKeys, id).await? {
            Some(Entry::AccessKey(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn role_entry(&mut self, arn: &str) -> Result<Option<Arc<RoleEntry>>, ServiceError> {
        match self.entry(Table::Roles, arn).await? {
            Some(Entry::Role(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn group(&mut self, arn: &str) -> Result<Option<Arc<GroupEntry>>, ServiceError> {
        match self.entry(Table::Groups, arn).await? {
            Some(Entry::Group(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn api_token(&mut self, id: &str) -> Result<Option<Arc<ApiTokenEntry>>, ServiceError> {
        match self.entry(Table::ApiTokens, id).await? {
            Some(Entry::ApiToken(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn audit_batch(&mut self, id: &str) -> Result<Option<Arc<AuditBatchEntry>>, ServiceError> {
        match self.entry(Table::AuditBatches, id).await? {
            Some(Entry::AuditBatch(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn grant(&mut self, row: &str) -> Result<Option<Arc<GrantEntry>>, ServiceError> {
        match self.entry(Table::Grants, row).await? {
            Some(Entry::Grant(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    pub(crate) async fn store_key(&mut self, id: &str) -> Result<Option<Arc<StoreKeyEntry>>, ServiceError> {
        match self.entry(Table::StoreKeys, id).await? {
            Some(Entry::StoreKey(entry)) => Ok(Some(entry)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    /// Writes down what happened.
    pub(crate) fn draft<'e>(
        &'e self,
        event: &EventKind,
        event_id: &'e str,
        parameters: Map<String, Value>,
        error: Option<&ServiceError>,
    ) -> EventDraft<'e> {
        let account = self.account().as_str();
        EventDraft {
            event_time: self.now.as_micros(),
            event_name: event.name.into(),
            event_source: event.source.into(),
            event_type: match self.call.caller.kind {
                CallerKind::Service => EventType::ServiceEvent,
                _ => EventType::ApiCall,
            },
            aws_region: self.region().as_str().into(),
            user_identity: self.identity(),
            source_ip_address: (&*self.call.source_ip).into(),
            user_agent: cut(&self.call.user_agent, 256).into(),
            request_parameters: parameters,
            response_elements: if error.is_some() {
                Map::new()
            } else {
                self.response.clone()
            },
            resources: self
                .resources
                .iter()
                .map(|arn| Resource {
                    arn: (&**arn).into(),
                    account_id: account_of(arn).unwrap_or(account).into(),
                    kind: kind_of(arn).into(),
                })
                .collect(),
            error_code: match (error, &self.told.failure) {
                (Some(error), _) => Some(error.audit_code().into()),
                (None, failure) => failure.as_ref().map(|(code, _)| cut(code, 128).into()),
            },
            // Some messages repeat what a client sent.
            error_message: match (error, &self.told.failure) {
                (Some(error), _) => Some(cut(&error.to_string(), 1024).to_owned().into()),
                (None, failure) => failure.as_ref().map(|(_, message)| cut(message, 1024).into()),
            },
            request_id: cut(&self.call.request_id, 128).into(),
            event_id: event_id.into(),
            read_only: event.read_only,
            recipient_account_id: self
                .resources
                .first()
                .and_then(|arn| account_of(arn))
                .unwrap_or(account)
                .into(),
            key_version: self.key_version.map(|version| version.to_string().into()),
            cache_hit: self.told.cache_hit.or(self.used_key.then_some(!self.missed)),
            purpose: self.told.purpose.as_deref().map(Into::into),
            additional_event_data: {
                let mut additional = self.told.additional.clone();
                if !self.decided_by.is_empty() {
                    additional.insert("decidedBy".to_owned(), self.decided_by.as_slice().into());
                }
                additional
            },
            intent: self.told.intent.clone(),
        }
    }

    fn identity(&self) -> UserIdentity<'_> {
        let caller = &self.call.caller;
        let (kind, access_key_id, user_name) = match &caller.kind {
            CallerKind::Signed(credential) => ("IAMUser", Some(&*credential.access_key_id), Some(caller.arn.name())),
            CallerKind::Token(token) => ("IAMUser", Some(&*token.row.id), Some(caller.arn.name())),
            CallerKind::Mapped(_) => ("IAMUser", None, Some(caller.arn.name())),
            CallerKind::Session(session) => ("AssumedRole", session.access_key_id.as_deref(), None),
            CallerKind::WebIdentity(identity) => ("WebIdentityUser", None, Some(cut(&identity.subject, 256))),
            CallerKind::Explained => ("IAMUser", None, None),
            CallerKind::Development | CallerKind::Operator => ("Root", None, None),
            CallerKind::Service => ("AWSService", None, None),
        };
        UserIdentity {
            kind: kind.into(),
            principal_id: match (self.session(), self.web_identity()) {
                (Some(session), _) => Some(format!("{}:{}", session.role_id, session.name).into()),
                (None, Some(identity)) => {
                    let audience = identity.audiences.first().map_or("", String::as_str);
                    let text = format!("{}:{audience}:{}", identity.issuer, identity.subject);
                    Some(cut(&text, 1024).to_owned().into())
                }
                (None, None) => None,
            },
            // Who shows a token is no principal of ours yet.
            arn: self.web_identity().is_none().then(|| caller.arn.as_str().into()),
            account_id: Some(caller.account.as_str().into()),
            user_name: user_name.map(Into::into),
            access_key_id: access_key_id.map(Into::into),
        }
    }
}

/// What an operation is called in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventKind {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    pub(crate) read_only: bool,
}

/// CloudTrail's type of the resource that an ARN names.
pub(crate) fn kind_of(arn: &str) -> &'static str {
    let mut parts = arn.splitn(6, ':').skip(2);
    if parts.next() != Some("bulla") {
        return "AWS::KMS::Key";
    }
    match parts.nth(2).and_then(|rest| rest.split('/').next()) {
        Some("token") => "Bulla::Token",
        Some("codec") => "Bulla::Codec",
        Some("column") => "Bulla::Column",
        Some("audit") => "Bulla::AuditLog",
        _ => "Bulla::Resource",
    }
}

/// The account that an ARN names.
fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
