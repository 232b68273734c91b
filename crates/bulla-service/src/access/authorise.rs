use std::sync::Arc;

use bulla_model::policy::{Asker, Outcome, Reason, Request, Side};
use bulla_model::{
    AccountId, AliasArn, GrantOperation, KeyArn, KeyRef, KeySpec, KeyUsage, NamedKey, Operation as Asked,
};

use super::Access;
use crate::ServiceError;
use crate::authorised::require_state_of;
use crate::call::CallerKind;
use crate::conditions::Conditions;
use crate::decision::Decision;
use crate::entry::KeyEntry;
use crate::row_ids::{alias_row, key_row};

/// What an action does with the key that it names.
struct Use {
    /// What KMS calls it; who is denied any of these is denied the action.
    kms: &'static [&'static str],
    /// Grants of any of these operations admit the action.
    grants: &'static [GrantOperation],
    /// The key's state must permit this.
    asked: Asked,
}

const OPENS: Use = Use {
    kms: &["kms:Decrypt"],
    grants: &[GrantOperation::Decrypt],
    asked: Asked::Decrypt,
};

const SEALS: Use = Use {
    kms: &["kms:GenerateDataKey", "kms:Encrypt"],
    grants: &[
        GrantOperation::Encrypt,
        GrantOperation::GenerateDataKey,
        GrantOperation::GenerateDataKeyWithoutPlaintext,
    ],
    asked: Asked::GenerateDataKey,
};

/// Opens what is told of each value; a grant to decrypt is none to learn what there is.
const LISTS: Use = Use {
    kms: &["kms:Decrypt"],
    grants: &[],
    asked: Asked::Decrypt,
};

const REWRAPS: Use = Use {
    kms: &["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"],
    grants: &[],
    asked: Asked::GenerateDataKey,
};

const NEITHER: Use = Use {
    kms: &[],
    grants: &[],
    asked: Asked::DescribeKey,
};

fn use_of(action: &str) -> &'static Use {
    match action {
        "bulla:GetToken" | "bulla:DecodePayload" | "bulla:OpenColumn" => &OPENS,
        "bulla:ListTokens" => &LISTS,
        "bulla:RewrapToken" => &REWRAPS,
        "bulla:PutToken" | "bulla:RefreshToken" | "bulla:EncodePayload" | "bulla:SealColumn" => &SEALS,
        _ => &NEITHER,
    }
}

