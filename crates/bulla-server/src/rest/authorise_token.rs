use serde::Deserialize;
use serde_json::json;

use super::route::{RequestBody, RestRoute};
use super::token_body::{NAME, PURPOSE, SecretText, token_path, vault};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "AuthoriseToken",
    method: "PUT",
    path: "/v1/tokens/{client}/{provider}/grant",
    action: Some("bulla:PutToken"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: false,
    summary: "Keeps the refresh token that somebody's authorisation gave.",
    description: "In place of one that may be there; from here on the token is fetched by it, until the provider refuses the grant. Nobody gets it \
                  out again. Recorded as PutToken.",
    query: &[NAME, PURPOSE],
    body: Some(RequestBody {
        max_bytes: 512 * 1024,
        schema: r#"{"type":"object","required":["refresh_token"],"additionalProperties":false,"properties":{
            "refresh_token":{"type":"string","minLength":1,"description":"At most 65,536 bytes."}}}"#,
    }),
    answer: r#"{"type":"object","required":["authorised"],"additionalProperties":false,"properties":{"authorised":{"const":true}}}"#,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    refresh_token: SecretText,
}

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let Input { refresh_token } = request.json()?;
    vault
        .authorise(&asked, &token_path(request), refresh_token.into_bytes())
        .await?;
    Reply::json(&json!({"authorised": true}))
}
