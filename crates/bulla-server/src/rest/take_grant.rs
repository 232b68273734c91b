use bulla_service::TakeGrantRequest;

use super::grants::{Grant, RESOURCE};
use super::route::{QueryParameter, RestRoute};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "TakeGrant",
    method: "DELETE",
    path: "/v1/grants",
    action: Some("bulla:TakeGrant"),
    resource: RESOURCE,
    read_only: false,
    summary: "Takes back the grant that a principal was given on a key or on every key.",
    description: "It decides the very next operation. The answer is the grant as it was. Grants that CreateGrant made are revoked by \
                  RevokeGrant and are not taken here. On one key it takes kms:RevokeGrant on that key instead.",
    query: &[
        QueryParameter {
            name: "key",
            repeated: false,
            schema: r#"{"type":"string","minLength":1,"maxLength":2048}"#,
            doc: "A key's id or ARN, or * for every key; it must be given.",
        },
        QueryParameter {
            name: "principal",
            repeated: false,
            schema: r#"{"type":"string","minLength":1,"maxLength":2048}"#,
            doc: "The ARN of who was granted; it must be given.",
        },
    ],
    body: None,
    answer: r##"{"$ref":"#/components/schemas/Grant"}"##,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let given = |name: &str| {
        let value = request.query.one(name);
        value
            .map(str::to_owned)
            .ok_or_else(|| Problem::invalid(format!("{name} is missing")))
    };
    let take = TakeGrantRequest {
        key_id: given("key")?,
        grantee_principal: given("principal")?,
    };
    let taken = request.edge.service.take_grant(request.call, take).await?;
    Reply::json(&Grant::of(taken))
}
