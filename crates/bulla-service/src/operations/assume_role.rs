use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bulla_model::policy::{Policy, PolicyKind};
use bulla_model::{PrincipalArn, Timestamp};
use serde_json::{Map, Value, json};

use crate::decision::{Decision, EventKind};
use crate::entry::RoleEntry;
use crate::limits::{members, range, shown, text};
use crate::operations::put_key_policy::policy_shown;
use crate::runner::{Operation, STS};
use crate::session::{Federated, MAX_PACKED_BYTES, NewSession, SessionCredentials, issue};
use crate::{Call, Service, ServiceError};

const SHORTEST_SECONDS: u32 = 900;
const LONGEST_SECONDS: u32 = 43_200;
const USUAL_SECONDS: u32 = 3_600;
/// What a session of a session lasts at most.
const CHAINED_SECONDS: u32 = 3_600;

/// A role to assume.
#[derive(Debug, Clone, Default)]
pub struct AssumeRoleRequest {
    /// The role's ARN.
    pub role_arn: String,
    /// 2 to 64 letters, digits and `=,.@-_+`.
    pub role_session_name: String,
    /// What the trust policy may ask for, 2 to 1,224 characters.
    pub external_id: Option<String>,
    /// The session policy, at most 2,048 characters.
    pub policy: Option<String>,
    /// 900 to 43,200, at most the role's maximum.
    pub duration_seconds: Option<u32>,
    /// Session tags, 50 at most.
    pub tags: Vec<(String, String)>,
    /// Keys of tags that pass on to sessions of the session.
    pub transitive_tag_keys: Vec<String>,
    /// Who stands behind the session: 2 to 64 letters, digits and `=,.@-_+`; passes on to sessions of the session, and is never replaced.
    pub source_identity: Option<String>,
}

/// A role that was assumed.
#[derive(Debug)]
pub struct AssumeRoleResponse {
    /// What to sign with.
    pub credentials: SessionCredentials,
    /// The session's ARN.
    pub arn: String,
    /// `AROA…:<session name>`.
    pub assumed_role_id: String,
    /// How much of the room for policy and tags is taken, in percent; `None` where there are none.
    pub packed_policy_size: Option<u32>,
    /// Who stands behind the session, if that was said.
    pub source_identity: Option<String>,
}

impl Service {
    /// `AssumeRole`: gives a caller whom the role's trust policy names credentials of the role, for a time.
    ///
    /// # Errors
    /// `AccessDenied` (also where there is no such role), `Validation`, `MalformedPolicyDocument`, `PackedPolicyTooLarge`.
    pub async fn assume_role(
        &self,
        call: &Call,
        request: AssumeRoleRequest,
    ) -> Result<AssumeRoleResponse, ServiceError> {
        self.core.run(call, &AssumeRole { request }).await
    }
}

struct AssumeRole {
    request: AssumeRoleRequest,
}

impl Operation for AssumeRole {
    type Response = AssumeRoleResponse;

