//! The provider whose keys are in AWS KMS, or in anything that speaks its API.
//!
//! Credentials come from AWS's own chain (environment, profile, web identity, container, instance), then through any roles that
//! the configuration names; sessions are renewed before they end. [`AwsProvider::probe`] says at start what is wrong.

mod aliases;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod create;
mod error;
mod key_name;
mod new_key;
mod probe;
mod provider;
mod redirect;
mod regions;
mod report;
mod rotate;
mod session;
mod signing;

pub use config::{AssumeRole, AwsConfig, AwsRegion, StaticCredentials};
pub use create::CreatedKey;
pub use error::{AwsConfigError, AwsFault, FaultOrigin};
pub use new_key::{NewKey, NewKeyError};
pub use probe::{ProbeError, ProbeProblem, ProbeReport};
pub use provider::AwsProvider;
pub use report::{Freshness, KeyReport, MultiRegion, Rotation, RotationPolicy};
