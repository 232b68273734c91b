use std::sync::Arc;

use bulla_model::{PrincipalArn, Timestamp};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use super::principals::authorise_principal;
use crate::api_token::draw;
use crate::bodies::{ApiTokenBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::{ApiTokenEntry, Entry};
use crate::limits::{members, shown};
use crate::runner::{BULLA, Operation};
use crate::{ApiTokenDescription, Call, CreateApiTokenResponse, Service, ServiceError};

/// API tokens that one user can have.
const LIMIT: usize = 20;

impl Service {
    /// Makes an API token for a user, good until `expires`; `None` until it is disabled or deleted.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `Validation` for an end that is past, `LimitExceeded` from the 21st token on.
    pub async fn create_api_token(
        &self,
        call: &Call,
        principal: PrincipalArn,
        expires: Option<Timestamp>,
    ) -> Result<CreateApiTokenResponse, ServiceError> {
        self.core.run(call, &CreateApiToken { principal, expires }).await
    }

    /// Lists the API tokens of a user, without secrets.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn list_api_tokens(
        &self,
        call: &Call,
        principal: PrincipalArn,
    ) -> Result<Vec<ApiTokenDescription>, ServiceError> {
        self.core.run(call, &ListApiTokens { principal }).await
    }

    /// Accepts or refuses an API token, by its id; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn set_api_token_enabled(&self, call: &Call, id: &str, enabled: bool) -> Result<(), ServiceError> {
        let id = id.to_owned();
        self.core.run(call, &SetApiTokenEnabled { id, enabled }).await
    }

    /// Deletes an API token, by its id.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_api_token(&self, call: &Call, id: &str) -> Result<(), ServiceError> {
        self.core.run(call, &DeleteApiToken { id: id.to_owned() }).await?;
        self.core.key_usage.forget(id);
        Ok(())
    }
}

async fn authorise_token(
    decision: &mut Decision<'_>,
    action: &str,
    id: &str,
) -> Result<Arc<ApiTokenEntry>, ServiceError> {
    let unknown = || ServiceError::NotFound("The API token does not exist".to_owned());
    let is_id = !id.is_empty() && id.len() <= 128 && !id.contains('\0');
    let found = if is_id { decision.api_token(id).await? } else { None };
    let own = found.filter(|token| token.principal.account() == *decision.account());
    // A token is its user's: what is denied on the user is denied on it. Of one that is not there only who may everywhere learns so.
    let resource = own.as_ref().map_or("*", |token| token.principal.as_str());
    decision.authorise(action, resource)?;
    own.ok_or_else(unknown)
}

async fn tokens_of(decision: &Decision<'_>, principal: &PrincipalArn) -> Result<Vec<Arc<ApiTokenEntry>>, ServiceError> {
    let filter = RowFilter::Owner(principal.as_str());
    let page = decision.core.rows.list(Table::ApiTokens, filter, None, 500).await?;
    let token = |entry| match entry {
        Entry::ApiToken(token) => Some(token),
        _ => None,
    };
    Ok(page.into_iter().filter_map(token).collect())
}

struct CreateApiToken {
    principal: PrincipalArn,
    expires: Option<Timestamp>,
}

impl Operation for CreateApiToken {
    type Response = CreateApiTokenResponse;

    const EVENT: EventKind = EventKind {
        name: "CreateApiToken",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("principal", self.principal.as_str().into()),
            ("expires", self.expires.map(|end| end.to_string()).into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<CreateApiTokenResponse, ServiceError> {
        let principal = authorise_principal(decision, "bulla:CreateApiToken", &self.principal).await?;
        if self.expires.is_some_and(|end| end <= decision.now) {
            return Err(ServiceError::Validation("An API token ends in the future".to_owned()));
        }
        if tokens_of(decision, &self.principal).await?.len() >= LIMIT {
            let arn = &self.principal;
            let message = format!("The user {arn} has {LIMIT} API tokens already");
            return Err(ServiceError::LimitExceeded(message));
        }
        let drawn = draw(&*decision.core.random)?;
        if decision.api_token(&drawn.id).await?.is_some() {
            return Err(ServiceError::Internal("the random generator repeats itself"));
        }
        let body = ApiTokenBody {
            version: VERSION,
            enabled: true,
            // As of access keys: none is older than its user.
            created: decision.now.max(principal.body.created),
            expires: self.expires,
            hash: drawn.hash,
        };
        decision.put(Table::ApiTokens, &drawn.id, self.principal.as_str(), &body);
        // Written as it is: who counts or deletes this user's tokens at the same time decides again, so that none is overlooked.
        let owner = decision.account().as_str();
        decision.put(Table::Principals, self.principal.as_str(), owner, &principal.body);
        decision.response = members([("tokenId", drawn.id.as_str().into())]);
        Ok(CreateApiTokenResponse {
            principal: self.principal.clone(),
            id: drawn.id,
            token: drawn.text,
            expires: self.expires,
        })
    }
}

struct ListApiTokens {
    principal: PrincipalArn,
}

impl Operation for ListApiTokens {
    type Response = Vec<ApiTokenDescription>;

    const EVENT: EventKind = EventKind {
        name: "ListApiTokens",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("principal", self.principal.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<ApiTokenDescription>, ServiceError> {
        authorise_principal(decision, "bulla:ListApiTokens", &self.principal).await?;
        let core = decision.core;
        let mut described = Vec::new();
        for token in tokens_of(decision, &self.principal).await? {
            let used = core.key_usage.last(&core.rows, &token.row.id).await?;
            described.push(ApiTokenDescription {
                id: token.row.id.to_string(),
                principal: token.principal.clone(),
                enabled: token.body.enabled,
                created: token.body.created,
                expires: token.body.expires,
                last_used: used.map(|used| used.time),
            });
        }
        Ok(described)
    }
}

struct SetApiTokenEnabled {
    id: String,
    enabled: bool,
}

impl Operation for SetApiTokenEnabled {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "SetApiTokenEnabled",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("tokenId", token_shown(&self.id)), ("enabled", self.enabled.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let token = authorise_token(decision, "bulla:SetApiTokenEnabled", &self.id).await?;
        let body = ApiTokenBody {
            enabled: self.enabled,
            ..token.body.clone()
        };
        decision.put(Table::ApiTokens, &self.id, token.principal.as_str(), &body);
        Ok(())
    }
}

struct DeleteApiToken {
    id: String,
}

impl Operation for DeleteApiToken {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DeleteApiToken",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("tokenId", token_shown(&self.id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let token = authorise_token(decision, "bulla:DeleteApiToken", &self.id).await?;
        decision.delete(&token.row);
        Ok(())
    }
}

/// An id as an event shows it: who passes the whole token by mistake does not put its secret into the log.
fn token_shown(id: &str) -> Value {
    match id.get(..22) {
        Some(start) if id.len() > 22 => start.into(),
        _ => shown(id),
    }
}
