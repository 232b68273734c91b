use bulla_service::GiveGrantRequest;
use serde::Deserialize;

use super::grants::{Constraints, Grant, RESOURCE};
use super::route::{RequestBody, RestRoute};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "GiveGrant",
    method: "POST",
    path: "/v1/grants",
    action: Some("bulla:GiveGrant"),
    resource: RESOURCE,
    read_only: false,
    summary: "Gives a principal a grant on a key or on every key, or changes it.",
    description: "A principal has one such grant on a key, and one on every key (*): given again, it is changed and keeps its id. It decides \
                  the very next operation. A grant on every key counts for keys, those to come as well, whose key policies leave the \
                  decision to the account; it has neither CreateGrant nor RetireGrant. On one key it takes kms:CreateGrant on that key instead.",
    query: &[],
    body: Some(RequestBody {
        max_bytes: 32 * 1024,
        schema: r#"{"type":"object","required":["key","principal","operations"],"additionalProperties":false,"properties":{
            "key":{"type":"string","minLength":1,"maxLength":2048,"description":"A key's id or ARN, or * for every key."},
            "principal":{"type":"string","minLength":1,"maxLength":2048,"description":"The ARN of who is granted."},
            "operations":{"type":"array","minItems":1,"items":{"type":"string","examples":["Encrypt","Decrypt"]}},
            "constraints":{"type":"object","additionalProperties":false,"properties":{
                "context_equals":{"type":"object","additionalProperties":{"type":"string"},
                    "description":"The encryption context is exactly this."},
                "context_subset":{"type":"object","additionalProperties":{"type":"string"},
                    "description":"The encryption context has these pairs and may have others."}}}}}"#,
    }),
    answer: r##"{"$ref":"#/components/schemas/Grant"}"##,
};

const MAX_NAME_BYTES: usize = 2048;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    key: String,
    principal: String,
    operations: Vec<String>,
    #[serde(default)]
    constraints: Constraints,
}

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let input: Input = request.json()?;
    if input.key.len().max(input.principal.len()) > MAX_NAME_BYTES {
        return Err(Problem::invalid("key and principal have at most 2,048 bytes"));
    }
    let operations = input.operations.iter().map(|operation| operation.parse());
    let give = GiveGrantRequest {
        key_id: input.key,
        grantee_principal: input.principal,
        operations: operations
            .collect::<Result<_, _>>()
            .map_err(|_| Problem::invalid("operations has one that no grant permits"))?,
        constraints: input.constraints.check()?,
    };
    let given = request.edge.service.give_grant(request.call, give).await?;
    Reply::json(&Grant::of(given))
}
