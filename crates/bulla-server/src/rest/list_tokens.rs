use serde::Serialize;

use super::route::{QueryParameter, RestRoute};
use super::token_body::{AboutBody, PURPOSE, vault};
use super::{Problem, Reply, Request, cursor};
use crate::tokens::TokenPath;

const MOST: u64 = 1000;

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ListTokens",
    method: "GET",
    path: "/v1/tokens",
    action: Some("bulla:ListTokens"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: true,
    summary: "Lists a client's tokens, without their values.",
    description: "The resource is token/CLIENT. What is there and can't be opened or believed is under unreadable, with the code that a get of \
                  it would answer.",
    query: &[
        QueryParameter {
            name: "client",
            repeated: false,
            schema: r#"{"type":"string","minLength":1,"maxLength":1024}"#,
            doc: "Whose; it must be given.",
        },
        QueryParameter {
            name: "limit",
            repeated: false,
            schema: r#"{"type":"integer","minimum":1,"maximum":1000,"default":100}"#,
            doc: "Tokens of a page.",
        },
        QueryParameter {
            name: "cursor",
            repeated: false,
            schema: r#"{"type":"string"}"#,
            doc: "next_cursor of the page before.",
        },
        PURPOSE,
    ],
    body: None,
    answer: r#"{"type":"object","required":["tokens","unreadable","next_cursor"],"additionalProperties":false,"properties":{
        "tokens":{"type":"array","items":{"type":"object",
            "required":["client","provider","version","created_at","expires_at","type","scopes","metadata"],"additionalProperties":false,
            "properties":{"client":{"type":"string"},"provider":{"type":"string"},
            "name":{"type":"string","description":"Where it has one."},"version":{"type":"string","pattern":"^[0-9]+$"},
            "created_at":{"type":"string","format":"date-time"},"expires_at":{"type":["string","null"],"format":"date-time"},
            "type":{"type":"string"},"scopes":{"type":"array","items":{"type":"string"}},
            "metadata":{"type":"object","additionalProperties":{"type":"string"}}}}},
        "unreadable":{"type":"array","items":{"type":"object","required":["client","provider","code"],"additionalProperties":false,
            "properties":{"client":{"type":"string"},"provider":{"type":"string"},"name":{"type":"string"},"code":{"type":"string"}}}},
        "next_cursor":{"type":["string","null"]}}}"#,
};

#[derive(Serialize)]
struct Page {
    tokens: Vec<Item<AboutBody>>,
    unreadable: Vec<Item<Code>>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Item<T> {
    client: String,
    provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct Code {
    code: &'static str,
}

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let client = request.query.one("client").filter(|client| !client.is_empty());
    let client = client.ok_or_else(|| Problem::invalid("whose tokens are to be listed is not said: client"))?;
    let limit = request.query.number("limit", 100)?;
    let limit = usize::try_from(limit).ok().filter(|_| (1..=MOST).contains(&limit));
    let limit = limit.ok_or_else(|| Problem::invalid("limit is 1 to 1,000"))?;
    let after = cursor::read_text(request.query.one("cursor"))?;
    let page = vault.list(&asked, client, after.as_deref(), limit).await?;
    let unreadable = page.unreadable.into_iter();
    Reply::json(&Page {
        tokens: page
            .tokens
            .into_iter()
            .map(|(token, about)| item(token, about.into()))
            .collect(),
        unreadable: unreadable
            .map(|(token, kind)| item(token, Code { code: kind.status().1 }))
            .collect(),
        next_cursor: page.next.as_deref().map(cursor::write_text),
    })
}

fn item<T>(token: TokenPath, rest: T) -> Item<T> {
    Item {
        client: token.client,
        provider: token.provider,
        name: token.name,
        rest,
    }
}
