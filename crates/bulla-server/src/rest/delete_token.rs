use serde_json::json;

use super::route::RestRoute;
use super::token_body::{NAME, PURPOSE, not_there, token_path, vault};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "DeleteToken",
    method: "DELETE",
    path: "/v1/tokens/{client}/{provider}",
    action: Some("bulla:DeleteToken"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: false,
    summary: "Deletes a token.",
    description: "404 with the code not_found where there is none. How it is fetched stays.",
    query: &[NAME, PURPOSE],
    body: None,
    answer: r#"{"type":"object","required":["deleted"],"additionalProperties":false,"properties":{"deleted":{"const":true}}}"#,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    if vault.delete(&asked, &token_path(request)).await? {
        Reply::json(&json!({"deleted": true}))
    } else {
        Err(not_there())
    }
}
