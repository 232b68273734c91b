use std::collections::BTreeMap;

use bulla_model::PrincipalArn;
use serde_json::{Map, Value};

use super::holders::authorise_holder;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown, text};
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError};

/// Tags that a principal can have, as in IAM.
const LIMIT: usize = 50;

impl Service {
    /// Gives a user or a role tags, which policies see as `aws:PrincipalTag/…`; decides the very next operation.
    ///
    /// Keys that differ by case only are one.
    ///
    /// # Errors
    /// `NotFound`, `Validation`, `LimitExceeded`, `AccessDenied`.
    pub async fn tag_principal(
        &self,
        call: &Call,
        arn: PrincipalArn,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &TagPrincipal { arn, tags }).await
    }

    /// Takes tags from a user or a role; those that are not there are no error.
    ///
    /// # Errors
    /// `NotFound`, `Validation`, `AccessDenied`.
    pub async fn untag_principal(&self, call: &Call, arn: PrincipalArn, keys: Vec<String>) -> Result<(), ServiceError> {
        self.core.run(call, &UntagPrincipal { arn, keys }).await
    }

    /// Lists the tags of a user or a role.
    ///
    /// # Errors
    /// `NotFound`, `Validation`, `AccessDenied`.
    pub async fn principal_tags(
        &self,
        call: &Call,
        arn: PrincipalArn,
    ) -> Result<BTreeMap<String, String>, ServiceError> {
        self.core.run(call, &ListPrincipalTags { arn }).await
    }
}

fn no_tags() -> ServiceError {
    ServiceError::Validation("A group has no tags".to_owned())
}

struct TagPrincipal {
    arn: PrincipalArn,
    tags: BTreeMap<String, String>,
}

impl Operation for TagPrincipal {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "TagPrincipal",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        let tags = self
            .tags
            .iter()
            .take(LIMIT)
            .map(|(key, value)| (key.clone(), shown(value)));
        members([
            ("arn", self.arn.as_str().into()),
            ("principalTags", Value::Object(tags.collect())),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let holder = authorise_holder(decision, "bulla:TagPrincipal", &self.arn).await?;
        let mut tags = holder.tags().ok_or_else(no_tags)?.clone();
        for (key, value) in &self.tags {
            text("key", key, 1, 128)?;
            text("value", value, 0, 256)?;
            let lower = key.to_lowercase();
            tags.retain(|known, _| known.to_lowercase() != lower);
            tags.insert(key.clone(), value.clone());
        }
        if tags.len() > LIMIT {
            return Err(ServiceError::LimitExceeded(format!(
                "{} would have more than {LIMIT} tags",
                self.arn
            )));
        }
        holder.put_tags(decision, tags);
        Ok(())
    }
}

struct UntagPrincipal {
    arn: PrincipalArn,
    keys: Vec<String>,
}

impl Operation for UntagPrincipal {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "UntagPrincipal",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        let keys: Vec<Value> = self.keys.iter().take(LIMIT).map(|key| shown(key)).collect();
        members([("arn", self.arn.as_str().into()), ("tagKeys", keys.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let holder = authorise_holder(decision, "bulla:UntagPrincipal", &self.arn).await?;
        let mut tags = holder.tags().ok_or_else(no_tags)?.clone();
        for key in &self.keys {
            let lower = key.to_lowercase();
            tags.retain(|known, _| known.to_lowercase() != lower);
        }
        holder.put_tags(decision, tags);
        Ok(())
    }
}

struct ListPrincipalTags {
    arn: PrincipalArn,
}

impl Operation for ListPrincipalTags {
    type Response = BTreeMap<String, String>;

    const EVENT: EventKind = EventKind {
        name: "ListPrincipalTags",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("arn", self.arn.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<BTreeMap<String, String>, ServiceError> {
        let holder = authorise_holder(decision, "bulla:ListPrincipalTags", &self.arn).await?;
        holder.tags().cloned().ok_or_else(no_tags)
    }
}
