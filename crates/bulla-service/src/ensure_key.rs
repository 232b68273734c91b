use bulla_model::KeyArn;
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::bodies::{AliasBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::operations::create_alias::{alias_name, living_alias};
use crate::row_ids::{RowKey, alias_row};
use crate::runner::{BULLA, Operation};
use crate::{Call, CreateKeyRequest, Mode, Service, ServiceError};

impl Service {
    /// Finds the key of an alias, and makes both in one step where there is none: in development mode only, where a vault's clients and a
    /// codec's namespaces get their keys at their first use.
    ///
    /// The key is symmetric, for encryption, with `policy` or the default one. Each call is an event: who asks often remembers the answer.
    ///
    /// # Errors
    /// `Unsupported` in production mode; `InvalidAliasName`, `Validation`, `MalformedPolicyDocument`, `AccessDenied`.
    pub async fn ensure_key(
        &self,
        call: &Call,
        alias: &str,
        description: &str,
        policy: Option<String>,
    ) -> Result<KeyArn, ServiceError> {
        let ensure = EnsureKey {
            alias: alias.to_owned(),
            key: CreateKeyRequest {
                description: description.to_owned(),
                policy,
                ..CreateKeyRequest::default()
            },
        };
        self.core.run(call, &ensure).await
    }
}

struct EnsureKey {
    alias: String,
    key: CreateKeyRequest,
}

impl Operation for EnsureKey {
    type Response = KeyArn;

    const EVENT: EventKind = EventKind {
        name: "EnsureKey",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = members([("aliasName", shown(&self.alias))]);
        parameters.append(&mut self.key.parameters());
        parameters
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<KeyArn, ServiceError> {
        if decision.core.mode != Mode::Development {
            return Err(ServiceError::Unsupported(
                "Keys are made on first use in development mode only.".to_owned(),
            ));
        }
        let name = alias_name(&self.alias)?;
        let row = alias_row(decision.account(), decision.region(), &name);
        let alias_arn = bulla_model::AliasArn::new(decision.region(), decision.account(), &name);
        if let Some(alias) = living_alias(decision, &row).await? {
            let (region, account) = (decision.region(), decision.account());
            decision.authorise("kms:DescribeKey", alias_arn.as_str())?;
            return Ok(KeyArn::new(region, account, &alias.body.target));
        }
        decision.authorise("kms:CreateAlias", alias_arn.as_str())?;
        let made = self.key.decide(decision).await?.key;
        let key = RowKey::new(
            Table::Keys,
            &crate::row_ids::key_row(decision.account(), decision.region(), &made.key_id),
        );
        let body = AliasBody {
            version: VERSION,
            target: made.key_id.clone(),
            created: decision.now,
            updated: decision.now,
        };
        decision.put(Table::Aliases, &row, &key.id, &body);
        decision.concerns(alias_arn.as_str().into());
        Ok(made.arn)
    }
}
