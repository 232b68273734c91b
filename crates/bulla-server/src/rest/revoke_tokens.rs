use serde_json::json;

use super::route::RestRoute;
use super::token_body::{PURPOSE, vault};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "RevokeTokens",
    method: "POST",
    path: "/v1/tokens/{client}/revoke",
    action: Some("bulla:RevokeTokens"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: false,
    summary: "Deletes everything of a client, refresh tokens too, and bars what there was.",
    description: "The resource is token/CLIENT. The client's key is not touched, and tokens may be put again.",
    query: &[PURPOSE],
    body: None,
    answer: r#"{"type":"object","required":["revoked"],"additionalProperties":false,"properties":{
        "revoked":{"type":"integer","description":"Entries that there were."}}}"#,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let revoked = vault.revoke(&asked, request.parameter("client")).await?;
    Reply::json(&json!({"revoked": revoked}))
}
