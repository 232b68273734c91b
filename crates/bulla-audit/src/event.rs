mod authentication_failures;
mod prepared;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use authentication_failures::AuthenticationFailures;
pub use prepared::{CommitPoint, PreparedEvent};

use crate::canonical::CanonicalError;

/// The version of CloudTrail's record format whose names and types an event uses.
pub const EVENT_VERSION: &str = "1.11";

/// The greatest size of an event: 256 KiB, CloudTrail's limit.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// The greatest size of a prepared event; the rest up to [`MAX_EVENT_BYTES`] is left for what the commit adds.
pub const MAX_PREPARED_BYTES: usize = MAX_EVENT_BYTES - 64 * 1024;

/// What a request's task knows of an event before the commit.
///
/// The members are CloudTrail's. `sequence`, `previousHash`, `metadataRevision` and `changes` come at commit ([`CommitPoint`]).
///
/// # Security
/// There is no member for plaintext, ciphertext, key bytes, tokens, passwords or signatures, and none may be put into the two maps:
/// they name what was asked for (key ids, algorithms, sizes, the encryption context, which is not secret by definition). Text that a
/// client chose (`user_agent`, `source_ip_address`) is bounded by the edge.
#[derive(Debug, Clone, PartialEq)]
pub struct EventDraft<'a> {
    /// When the request was decided, in microseconds since 1970, UTC; `eventTime`.
    pub event_time: i64,
    /// The operation, `Decrypt`; `eventName`.
    pub event_name: Cow<'a, str>,
    /// The service whose operation it is, `kms.amazonaws.com`; `eventSource`.
    pub event_source: Cow<'a, str>,
    /// An API call or something the service did by itself; `eventType`.
    pub event_type: EventType,
    /// The region asked for; `awsRegion`.
    pub aws_region: Cow<'a, str>,
    /// Who asked; `userIdentity`.
    pub user_identity: UserIdentity<'a>,
    /// From where; `sourceIPAddress`.
    pub source_ip_address: Cow<'a, str>,
    /// With what; `userAgent`.
    pub user_agent: Cow<'a, str>,
    /// What was asked for, without any secret; `null` when empty; `requestParameters`.
    pub request_parameters: Map<String, Value>,
    /// What was answered, without any secret; `null` when empty; `responseElements`.
    pub response_elements: Map<String, Value>,
    /// What it was about; left out when empty; `resources`.
    pub resources: Vec<Resource<'a>>,
    /// The error's code, when it failed; `errorCode`.
    pub error_code: Option<Cow<'a, str>>,
    /// The error's text, when it failed; `errorMessage`.
    pub error_message: Option<Cow<'a, str>>,
    /// The request; `requestID`.
    pub request_id: Cow<'a, str>,
    /// This event, unique; `eventID`.
    pub event_id: Cow<'a, str>,
    /// Whether the operation changes nothing; `readOnly`.
    pub read_only: bool,
    /// The account that owns what it was about; `recipientAccountId`.
    pub recipient_account_id: Cow<'a, str>,
    /// Which version of the key was used; `keyVersion`.
    pub key_version: Option<Cow<'a, str>>,
    /// Whether a cache answered; `cacheHit`.
    pub cache_hit: Option<bool>,
    /// What for: `token`, `column`, `payload`, …; `purpose`.
    pub purpose: Option<Cow<'a, str>>,
    /// What else there is to say, as which statements and grants decided; left out when empty; `additionalEventData`.
    pub additional_event_data: Map<String, Value>,
    /// Whether this announces an effect outside the store, or reports one; `intent`, `intentID`.
    pub intent: Intent,
}

/// Whether an event stands alone, announces an effect outside the store, or reports how an announced one ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Intent {
    /// Neither; the usual case.
    #[default]
    None,
    /// Announces an effect; `intent: true`. `verify` lists it until its outcome is in the log.
    Announced,
    /// Reports the outcome of the event with this `eventID`; `intentID`.
    Outcome(String),
}

/// CloudTrail's `eventType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventType {
    /// `AwsApiCall`: somebody called.
    #[default]
    ApiCall,
    /// `AwsServiceEvent`: the service did it by itself.
    ServiceEvent,
}

/// Who asked; CloudTrail's `userIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserIdentity<'a> {
    /// `IAMUser`, `AssumedRole`, `AWSService`, `Unknown`; `type`.
    pub kind: Cow<'a, str>,
    /// The principal's unique id; `principalId`.
    pub principal_id: Option<Cow<'a, str>>,
    /// The principal's ARN.
    pub arn: Option<Cow<'a, str>>,
    /// The principal's account; `accountId`.
    pub account_id: Option<Cow<'a, str>>,
    /// The access key id that signed, never its secret; `accessKeyId`.
    pub access_key_id: Option<Cow<'a, str>>,
    /// The principal's name; `userName`.
    pub user_name: Option<Cow<'a, str>>,
    /// Of temporary credentials and of tokens of an issuer: whose they are, without any secret; left out when empty; `sessionContext`.
    pub session_context: Map<String, Value>,
}

/// What an event was about; a member of CloudTrail's `resources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The resource's ARN; `ARN`.
    pub arn: Cow<'a, str>,
    /// The account that owns it; `accountId`.
    pub account_id: Cow<'a, str>,
    /// `AWS::KMS::Key`; `type`.
    pub kind: Cow<'a, str>,
}

/// An event that can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Larger than [`MAX_PREPARED_BYTES`] before, or [`MAX_EVENT_BYTES`] after the commit.
    #[error("the event is too large")]
    TooLarge,
    /// A time before 1970 or after 9999.
    #[error("the event's time has no four-digit year")]
    Time,
    /// A parameter, a sequence or a revision that has no canonical form.
    #[error("the event has no canonical form")]
    Canonical(#[from] CanonicalError),
}

impl EventDraft<'_> {
    /// Writes the event's canonical bytes, with places for what the commit adds.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn prepare(&self) -> Result<PreparedEvent, EventError> {
        PreparedEvent::write(self)
    }
}

impl EventType {
    /// The name in CloudTrail.
    pub fn name(self) -> &'static str {
        match self {
            EventType::ApiCall => "AwsApiCall",
            EventType::ServiceEvent => "AwsServiceEvent",
        }
    }
}
