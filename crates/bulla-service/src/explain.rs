//! Why a principal may do something or may not: decided by what decides when he asks, and told with what decided.

use bulla_crypto::Context;
use bulla_model::{GrantConstraints, GrantOperation, PrincipalArn};
use serde_json::{Map, Value};

use crate::authorised::{Authorised, KeyForms};
use crate::call::CallerKind;
use crate::decision::{Decision, EventKind};
use crate::limits::{context_value, members, shown};
use crate::operations::create_grant::require_within;
use crate::runner::{BULLA, Operation};
use crate::{Access, Call, Caller, Service, ServiceError};

/// What is to be explained: whether a principal may do something, asking as described.
#[derive(Debug, Clone)]
pub struct ExplainRequest {
    /// Who would ask: a user of the caller's account, its root, or whoever has assumed one of its roles without a session policy.
    pub principal: PrincipalArn,
    /// The action that policies name: `kms:Decrypt`, `kms:ReEncryptFrom`, `bulla:ReadAudit`.
    pub action: String,
    /// What it would be done to.
    pub resource: ExplainedResource,
    /// The encryption context of the request; for `kms:ReEncryptFrom` and `kms:ReEncryptTo` that of this side.
    pub encryption_context: Context,
    /// Further members of the request, named and written as the events of the audit log show them (`requestParameters`).
    pub parameters: Map<String, Value>,
    /// Where the request would come from; `None` for where this one does.
    pub source_ip: Option<String>,
    /// Whether it would come over TLS.
    pub secure_transport: bool,
}

/// What an action would be done to.
#[derive(Debug, Clone)]
pub enum ExplainedResource {
    /// A key, as requests name it: key id, key ARN, alias name or alias ARN.
    Key(String),
    /// What has no policy of its own: an alias itself, a user, or `*`.
    Other(String),
    /// What is not a key and may be sealed under one: a token, a codec's namespace. The action is the access's own.
    Access(Box<Access>),
}

/// A decision and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the principal may.
    pub allowed: bool,
    /// Who would ask.
    pub principal: PrincipalArn,
    /// What he would do.
    pub action: String,
    /// To what: a key by its ARN, anything else as it was named.
    pub resource: String,
    /// What he would be answered if he may not, in AWS's words.
    pub denial: Option<String>,
    /// The statements, roles and grants that decided, as events show them in `decidedBy`; none where nothing allows.
    pub decided_by: Vec<Value>,
}