    const EVENT: EventKind = EventKind {
        name: "AssumeRole",
        source: STS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        let request = &self.request;
        let tags: Vec<Value> = request
            .tags
            .iter()
            .map(|(key, value)| json!({"key": shown(key), "value": shown(value)}))
            .collect();
        let keys: Vec<Value> = request.transitive_tag_keys.iter().map(|key| shown(key)).collect();
        let of_list = |list: Vec<Value>| if list.is_empty() { Value::Null } else { list.into() };
        members([
            ("roleArn", shown(&request.role_arn)),
            ("roleSessionName", shown(&request.role_session_name)),
            ("externalId", request.external_id.as_deref().map_or(Value::Null, shown)),
            ("policy", request.policy.as_deref().map_or(Value::Null, policy_shown)),
            ("durationSeconds", request.duration_seconds.into()),
            ("tags", of_list(tags)),
            ("transitiveTagKeys", of_list(keys)),
            (
                "sourceIdentity",
                request.source_identity.as_deref().map_or(Value::Null, shown),
            ),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<AssumeRoleResponse, ServiceError> {
        let request = &self.request;
        check(request)?;
        let role = role_of(decision, "sts:AssumeRole", &request.role_arn).await?;
        decision.authorise_role("sts:AssumeRole", &role)?;
        // The account that owns the role sees who assumes it.
        decision.concerns(role.arn.as_str().into());
        if !request.tags.is_empty() {
            decision.authorise_role("sts:TagSession", &role)?;
        }
        let source_identity = source_identity(decision, request)?;
        if source_identity.is_some() {
            decision.authorise_role("sts:SetSourceIdentity", &role)?;
        }
        let (mut tags, mut transitive) = inherited(decision);
        let chained = decision.session().is_some();
        let duration = duration(request.duration_seconds, &role, chained)?;
        for (key, value) in &request.tags {
            if tags.keys().any(|known| known.to_lowercase() == key.to_lowercase()) {
                return Err(ServiceError::Validation(format!(
                    "The tag {key} is transitive in the calling session and can't be given another value"
                )));
            }
            tags.insert(key.clone(), value.clone());
        }
        transitive.extend(request.transitive_tag_keys.iter().cloned());
        let begin_with = Begin {
            request,
            duration,
            source_identity,
        };
        begin(decision, &role, &begin_with, tags, transitive)
    }
}

/// What a session begins with, its tags apart.
pub(super) struct Begin<'a> {
    pub(super) request: &'a AssumeRoleRequest,
    pub(super) duration: u32,
    pub(super) source_identity: Option<String>,
}

/// Makes the session, its credentials and what its event answers.
pub(super) fn begin(
    decision: &mut Decision<'_>,
    role: &RoleEntry,
    begin: &Begin<'_>,
    tags: BTreeMap<String, String>,
    transitive: BTreeSet<String>,
) -> Result<AssumeRoleResponse, ServiceError> {
    let request = begin.request;
    let policy = request.policy.as_deref();
    if let Some(document) = policy {
        Policy::parse(PolicyKind::Identity, document)
            .map_err(|error| ServiceError::MalformedPolicyDocument(error.to_string()))?;
    }
    let of_tags: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let packed = of_tags + policy.map_or(0, str::len);
    if packed > MAX_PACKED_BYTES {
        return Err(ServiceError::PackedPolicyTooLarge(format!(
            "Packed size of session policies and tags is {packed} bytes, which exceeds the allowed {MAX_PACKED_BYTES}"
        )));
    }
    let unknown = || ServiceError::Validation("The session name is none".to_owned());
    let arn = PrincipalArn::session(&role.arn, &request.role_session_name).ok_or_else(unknown)?;
    let expires: Timestamp = decision
        .now
        .plus_micros(i64::from(begin.duration) * 1_000_000)
        .rounded_to_second();
    let core = decision.core;
    let session = NewSession {
        role,
        name: &request.role_session_name,
        policy,
        tags,
        transitive,
        issued: decision.now,
        expires,
        federated: decision.web_identity().map(Federated::of),
        source_identity: begin.source_identity.clone(),
    };
    let credentials = issue(&core.rows.store_key, &*core.random, session)?;
    let assumed_role_id = format!("{}:{}", role.id, request.role_session_name);
    decision.response = members([
        (
            "credentials",
            json!({"accessKeyId": credentials.access_key_id, "expiration": expires.to_string()}),
        ),
        (
            "assumedRoleUser",
            json!({"assumedRoleId": assumed_role_id, "arn": arn.as_str()}),
        ),
    ]);
    Ok(AssumeRoleResponse {
        credentials,
        arn: arn.to_string(),
        assumed_role_id,
        packed_policy_size: (packed > 0)
            .then(|| u32::try_from((packed * 100).div_ceil(MAX_PACKED_BYTES)).unwrap_or(100)),
        source_identity: begin.source_identity.clone(),
    })
}

/// Finds the role; one that is not there is denied as one that does not trust the caller.
pub(super) async fn role_of(
    decision: &mut Decision<'_>,
    action: &str,
    role_arn: &str,
) -> Result<Arc<RoleEntry>, ServiceError> {
    let arn: Option<PrincipalArn> = role_arn.parse().ok().filter(PrincipalArn::is_role);
    let arn = arn.ok_or_else(|| ServiceError::Validation(format!("{} is invalid", shown_text(role_arn))))?;
    let denied = decision.role_denied(action, arn.as_str());
    decision.role_entry(arn.as_str()).await?.ok_or(denied)
}

/// How long the session lasts, as asked or as usual.
pub(super) fn duration(asked: Option<u32>, role: &RoleEntry, chained: bool) -> Result<u32, ServiceError> {
    let longest = role.body.max_session_seconds;
    match asked {
        Some(seconds) if chained && seconds > CHAINED_SECONDS => Err(ServiceError::Validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
                .to_owned(),
        )),
        Some(seconds) if seconds > longest => Err(ServiceError::Validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned(),
        )),
        Some(seconds) => Ok(seconds),
        None => Ok(USUAL_SECONDS.min(longest)),
    }
}

