use bulla_service::{Call, ReplicateKeyRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Flag, List, Object, Text, parse};
use super::key_metadata::KeyMetadata;
use super::validation::{Checks, DESCRIPTION, KEY_ID, POLICY, TagInput};
use super::wire::{Failure, Reply};

/// Answers `ReplicateKey`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.replicate_key(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        replica_key_metadata: KeyMetadata::of(&response.key),
        replica_policy: &response.policy,
        replica_tags: response
            .tags
            .iter()
            .map(|tag| TagOutput {
                tag_key: &tag.key,
                tag_value: &tag.value,
            })
            .collect(),
    };
    Reply::json(&output, response.policy.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    replica_region: Option<Text>,
    policy: Option<Text>,
    bypass_policy_lockout_safety_check: Option<Flag>,
    description: Option<Text>,
    tags: Option<List<Object<TagInput>>>,
}

impl Input {
    fn check(self) -> Result<ReplicateKeyRequest, Failure> {
        let mut checks = Checks::default();
        let key_id = checks.required_text("keyId", self.key_id, &KEY_ID);
        let replica_region = checks.required_region("replicaRegion", self.replica_region);
        let policy = checks.text("policy", self.policy, &POLICY);
        let bypass_policy_lockout_safety_check = checks.flag(self.bypass_policy_lockout_safety_check);
        let description = checks
            .text("description", self.description, &DESCRIPTION)
            .unwrap_or_default();
        let tags = checks.tags(self.tags);
        checks.finish(())?;
        Ok(ReplicateKeyRequest {
            key_id,
            replica_region: replica_region?,
            policy,
            bypass_policy_lockout_safety_check,
            description,
            tags,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    replica_key_metadata: KeyMetadata<'a>,
    replica_policy: &'a str,
    replica_tags: Vec<TagOutput<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagOutput<'a> {
    tag_key: &'a str,
    tag_value: &'a str,
}