impl Service {
    /// Explains what would be decided if a principal asked now, with its statements and grants.
    ///
    /// The decision is made by what decides when he asks. State and kind of a key are not part of it: they refuse after it.
    ///
    /// # Errors
    /// `AccessDenied`: the caller may not ask this; `NotFound`: no such principal, or a key that the principal might use if it were there;
    /// `Validation`, `InvalidArn`.
    pub async fn explain(&self, call: &Call, request: ExplainRequest) -> Result<Explanation, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ExplainRequest {
    type Response = Explanation;

    const EVENT: EventKind = EventKind {
        name: "Explain",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("principal", self.principal.as_str().into()),
            ("action", shown(&self.action)),
            (
                "resource",
                match &self.resource {
                    ExplainedResource::Key(named) | ExplainedResource::Other(named) => shown(named),
                    ExplainedResource::Access(access) => access.resource.as_str().into(),
                },
            ),
            ("encryptionContext", context_value(&self.encryption_context)),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Explanation, ServiceError> {
        decision.authorise("bulla:Explain", "*")?;
        let action = self.action()?;
        let call = self.call_of_principal(decision.call);
        let asked = || self.asked();
        let mut subject = Decision::of(decision.core, &call, &asked, &[]);
        (subject.now, subject.seen, subject.explains) = (decision.now, decision.seen, true);
        let decided = match subject.stand_in_for(decision.call, &self.principal).await {
            Ok(()) => self.ask(&mut subject).await,
            Err(error) => Err(error),
        };
        // What the explanation rests on is true when it is given.
        decision.reads.append(&mut subject.reads);
        let (resource, denial) = match decided {
            Ok(resource) => (resource, None),
            Err(ServiceError::AccessDenied(denial)) => (self.named(&subject), Some(denial)),
            Err(error) => return Err(error),
        };
        Ok(Explanation {
            allowed: denial.is_none(),
            principal: self.principal.clone(),
            action: action.to_owned(),
            resource,
            denial,
            decided_by: std::mem::take(&mut subject.decided_by),
        })
    }
}

impl ExplainRequest {
    /// Does what an operation does with this action, as far as it is about who may; tells the resource.
    async fn ask(&self, subject: &mut Decision<'_>) -> Result<String, ServiceError> {
        match &self.resource {
            ExplainedResource::Key(named) => {
                let key: Authorised<Self> = subject.authorise_key(&self.action, named, KeyForms::All).await?;
                if self.action == "kms:CreateGrant" {
                    let (operations, constraints) = self.grant();
                    require_within(subject, &key.key.row.id, &operations, &constraints).await?;
                }
                Ok(key.key.arn.to_string())
            }
            ExplainedResource::Other(arn) => {
                subject.authorise(&self.action, arn)?;
                Ok(arn.clone())
            }
            ExplainedResource::Access(access) => match subject.authorise_access(access).await {
                // Allowed; what state the key is in, and of what kind, is another matter.
                Ok(_)
                | Err(ServiceError::Disabled(_) | ServiceError::InvalidState(_) | ServiceError::InvalidKeyUsage(_)) => {
                    Ok(access.resource.to_string())
                }
                Err(error) => Err(error),
            },
        }
    }

    /// The grant that would be made, as far as its event would show it.
    fn grant(&self) -> (Vec<GrantOperation>, GrantConstraints) {
        let operations = self.parameters.get("operations").and_then(Value::as_array);
        let operations = operations.into_iter().flatten().filter_map(Value::as_str);
        let pairs = |name: &str| {
            let constraints = self.parameters.get("constraints")?;
            serde_json::from_value(constraints.get(name)?.clone()).ok()
        };
        let constraints = GrantConstraints {
            equals: pairs("encryptionContextEquals"),
            subset: pairs("encryptionContextSubset"),
        };
        (operations.filter_map(|text| text.parse().ok()).collect(), constraints)
    }

    /// The key's ARN where the caller's account has the key, else what was named.
    fn named(&self, subject: &Decision<'_>) -> String {
        match (&self.resource, subject.resources.first()) {
            (ExplainedResource::Key(_), Some(arn)) => arn.to_string(),
            (ExplainedResource::Key(named) | ExplainedResource::Other(named), _) => named.clone(),
            (ExplainedResource::Access(access), _) => access.resource.to_string(),
        }
    }

    /// What the event of the request would show as asked.
    fn asked(&self) -> Map<String, Value> {
        if let ExplainedResource::Access(access) = &self.resource {
            return Operation::parameters(&**access);
        }
        let mut asked = self.parameters.clone();
        let name = match self.action.as_str() {
            "kms:ReEncryptFrom" => "sourceEncryptionContext",
            "kms:ReEncryptTo" => "destinationEncryptionContext",
            _ => "encryptionContext",
        };
        if !self.encryption_context.is_empty() {
            asked.insert(name.to_owned(), context_value(&self.encryption_context));
        }
        asked
    }

    fn call_of_principal(&self, call: &Call) -> Call {
        Call {
            caller: Caller {
                kind: CallerKind::Explained,
                account: self.principal.account(),
                arn: self.principal.clone(),
            },
            source_ip: self
                .source_ip
                .as_deref()
                .map_or_else(|| call.source_ip.clone(), Into::into),
            secure_transport: self.secure_transport,
            ..call.clone()
        }
    }

    /// The action that is decided.
    fn action(&self) -> Result<&str, ServiceError> {
        if let ExplainedResource::Access(access) = &self.resource {
            return Ok(access.action);
        }
        let legal = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        match self.action.split_once(':') {
            Some((service, name)) if legal(service) && legal(name) => Ok(&self.action),
            _ => Err(ServiceError::Validation(
                "An action is a service, a colon and a name, as in kms:Decrypt".to_owned(),
            )),
        }
    }
}

impl Decision<'_> {
    /// Takes the place of a principal, whose standing then decides, without a credential of his.
    async fn stand_in_for(&mut self, asking: &Call, arn: &PrincipalArn) -> Result<(), ServiceError> {
        let unknown = || ServiceError::NotFound(format!("The user {arn} does not exist"));
        // Whoever holds the root key may ask for everybody; anybody else learns nothing of other accounts.
        let holds_root = matches!(asking.caller.kind, CallerKind::Operator | CallerKind::Development);
        if arn.account() != *asking.caller.account() && !holds_root {
            return Err(unknown());
        }
        if *arn == PrincipalArn::root(&arn.account()) {
            self.role = bulla_model::Role::Admin;
            return Ok(());
        }
        if arn.is_role() {
            let unknown = || ServiceError::NotFound(format!("The role {arn} does not exist"));
            self.assumed = Some(self.role_entry(arn.as_str()).await?.ok_or_else(unknown)?);
            return Ok(());
        }
        let principal = self.principal(arn.as_str()).await?.ok_or_else(unknown)?;
        if !principal.body.enabled {
            return Err(ServiceError::AccessDenied(format!("The user {arn} is disabled")));
        }
        self.take_on(principal).await?;
        Ok(())
    }
}
