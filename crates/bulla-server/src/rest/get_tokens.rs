use futures::future::join_all;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::route::{RequestBody, RestRoute};
use super::token_body::{PURPOSE, TokenBody, not_there, vault};
use super::{Problem, Reply, Request, get_token, record};
use crate::tokens::{Token, TokenPath};

const MOST: usize = 100;
/// Tokens that are read at once.
const AT_ONCE: usize = 16;

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "GetTokens",
    method: "POST",
    path: "/v1/tokens/batch-get",
    action: Some("bulla:GetToken"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: true,
    summary: "Gives several tokens out.",
    description: "Each is decided and recorded as a GetToken of its own, and answered by itself, in the order of the request: token, or problem \
                  with the status and the code that a get of it would answer. Where all are denied, the request is.",
    query: &[PURPOSE],
    body: Some(RequestBody {
        max_bytes: 512 * 1024,
        schema: r#"{"type":"object","required":["tokens"],"additionalProperties":false,"properties":{
            "tokens":{"type":"array","minItems":1,"maxItems":100,"items":{"type":"object","required":["client","provider"],
                "additionalProperties":false,"properties":{
                "client":{"type":"string","minLength":1,"maxLength":1024},
                "provider":{"type":"string","minLength":1,"maxLength":1024},
                "name":{"type":"string","minLength":1,"maxLength":1024}}}}}}"#,
    }),
    answer: r#"{"type":"object","required":["results"],"additionalProperties":false,"properties":{
        "results":{"type":"array","items":{"type":"object","required":["client","provider"],"additionalProperties":false,
            "oneOf":[{"required":["token"]},{"required":["problem"]}],"properties":{
            "client":{"type":"string"},"provider":{"type":"string"},"name":{"type":"string"},
            "token":{"type":"object","required":["version","created_at","expires_at","type","scopes","metadata"]},
            "problem":{"type":"object","required":["status","code"],"additionalProperties":false,
                "properties":{"status":{"type":"integer"},"code":{"type":"string"}}}}}}}}"#,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    tokens: Vec<Wanted>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    client: String,
    provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize)]
struct Output<'a> {
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    wanted: &'a Wanted,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Refused>,
}

#[derive(Serialize)]
struct Refused {
    status: u16,
    code: &'static str,
}

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let Input { tokens } = request.json()?;
    if tokens.is_empty() || tokens.len() > MOST {
        return Err(Problem::invalid("a batch has 1 to 100 tokens"));
    }
    let mut found: Vec<Result<Token, Problem>> = Vec::with_capacity(tokens.len());
    for some in tokens.chunks(AT_ONCE) {
        let each = some.iter().map(|wanted| async {
            let token = vault.get(&asked, &path(wanted)).await;
            token.map_err(Problem::from)?.ok_or_else(not_there)
        });
        found.extend(join_all(each).await);
    }
    let denied = |result: &Result<Token, Problem>| {
        let problem = result.as_ref().err();
        problem.is_some_and(|problem| problem.status == StatusCode::FORBIDDEN)
    };
    if found.iter().all(denied)
        && let Some(Err(problem)) = found.pop()
    {
        return Err(problem);
    }
    for problem in found.iter().filter_map(|result| result.as_ref().err()) {
        record(request.edge, request.call, &get_token::ROUTE, problem).await?;
        if problem.status.is_server_error() {
            problem.log(&request.call.request_id, ROUTE.name);
        }
    }
    let results = tokens.iter().zip(&found).map(|(wanted, result)| Outcome {
        wanted,
        token: result.as_ref().ok().map(TokenBody::new),
        problem: result.as_ref().err().map(|problem| Refused {
            status: problem.status.as_u16(),
            code: problem.code,
        }),
    });
    Reply::json(&Output {
        results: results.collect(),
    })
}

fn path(wanted: &Wanted) -> TokenPath {
    TokenPath {
        client: wanted.client.clone(),
        provider: wanted.provider.clone(),
        name: wanted.name.clone(),
    }
}
