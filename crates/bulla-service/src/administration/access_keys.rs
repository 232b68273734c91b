use bulla_model::PrincipalArn;
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use super::principals::authorise_principal;
use super::{draw_credentials, put_access_key};
use crate::bodies::{AccessKeyBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::{AccessKeyEntry, Entry};
use crate::limits::{members, shown};
use crate::runner::{BULLA, Operation};
use crate::{AccessKeyDescription, Call, CreateAccessKeyResponse, Service, ServiceError};

/// Access keys that a user can have, as in IAM: one in use, one to change over to.
const LIMIT: usize = 2;

impl Service {
    /// Makes an access key for a user.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `LimitExceeded` from the third key on.
    pub async fn create_access_key(
        &self,
        call: &Call,
        principal: PrincipalArn,
    ) -> Result<CreateAccessKeyResponse, ServiceError> {
        self.core.run(call, &CreateAccessKey { principal }).await
    }

    /// Lists the access keys of a user, without secrets.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn list_access_keys(
        &self,
        call: &Call,
        principal: PrincipalArn,
    ) -> Result<Vec<AccessKeyDescription>, ServiceError> {
        self.core.run(call, &ListAccessKeys { principal }).await
    }

    /// Accepts or refuses signatures with an access key; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn set_access_key_enabled(
        &self,
        call: &Call,
        access_key_id: &str,
        enabled: bool,
    ) -> Result<(), ServiceError> {
        self.core
            .run(
                call,
                &SetAccessKeyEnabled {
                    access_key_id: access_key_id.to_owned(),
                    enabled,
                },
            )
            .await
    }

    /// Deletes an access key.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_access_key(&self, call: &Call, access_key_id: &str) -> Result<(), ServiceError> {
        self.core
            .run(
                call,
                &DeleteAccessKey {
                    access_key_id: access_key_id.to_owned(),
                },
            )
            .await
    }
}

async fn authorise_access_key(
    decision: &mut Decision<'_>,
    action: &str,
    access_key_id: &str,
) -> Result<std::sync::Arc<AccessKeyEntry>, ServiceError> {
    let unknown = || ServiceError::NotFound("The access key does not exist".to_owned());
    let is_id = !access_key_id.is_empty() && access_key_id.len() <= 128;
    let found = if is_id {
        decision.access_key(access_key_id).await?
    } else {
        None
    };
    let own = found.filter(|access_key| access_key.credential.account == *decision.account());
    // An access key is its user's: what is denied on the user is denied on it. Of one that is not there only who may everywhere learns so.
    let resource = own
        .as_ref()
        .map_or("*", |access_key| access_key.credential.principal.as_str());
    decision.authorise(action, resource)?;
    own.ok_or_else(unknown)
}

async fn access_keys_of(
    decision: &Decision<'_>,
    principal: &PrincipalArn,
) -> Result<Vec<AccessKeyDescription>, ServiceError> {
    let page = decision
        .core
        .rows
        .list(Table::AccessKeys, RowFilter::Owner(principal.as_str()), None, 500)
        .await?;
    let describe = |entry: Entry| match entry {
        Entry::AccessKey(entry) => Some(AccessKeyDescription {
            access_key_id: entry.credential.access_key_id.clone(),
            principal: entry.credential.principal.clone(),
            enabled: entry.enabled,
            created: entry.created,
        }),
        _ => None,
    };
    Ok(page.into_iter().filter_map(describe).collect())
}

struct CreateAccessKey {
    principal: PrincipalArn,
}

impl Operation for CreateAccessKey {
    type Response = CreateAccessKeyResponse;

    const EVENT: EventKind = EventKind {
        name: "CreateAccessKey",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("principal", self.principal.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<CreateAccessKeyResponse, ServiceError> {
        let principal = authorise_principal(decision, "bulla:CreateAccessKey", &self.principal).await?;
        if access_keys_of(decision, &self.principal).await?.len() >= LIMIT {
            return Err(ServiceError::LimitExceeded(format!(
                "The user {} has {LIMIT} access keys already",
                self.principal
            )));
        }
        let credentials = draw_credentials(&*decision.core.random)?;
        put_access_key(decision, &self.principal, &credentials, principal.body.created).await?;
        // Written as it is: who counts or deletes this user's access keys at the same time decides again, so that none is overlooked.
        let owner = decision.account().as_str();
        decision.put(Table::Principals, self.principal.as_str(), owner, &principal.body);
        decision.response = members([("accessKeyId", credentials.access_key_id.as_str().into())]);
        Ok(CreateAccessKeyResponse {
            principal: self.principal.clone(),
            credentials,
        })
    }
}

struct ListAccessKeys {
    principal: PrincipalArn,
}

impl Operation for ListAccessKeys {
    type Response = Vec<AccessKeyDescription>;

    const EVENT: EventKind = EventKind {
        name: "ListAccessKeys",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("principal", self.principal.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<AccessKeyDescription>, ServiceError> {
        authorise_principal(decision, "bulla:ListAccessKeys", &self.principal).await?;
        access_keys_of(decision, &self.principal).await
    }
}

struct SetAccessKeyEnabled {
    access_key_id: String,
    enabled: bool,
}

impl Operation for SetAccessKeyEnabled {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "SetAccessKeyEnabled",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("accessKeyId", shown(&self.access_key_id)),
            ("enabled", self.enabled.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let key = authorise_access_key(decision, "bulla:SetAccessKeyEnabled", &self.access_key_id).await?;
        let body = AccessKeyBody {
            version: VERSION,
            enabled: self.enabled,
            created: key.created,
            wrapped_secret: key.wrapped_secret.clone(),
        };
        decision.put(Table::AccessKeys, &key.row.id, key.credential.principal.as_str(), &body);
        Ok(())
    }
}

struct DeleteAccessKey {
    access_key_id: String,
}

impl Operation for DeleteAccessKey {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeleteAccessKey",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("accessKeyId", shown(&self.access_key_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let key = authorise_access_key(decision, "bulla:DeleteAccessKey", &self.access_key_id).await?;
        decision.delete(&key.row);
        Ok(())
    }
}
