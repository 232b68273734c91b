use std::sync::atomic::Ordering;

use bulla_store::Table;
use serde_json::{Map, Value};

use crate::bodies::{RootWrap, StoreKeyBody};
use crate::decision::{Decision, EventKind};
use crate::initialise::wrap_store_key;
use crate::limits::members;
use crate::metrics::count;
use crate::row_ids::numbered_row;
use crate::runner::{BULLA, Operation};
use crate::{Call, Root, Service, ServiceError};

impl Service {
    /// Wraps the store key anew under these roots: a rotated root, a new one in place of a lost one, a second one.
    ///
    /// Wraps under resolved roots that `keep` names stay as they are, for roots that are not at hand: recovery shares. Roots that are
    /// in neither open the store no more. Existing copies of the database keep their old wraps.
    ///
    /// # Errors
    /// `AccessDenied`; `Root` where a root did not wrap; `Validation` without any root.
    pub async fn replace_roots(
        &self,
        call: &Call,
        roots: &[Root],
        keep: &[String],
    ) -> Result<Vec<String>, ServiceError> {
        if roots.is_empty() {
            return Err(ServiceError::Validation(
                "a store needs at least one root key".to_owned(),
            ));
        }
        let secret = self.core.rows.store_key.secret();
        let metrics = &self.core.rows.metrics;
        let wraps = wrap_store_key(roots, &self.core.origin, secret)
            .await
            .map_err(|error| {
                count(&metrics.root_call_failures);
                ServiceError::Root(error.into())
            })?;
        metrics.root_calls.fetch_add(wraps.len() as u64, Ordering::Relaxed);
        let keep = keep.to_vec();
        self.core.run(call, &ReplaceRoots { wraps, keep }).await
    }

    /// Names the resolved roots that wrap the store key.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn list_roots(&self, call: &Call) -> Result<Vec<String>, ServiceError> {
        self.core.run(call, &ListRoots).await
    }
}

struct ReplaceRoots {
    wraps: Vec<RootWrap>,
    keep: Vec<String>,
}

impl Operation for ReplaceRoots {
    type Response = Vec<String>;

    const EVENT: EventKind = EventKind {
        name: "ReplaceRoots",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("roots", names(&self.wraps).into()), ("keep", self.keep.clone().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<String>, ServiceError> {
        decision.authorise("bulla:RotateRoot", "*")?;
        let id = numbered_row(1);
        let store_key = decision
            .store_key(&id)
            .await?
            .ok_or(ServiceError::Internal("no store key"))?;
        let mut wraps = self.wraps.clone();
        for kept in &store_key.body.wraps {
            if self.keep.contains(&kept.root) && wraps.iter().all(|wrap| wrap.root != kept.root) {
                wraps.push(kept.clone());
            }
        }
        let answer = names(&wraps);
        let body = StoreKeyBody {
            wraps,
            ..store_key.body.clone()
        };
        decision.response = members([("replaced", names(&store_key.body.wraps).into())]);
        decision.put(Table::StoreKeys, &id, "", &body);
        Ok(answer)
    }
}

struct ListRoots;

impl Operation for ListRoots {
    type Response = Vec<String>;

    const EVENT: EventKind = EventKind {
        name: "ListRoots",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<String>, ServiceError> {
        decision.authorise("bulla:ListRoots", "*")?;
        let store_key = decision
            .store_key(&numbered_row(1))
            .await?
            .ok_or(ServiceError::Internal("no store key"))?;
        Ok(names(&store_key.body.wraps))
    }
}

fn names(wraps: &[RootWrap]) -> Vec<String> {
    wraps.iter().map(|wrap| wrap.root.clone()).collect()
}