impl Decision<'_> {
    /// Decides an access; tells the key, where one is named.
    pub(crate) async fn authorise_access(&mut self, access: &Access) -> Result<Option<Arc<KeyEntry>>, ServiceError> {
        let Some(reference) = &access.key else {
            return self.authorise_without_key(access).map(|()| None);
        };
        let mut own = self.is_own(reference);
        let (mut named, mut key) = self.key_of(reference).await?;
        if let Some(under) = &access.sealed_under {
            // The name may lead to another key by now: the one that was used decides, and is recorded.
            let (of_used, used) = self.key_of(under).await?;
            let arn = |key: &Option<Arc<KeyEntry>>| key.as_ref().map(|key| key.arn.clone());
            if used.is_none() || arn(&used) != arn(&key) {
                (own, named, key) = (self.is_own(under), of_used, used);
            }
        }
        let Some(key) = key else {
            if own {
                self.authorise_without_key(access)?;
                return Err(ServiceError::NotFound(format!("Key '{named}' does not exist")));
            }
            return Err(self.not_let_in(access));
        };
        if matches!(self.call.caller.kind, CallerKind::Service) {
            self.concerns(key.arn.shared());
        } else {
            self.authorise_with_key(access, &key, own).await?;
        }
        require_enabled(self, &key, access)?;
        Ok(Some(key))
    }

    fn is_own(&self, reference: &KeyRef) -> bool {
        let account = reference.account.as_ref();
        account.is_none_or(|account| account == self.account())
    }

    fn authorise_without_key(&mut self, access: &Access) -> Result<(), ServiceError> {
        let resource = access.resource.as_str();
        let of_service = matches!(self.call.caller.kind, CallerKind::Service);
        if !of_service && account_of(resource) != Some(self.account().as_str()) {
            return Err(self.not_let_in(access));
        }
        self.authorise(access.action, resource)
    }

    /// The key that is named, unless it is gone, and the ARN under which it was named.
    async fn key_of(&mut self, reference: &KeyRef) -> Result<(String, Option<Arc<KeyEntry>>), ServiceError> {
        let account: &AccountId = reference.account.as_ref().unwrap_or(self.account());
        let region = self.region();
        let (named, row) = match &reference.named {
            NamedKey::Key(id) => (
                KeyArn::new(region, account, id).to_string(),
                Some(key_row(account, region, id).into()),
            ),
            NamedKey::Alias(name) => {
                self.request_alias = Some(name.to_string());
                let alias = self.alias(&alias_row(account, region, name)).await?;
                let named = AliasArn::new(region, account, name).to_string();
                (named, alias.map(|alias| alias.key_row.clone()))
            }
        };
        let row: Option<Arc<str>> = row;
        let key = match row {
            Some(row) => self.key(&row).await?.filter(|key| !key.is_gone(self.now)),
            None => None,
        };
        Ok((named, key))
    }

    async fn authorise_with_key(
        &mut self,
        access: &Access,
        key: &Arc<KeyEntry>,
        own: bool,
    ) -> Result<(), ServiceError> {
        let (action, resource, arn) = (access.action, access.resource.as_str(), key.arn.as_str());
        let usage = use_of(action);
        let resource_account = account_of(resource);
        if resource_account != Some(self.account().as_str()) && resource_account != account_of(arn) {
            return Err(self.not_let_in(access));
        }
        let aliases = match self.asks_for_aliases(&key.policy) {
            true => self.aliases_of(key).await?,
            false => Vec::new(),
        };
        // None of the caller's own policies is asked of another account's key before that key lets him in: their conditions could tell.
        if !own && !self.lets_in(access, key, &aliases).await? {
            return Err(self.not_let_in(access));
        }
        self.concerns(key.arn.shared());
        let usual = key.body.policy.is_none();
        for kms in usage.kms {
            let decided = self.decide(kms, arn, Some(key), Some(&key.policy), &aliases);
            if matches!(decided.outcome, Outcome::Denied(_)) {
                return self.record(action, resource, decided, usual);
            }
        }
        let mut decided = self.decide_both(action, resource, Some(arn), Some(key), Some(&key.policy), &aliases);
        if own
            && decided.outcome == Outcome::NotAllowed(Side::Resource)
            && (usage.kms.is_empty() || usage.kms.iter().any(|kms| self.names_caller(kms, arn, key, &aliases)))
        {
            // The key's policy leaves this use of the key to the account, or to the caller himself.
            decided = self.decide_both(action, resource, Some(arn), Some(key), None, &aliases);
        }
        if matches!(decided.outcome, Outcome::NotAllowed(Side::Identity | Side::Resource))
            && let Some(grant) = self.grant_for(access, key, &aliases).await?
        {
            decided.outcome = Outcome::Allowed;
            decided.by = vec![Reason::Grant(grant)];
        }
        if own
            && decided.outcome == Outcome::NotAllowed(Side::Identity)
            && let Some(grant) = self.grant_on_every_key_for(access, key).await?
        {
            decided.outcome = Outcome::Allowed;
            decided.by = vec![Reason::Grant(grant)];
        }
        self.record(action, resource, decided, usual)
    }

    /// Whether the key's policy allows `action` on the key to the caller or to his account.
    fn names_caller(&self, action: &str, resource: &str, key: &KeyEntry, aliases: &[String]) -> bool {
        let context = Conditions {
            decision: self,
            action,
            key: Some(key),
            aliases,
        };
        let asker: Asker<'_> = self.asker();
        let request = Request::new(asker, action, resource, &context).and_on(key.arn.as_str());
        let verdict = key.policy.evaluate(&request);
        verdict.denied.is_none() && (verdict.allowed.is_some() || verdict.delegated.is_some())
    }

    /// Whether another account's key lets the caller in, by its policy or by a grant.
    async fn lets_in(&mut self, access: &Access, key: &KeyEntry, aliases: &[String]) -> Result<bool, ServiceError> {
        if self.names_caller(access.action, access.resource.as_str(), key, aliases) {
            return Ok(true);
        }
        Ok(self.grant_for(access, key, aliases).await?.is_some())
    }

    /// The id of a grant that admits the access.
    async fn grant_for(
        &mut self,
        access: &Access,
        key: &KeyEntry,
        aliases: &[String],
    ) -> Result<Option<String>, ServiceError> {
        if key.body.spec != KeySpec::SymmetricDefault {
            return Ok(None);
        }
        for operation in use_of(access.action).grants {
            if let Some(grant) = self.granted(access.action, *operation, key, aliases).await? {
                let id = grant.id.to_string();
                self.grant = Some(grant);
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The same of a grant on every key, where the key's policy leaves it to the account.
    async fn grant_on_every_key_for(
        &mut self,
        access: &Access,
        key: &KeyEntry,
    ) -> Result<Option<String>, ServiceError> {
        if key.body.spec != KeySpec::SymmetricDefault {
            return Ok(None);
        }
        for operation in use_of(access.action).grants {
            if let Some(grant) = self.granted_everywhere(access.action, *operation, key).await? {
                let id = grant.id.to_string();
                self.grant = Some(grant);
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn not_let_in(&self, access: &Access) -> ServiceError {
        ServiceError::AccessDenied(format!(
            "User: {} is not authorized to perform: {} on resource: {} because no resource-based policy allows the {} action",
            self.call.caller.arn(),
            access.action,
            access.resource,
            access.action
        ))
    }
}

fn require_enabled(decision: &Decision<'_>, key: &KeyEntry, access: &Access) -> Result<(), ServiceError> {
    let (spec, usage, arn) = (key.body.spec, key.body.usage, &key.arn);
    if spec != KeySpec::SymmetricDefault || usage != KeyUsage::EncryptDecrypt {
        return Err(ServiceError::InvalidKeyUsage(format!(
            "{arn} key usage is {usage} and its key spec {spec}, which is not valid for {}.",
            access.event_name
        )));
    }
    require_state_of(key, key.state(decision.now), use_of(access.action).asked)
}

fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}