/// Who stands behind the new session: as the calling session says, else as the request does.
fn source_identity(decision: &Decision<'_>, request: &AssumeRoleRequest) -> Result<Option<String>, ServiceError> {
    let of_session = decision.session().and_then(|session| session.source_identity.as_ref());
    match (of_session, &request.source_identity) {
        (Some(known), Some(asked)) if known != asked => Err(ServiceError::Validation(
            "The source identity of the calling session can't be replaced".to_owned(),
        )),
        (known, asked) => Ok(known.or(asked.as_ref()).cloned()),
    }
}

/// The tags that a session passes on.
fn inherited(decision: &Decision<'_>) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let Some(session) = decision.session() else {
        return Default::default();
    };
    let passes = |key: &str| {
        let key = key.to_lowercase();
        session.transitive.iter().any(|known| known.to_lowercase() == key)
    };
    let tags = session.tags.iter().filter(|(key, _)| passes(key));
    (
        tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
        session.transitive.clone(),
    )
}

/// AWS's limits on the members.
///
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
pub(super) fn check(request: &AssumeRoleRequest) -> Result<(), ServiceError> {
    text("roleArn", &request.role_arn, 20, 2048)?;
    text("roleSessionName", &request.role_session_name, 2, 64)?;
    let name = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    pattern("roleSessionName", &request.role_session_name, r"[\w+=,.@-]*", name)?;
    if let Some(id) = &request.external_id {
        text("externalId", id, 2, 1224)?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-\\".contains(&b);
        pattern("externalId", id, r"[\w+=,.@:\/-]*", legal)?;
    }
    if let Some(identity) = &request.source_identity {
        text("sourceIdentity", identity, 2, 64)?;
        pattern("sourceIdentity", identity, r"[\w+=,.@-]*", name)?;
    }
    if let Some(policy) = &request.policy {
        text("policy", policy, 1, 2048)?;
    }
    if let Some(seconds) = request.duration_seconds {
        range("durationSeconds", seconds, SHORTEST_SECONDS, LONGEST_SECONDS)?;
    }
    check_tags(request)
}

fn check_tags(request: &AssumeRoleRequest) -> Result<(), ServiceError> {
    if request.tags.len() > 50 || request.transitive_tag_keys.len() > 50 {
        return Err(ServiceError::Validation("A session has 50 tags at most".to_owned()));
    }
    let mut keys = BTreeSet::new();
    for (key, value) in &request.tags {
        text("tags.member.key", key, 1, 128)?;
        text("tags.member.value", value, 0, 256)?;
        let legal = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if !key.chars().chain(value.chars()).all(legal) {
            return Err(ServiceError::Validation(
                "A tag has a character that tags don't have".to_owned(),
            ));
        }
        if !keys.insert(key.to_lowercase()) {
            return Err(ServiceError::Validation(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned(),
            ));
        }
    }
    match request
        .transitive_tag_keys
        .iter()
        .find(|key| !keys.contains(&key.to_lowercase()))
    {
        Some(_) => Err(ServiceError::Validation(
            "The specified transitive tag key must be included in the requested tags.".to_owned(),
        )),
        None => Ok(()),
    }
}

fn pattern(member: &str, value: &str, of: &str, legal: impl Fn(u8) -> bool) -> Result<(), ServiceError> {
    if value.bytes().all(legal) {
        return Ok(());
    }
    Err(ServiceError::Validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: {of}"
    )))
}

fn shown_text(text: &str) -> String {
    shown(text).as_str().unwrap_or_default().to_owned()
}
