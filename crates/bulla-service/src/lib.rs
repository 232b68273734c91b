//! The key service: one entry per operation, each `authorise → execute → audit`, over a store and a root provider.
//!
//! A façade turns a request into a domain struct, calls one method of [`Service`], and renders the answer. It cannot go around
//! the order of things: key material is reachable only through a decision, and a decision is answered only once its event is durable.

mod access;
mod administration;
mod api_token;
mod authentication;
mod authentication_failures;
mod authorisation;
mod authorised;
mod background;
mod bodies;
mod call;
mod change_feed;
mod changes;
mod committer;
mod conditions;
mod credential;
mod decision;
mod ensure_key;
mod entry;
mod error;
mod explain;
mod feed_digest;
mod freshness;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod grants;
mod import_token;
mod imported;
mod initialise;
mod key_material;
mod key_metadata;
mod key_usage;
mod keyring;
mod limits;
mod metrics;
mod multi_region;
mod oidc;
mod open;
mod operations;
mod pages;
mod provider;
mod refusal;
mod roles;
mod rotation;
mod row_ids;
mod rows;
mod runner;
mod service;
mod session;
mod settings;
mod token_marks;
mod verification;

pub use access::{ACCESS_ACTIONS, Access, Accessed, Announced, Concluded, Failure};
pub use administration::grants::{GiveGrantRequest, GivenGrant, GivenGrants, ListGivenGrantsRequest, TakeGrantRequest};
pub use administration::{
    AccessKeyDescription, ApiTokenDescription, AssertedBatch, AssertedEvent, AuditPage, AuditQuery,
    CreateAccessKeyResponse, CreateApiTokenResponse, CreatePrincipalResponse, CreateRoleRequest, GroupDescription,
    NewCredentials, PrincipalCounts, PrincipalDescription, RecordedBatch, RoleDescription,
};
pub use background::Sweep;
pub use call::{Call, Caller};
pub use changes::Changes;
pub use credential::Credential;
pub use error::{OpenError, ServiceError};
pub use explain::{ExplainRequest, ExplainedResource, Explanation};
pub use key_metadata::{KeyMetadata, MultiRegionConfiguration, RegionalKey};
pub use key_usage::KeyUse;
pub use metrics::{Histogram, Metrics};
pub use oidc::{FetchDocument, FetchError, Issuer, MappedPrincipal, OidcSettings};
pub use operations::*;
pub use provider::ServiceProvider;
pub use refusal::Refusal;
pub use service::Service;
pub use session::SessionCredentials;
pub use settings::{InitialiseSettings, Initialised, Mode, Root, Settings};
pub use token_marks::{Lasts, TokenPlace, TokenVersion};
pub use verification::{ForgedRow, Forgery, Verified};
