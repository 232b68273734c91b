//! The one decision path: who may do what to what, by role, key policy, identity policies and grants.

use std::sync::Arc;

use bulla_model::GrantOperation;
use bulla_model::policy::{Asker, Decision as Decided, Outcome, Policy, Reason, Request, Side, Sides, decide};
use bulla_store::Table;
use serde_json::{Value, json};

use crate::ServiceError;
use crate::call::CallerKind;
use crate::conditions::Conditions;
use crate::decision::Decision;
use crate::entry::{KeyEntry, RoleEntry};
use crate::grants::{GrantEntry, open_token};
use crate::roles::{CREATOR, creator_may, role_allows};
use crate::row_ids::{RowKey, aliases_set, every_key, parse_key_row};

/// Actions that a key policy can allow to another account.
///
/// Source: "Cross-account use" of each operation in the API reference.
const CROSS_ACCOUNT: [&str; 22] = [
    "kms:CreateGrant",
    "kms:Decapsulate",
    "kms:Decrypt",
    "kms:DeriveSharedSecret",
    "kms:DescribeKey",
    "kms:Encapsulate",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:GetKeyRotationStatus",
    "kms:GetPublicKey",
    "kms:ListGrants",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:Sign",
    "kms:Verify",
    "kms:VerifyMac",
];

/// The condition key whose values only the store knows.
const RESOURCE_ALIASES: &str = "kms:resourcealiases";

