use bulla_audit::{EventDraft, EventType, Resource, UserIdentity};
use serde_json::{Map, Value, json};

use super::Decision;
use crate::ServiceError;
use crate::call::CallerKind;
use crate::oidc::WebIdentity;
use crate::session::Federated;

/// What an operation is called in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventKind {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    pub(crate) read_only: bool,
}

impl Decision<'_> {
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
                if let Some(identity) = self.call.caller.shown() {
                    additional.insert("webIdentity".to_owned(), shown(identity));
                }
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
            session_context: self.session_context(),
        }
    }

    /// Whose session it is, as CloudTrail says it.
    fn session_context(&self) -> Map<String, Value> {
        let mut context = Map::new();
        let began = self.session().and_then(|session| session.federated.clone());
        let federated = began.or_else(|| self.call.caller.shown().map(Federated::of));
        if let Some(session) = self.session() {
            let role = &session.role;
            let issuer = json!({"type": "Role", "principalId": session.role_id, "arn": role.as_str(),
                "accountId": role.account().as_str(), "userName": role.name()});
            let created = session.issued.rounded_to_second().to_string();
            context.insert("sessionIssuer".to_owned(), issuer);
            context.insert(
                "attributes".to_owned(),
                json!({"creationDate": created, "mfaAuthenticated": "false"}),
            );
            if let Some(identity) = &session.source_identity {
                context.insert("sourceIdentity".to_owned(), identity.as_str().into());
            }
        }
        if let Some(federated) = federated {
            let data = json!({"federatedProvider": federated.provider, "attributes": {"sub": federated.subject}});
            context.insert("webIdFederationData".to_owned(), data);
        }
        context
    }
}

/// Whose token was shown as a bearer credential: the session's or user's own name does not say it.
fn shown(identity: &WebIdentity) -> Value {
    let mut shown = Map::from_iter([
        ("issuer".to_owned(), cut(&identity.issuer, 512).into()),
        ("subject".to_owned(), cut(&identity.subject, 512).into()),
    ]);
    if let Some(id) = &identity.id {
        shown.insert("tokenId".to_owned(), cut(id, 128).into());
    }
    shown.into()
}

/// CloudTrail's type of the resource that an ARN names.
pub(crate) fn kind_of(arn: &str) -> &'static str {
    let mut parts = arn.splitn(6, ':').skip(2);
    match parts.next() {
        Some("bulla") => {}
        Some("iam") => return "AWS::IAM::Role",
        _ => return "AWS::KMS::Key",
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

/// At most so many bytes of a text.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
