use bulla_service::ListGivenGrantsRequest;
use serde_json::json;

use super::grants::{Grant, KEY, RESOURCE};
use super::route::{QueryParameter, RestRoute};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ListGivenGrants",
    method: "GET",
    path: "/v1/grants",
    action: Some("bulla:ListGivenGrants"),
    resource: RESOURCE,
    read_only: true,
    summary: "Lists the grants that were given on a key or on every key.",
    description: "In order of their ids. Grants that CreateGrant made are not among them: ListGrants of the AWS API has all of a key's. \
                  On one key it takes kms:ListGrants on that key instead.",
    query: &[
        KEY,
        QueryParameter {
            name: "limit",
            repeated: false,
            schema: r#"{"type":"integer","minimum":1,"maximum":1000,"default":100}"#,
            doc: "Grants of a page.",
        },
        QueryParameter {
            name: "cursor",
            repeated: false,
            schema: r#"{"type":"string","maxLength":256}"#,
            doc: "Where the page before ended: its next_cursor.",
        },
    ],
    body: None,
    answer: r##"{"type":"object","required":["grants","next_cursor"],"additionalProperties":false,"properties":{
        "grants":{"type":"array","items":{"$ref":"#/components/schemas/Grant"}},
        "next_cursor":{"type":["string","null"],"description":"Null on the last page."}}}"##,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let limit = request.query.number("limit", 100)?;
    let list = ListGivenGrantsRequest {
        key_id: request.query.one("key").unwrap_or("*").to_owned(),
        limit: Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        marker: request.query.one("cursor").map(str::to_owned),
    };
    let listed = request.edge.service.list_given_grants(request.call, list).await?;
    let grants: Vec<Grant> = listed.grants.into_iter().map(Grant::of).collect();
    Reply::json(&json!({"grants": grants, "next_cursor": listed.next_marker}))
}