impl Decision<'_> {
    /// Decides whether the caller may do `action` (`kms:CreateKey`) to a resource that has no policy of its own.
    pub(crate) fn authorise(&mut self, action: &str, resource: &str) -> Result<(), ServiceError> {
        if matches!(self.call.caller.kind, CallerKind::Service) {
            return Ok(());
        }
        let decided = self.decide(action, resource, None, None, &[]);
        self.record(action, resource, decided, true)
    }

    /// Decides whether the caller may do `action` to a key.
    pub(crate) async fn authorise_on(&mut self, action: &str, key: &KeyEntry) -> Result<(), ServiceError> {
        if matches!(self.call.caller.kind, CallerKind::Service) {
            return Ok(());
        }
        for token in self.grant_tokens {
            open_token(self, token)?;
        }
        let decided = self.decide_on(action, key, &key.policy).await?;
        self.record(action, key.arn.as_str(), decided, key.body.policy.is_none())
    }

    /// Decides the same under `policy`, and records nothing.
    pub(crate) async fn decide_on(
        &mut self,
        action: &str,
        key: &KeyEntry,
        policy: &Policy,
    ) -> Result<Decided, ServiceError> {
        let aliases = match self.asks_for_aliases(policy) {
            true => self.aliases_of(key).await?,
            false => Vec::new(),
        };
        let decided = self.decide(action, key.arn.as_str(), Some(key), Some(policy), &aliases);
        if let Outcome::NotAllowed(Side::Identity | Side::Resource) = decided.outcome
            && let Some(operation) = grantable(action)
            && let Some(grant) = self.granted(action, operation, key, &aliases).await?
        {
            self.grant = Some(grant.clone());
            return Ok(by_grant(&grant));
        }
        // A grant on every key of an account is the account's word, as an identity policy is: it counts where the key's policy leaves
        // the decision to the account.
        if decided.outcome == Outcome::NotAllowed(Side::Identity)
            && let Some(operation) = grantable(action)
            && let Some(grant) = self.granted_everywhere(action, operation, key).await?
        {
            self.grant = Some(grant.clone());
            return Ok(by_grant(&grant));
        }
        Ok(decided)
    }

    /// Decides whether the caller may do `action` (`sts:AssumeRole`) to a role: by its trust policy and his identity policies.
    pub(crate) fn authorise_role(&mut self, action: &str, role: &RoleEntry) -> Result<(), ServiceError> {
        let decided = self.decide(action, role.arn.as_str(), None, Some(&role.trust), &[]);
        let allowed = decided.is_allowed();
        let of_trust = |reason: &Reason| match reason {
            Reason::ResourcePolicy { statement, .. } => json!({"policy": "trust policy", "statement": statement}),
            other => shown(other),
        };
        self.decided_by.extend(decided.by.iter().map(of_trust));
        // The same words whatever denied, and for a role that is not there.
        allowed
            .then_some(())
            .ok_or_else(|| self.role_denied(action, role.arn.as_str()))
    }

    /// That the caller may not do `action` to a role, or that there is none.
    pub(crate) fn role_denied(&self, action: &str, role: &str) -> ServiceError {
        if self.web_identity().is_some() {
            return ServiceError::AccessDenied(format!("Not authorized to perform {action}"));
        }
        let asker = self.call.caller.arn();
        ServiceError::AccessDenied(format!(
            "User: {asker} is not authorized to perform: {action} on resource: {role}"
        ))
    }

    /// Whether a statement denies the caller `action` to a key.
    pub(crate) async fn is_denied(&mut self, action: &str, key: &KeyEntry) -> Result<bool, ServiceError> {
        let decided = self.decide_on(action, key, &key.policy).await?;
        Ok(matches!(decided.outcome, Outcome::Denied(_)))
    }

    /// Has the event say what decided.
    pub(crate) fn note(&mut self, reason: &Reason) {
        self.decided_by.push(shown(reason));
    }

    /// Whether a key's own policy or one of its grants is for the caller, whatever his identity policies say.
    pub(crate) async fn is_let_in(&mut self, action: &str, key: &KeyEntry) -> Result<bool, ServiceError> {
        let aliases = match self.asks_for_aliases(&key.policy) {
            true => self.aliases_of(key).await?,
            false => Vec::new(),
        };
        let verdict = {
            let context = Conditions {
                decision: self,
                action,
                key: Some(key),
                aliases: &aliases,
            };
            key.policy
                .evaluate(&Request::new(self.asker(), action, key.arn.as_str(), &context))
        };
        if verdict.denied.is_some() || !CROSS_ACCOUNT.contains(&action) {
            return Ok(false);
        }
        if verdict.allowed.is_some() || verdict.delegated.is_some() {
            return Ok(true);
        }
        match grantable(action) {
            Some(operation) => Ok(self.granted(action, operation, key, &aliases).await?.is_some()),
            None => Ok(false),
        }
    }

    pub(crate) fn decide(
        &self,
        action: &str,
        resource: &str,
        key: Option<&KeyEntry>,
        policy: Option<&Policy>,
        aliases: &[String],
    ) -> Decided {
        self.decide_both(action, resource, None, key, policy, aliases)
    }

    /// The same on something that is known by the ARN of its key as well.
    pub(crate) fn decide_both(
        &self,
        action: &str,
        resource: &str,
        second: Option<&str>,
        key: Option<&KeyEntry>,
        policy: Option<&Policy>,
        aliases: &[String],
    ) -> Decided {
        let context = Conditions {
            decision: self,
            action,
            key,
            aliases,
        };
        let mut request = Request::new(self.asker(), action, resource, &context);
        if let Some(second) = second {
            request = request.and_on(second);
        }
        // Only a resource with a policy of its own has an account that matters: a key, or a role.
        let of_policy = key.map_or(resource, |key| key.arn.as_str());
        let account = policy.and_then(|_| of_policy.split(':').nth(4)).unwrap_or_default();
        let by_role = || role_allows(self.role, action).then(|| self.role.as_str());
        let as_creator = || creator_may(action) && key.is_some_and(|key| self.made(key));
        let role = by_role().or_else(|| as_creator().then_some(CREATOR));
        let identity: Vec<(&str, &Policy)> = self.identity_policies().collect();
        let sides = Sides {
            resource_account: account,
            resource_policy: policy,
            identity: &identity,
            session: self.session().and_then(|session| session.policy.as_ref()),
            role,
            grant: None,
        };
        decide(&request, &sides)
    }

    pub(crate) fn asker(&self) -> Asker<'_> {
        let caller = &self.call.caller;
        if let Some(identity) = self.web_identity() {
            // No statement names it but as `Federated`, and those for everybody.
            return Asker {
                account: caller.account().as_str(),
                arn: "",
                role: None,
                federated: Some(&identity.provider),
            };
        }
        Asker {
            account: caller.account().as_str(),
            arn: caller.arn().as_str(),
            role: self.assumed.as_ref().map(|role| role.arn.as_str()),
            federated: None,
        }
    }

    /// Whether the caller made the key; not whoever has the ARN of somebody who did and was deleted since.
    fn made(&self, key: &KeyEntry) -> bool {
        let principal = self.principal.as_ref();
        key.body.creator.as_deref() == Some(self.call.caller.arn().as_str())
            && principal.is_some_and(|principal| principal.body.created <= key.body.created)
    }

    fn identity_policies(&self) -> impl Iterator<Item = (&str, &Policy)> {
        let of_user = self.principal.iter().flat_map(|principal| &principal.policies);
        let of_groups = self.groups.iter().flat_map(|group| &group.policies);
        let of_role = self.assumed.iter().flat_map(|role| &role.policies);
        let all = of_user.chain(of_groups).chain(of_role);
        all.map(|(name, policy)| (name.as_str(), policy))
    }

    pub(crate) fn asks_for_aliases(&self, policy: &Policy) -> bool {
        let of_session = self.session().and_then(|session| session.policy.as_ref());
        let of_caller = self.identity_policies().map(|(_, policy)| policy).chain(of_session);
        policy.asks_for(RESOURCE_ALIASES) || of_caller.into_iter().any(|policy| policy.asks_for(RESOURCE_ALIASES))
    }

    /// The key's aliases, none of them hidden: to find that out, all of the region are read, from the cache after the first time. For
    /// policies that ask for them only.
    pub(crate) async fn aliases_of(&mut self, key: &KeyEntry) -> Result<Vec<String>, ServiceError> {
        let (account, region, _) =
            parse_key_row(&key.row.id).ok_or(ServiceError::Internal("a key row without a key id"))?;
        let set = aliases_set(&account, &region);
        self.reads.push(RowKey::new(Table::Aliases, &set));
        let aliases = self.core.rows.aliases_in(&set).await?;
        let names = aliases
            .iter()
            .filter(|alias| alias.key_row == key.row.id)
            .filter_map(|alias| alias.row.id.strip_prefix(set.as_str()));
        Ok(names.map(|name| format!("alias/{name}")).collect())
    }

    /// Finds a grant of the key to the caller that permits the operation.
    pub(crate) async fn granted(
        &mut self,
        action: &str,
        operation: GrantOperation,
        key: &KeyEntry,
        aliases: &[String],
    ) -> Result<Option<Arc<GrantEntry>>, ServiceError> {
        let grants = self.grants_of(&key.row.id).await?;
        let asker = self.asker();
        let root = format!("arn:aws:iam::{}:root", asker.account);
        let context = Conditions {
            decision: self,
            action,
            key: Some(key),
            aliases: &[],
        };
        let admits = |grant: &&Arc<GrantEntry>| is_admitted(grant, operation, key, &context);
        // A grant to a role is one to its sessions.
        let of_role = asker.role.into_iter().flat_map(|role| grants.of_grantee(role));
        if let Some(grant) = grants.of_grantee(asker.arn).chain(of_role).find(admits) {
            return Ok(Some(grant.clone()));
        }
        if asker.arn == root {
            return Ok(None);
        }
        // What an account was granted, its identity policies pass on.
        let Some(grant) = grants.of_grantee(&root).find(admits).cloned() else {
            return Ok(None);
        };
        // The account's side alone decides here, about this very key: its tags and aliases are what its policies' conditions see.
        let sides = Sides {
            resource_account: "",
            resource_policy: None,
            identity: &self.identity_policies().collect::<Vec<_>>(),
            session: self.session().and_then(|session| session.policy.as_ref()),
            role: role_allows(self.role, action).then(|| self.role.as_str()),
            grant: None,
        };
        let context = Conditions { aliases, ..context };
        let by_identity = decide(&Request::new(asker, action, key.arn.as_str(), &context), &sides);
        Ok(by_identity.is_allowed().then_some(grant))
    }

    /// Finds a grant of every key of the key's account and region to the caller, who is of that account, that permits the operation.
    pub(crate) async fn granted_everywhere(
        &mut self,
        action: &str,
        operation: GrantOperation,
        key: &KeyEntry,
    ) -> Result<Option<Arc<GrantEntry>>, ServiceError> {
        let (account, region, _) =
            parse_key_row(&key.row.id).ok_or(ServiceError::Internal("a key row without a key id"))?;
        if account != *self.account() {
            return Ok(None);
        }
        let grants = self.grants_of(&every_key(&account, &region)).await?;
        let context = Conditions {
            decision: self,
            action,
            key: Some(key),
            aliases: &[],
        };
        let asker = self.asker();
        let of_role = asker.role.into_iter().flat_map(|role| grants.of_grantee(role));
        let mut of_caller = grants.of_grantee(asker.arn).chain(of_role);
        Ok(of_caller
            .find(|grant| is_admitted(grant, operation, key, &context))
            .cloned())
    }

    /// Notes what decided for the event, and makes a denial of it.
    pub(crate) fn record(
        &mut self,
        action: &str,
        resource: &str,
        decided: Decided,
        usual: bool,
    ) -> Result<(), ServiceError> {
        // The role under the usual key policy says nothing that the event does not say already.
        let of_role = |reason: &Reason| match reason {
            Reason::Role(role) => *role != CREATOR,
            Reason::ResourcePolicy { .. } => true,
            Reason::IdentityPolicy { .. } | Reason::SessionPolicy { .. } | Reason::Grant(_) => false,
        };
        if self.explains || !usual || !decided.by.iter().all(of_role) {
            self.decided_by.extend(decided.by.iter().map(shown));
        }
        match decided.denial(self.call.caller.arn().as_str(), action, resource) {
            None => Ok(()),
            Some(denial) => Err(ServiceError::AccessDenied(denial)),
        }
    }
}

/// Whether a grant permits the operation on a key under the request's context.
fn is_admitted(grant: &GrantEntry, operation: GrantOperation, key: &KeyEntry, context: &Conditions<'_>) -> bool {
    let constrained = operation.has_context(key.body.spec);
    grant.permits(operation) && (!constrained || grant.body.constraints.admit(context.context_pairs()))
}

fn by_grant(grant: &GrantEntry) -> Decided {
    Decided {
        outcome: Outcome::Allowed,
        by: vec![Reason::Grant(grant.id.to_string())],
    }
}

/// What a grant can permit on its key. `RetireGrant` is not among it: a grant permits that on itself alone.
fn grantable(action: &str) -> Option<GrantOperation> {
    GrantOperation::of_action(action).filter(|operation| *operation != GrantOperation::RetireGrant)
}

/// A reason as an event shows it.
fn shown(reason: &Reason) -> Value {
    let of_statement = |of: Value, statement: usize, sid: &Option<String>| match sid {
        Some(sid) => json!({"policy": of, "statement": statement, "sid": crate::limits::shown(sid)}),
        None => json!({"policy": of, "statement": statement}),
    };
    match reason {
        Reason::ResourcePolicy { statement, sid } => of_statement("key policy".into(), *statement, sid),
        Reason::IdentityPolicy { policy, statement, sid } => {
            of_statement(format!("identity policy {policy}").into(), *statement, sid)
        }
        Reason::SessionPolicy { statement, sid } => of_statement("session policy".into(), *statement, sid),
        Reason::Role(role) => json!({ "role": role }),
        Reason::Grant(id) => json!({ "grantId": id }),
    }
}

impl Decision<'_> {
    /// All grants of a key, as this node believes them; noted as read as a whole.
    pub(crate) async fn grants_of(&mut self, key_row: &str) -> Result<Arc<crate::grants::GrantSet>, ServiceError> {
        self.reads.push(RowKey::new(Table::Grants, key_row));
        self.core.rows.grants(key_row).await
    }
}
