use std::sync::LazyLock;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::grants::GRANT;
use super::route::{REST_ROUTES, RestRoute};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ReadOpenApi",
    method: "GET",
    path: "/v1/openapi.json",
    action: None,
    resource: "",
    read_only: true,
    summary: "Gives this document.",
    description: "To everybody, without a credential and without an event.",
    query: &[],
    body: None,
    answer: r#"{"type":"object"}"#,
};

static PAGE: LazyLock<Bytes> = LazyLock::new(|| openapi().to_string().into());

pub(super) fn page() -> Reply {
    Reply {
        status: StatusCode::OK,
        body: PAGE.clone(),
    }
}

pub(super) async fn handle(_: &Request<'_>) -> Result<Reply, Problem> {
    Ok(page())
}

/// The OpenAPI 3.1 document of everything under `/v1`, made of the table of routes.
pub fn openapi() -> Value {
    let mut paths = Map::new();
    for route in REST_ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bulla",
            "version": "1",
            "description": "The REST side of a Bulla key service. Errors are problems (RFC 9457) with a stable code. Lists have pages: next_cursor \
                            of one is cursor of the next. X-Request-Id is taken over where it is 1 to 64 letters, digits, dots, underscores and \
                            hyphens, and is answered always. Bulla-Region names the region of a request that is not signed for one.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:4599"}],
        "security": [{"bearer": []}, {"sigv4": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, or a JWT of a configured issuer."},
                "sigv4": {"type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "AWS Signature Version 4 for the service bulla."},
            },
            "schemas": {"Problem": problem(), "Event": event(), "Grant": schema(GRANT)},
            "responses": {"Problem": {
                "description": "It was refused or failed; code says why.",
                "headers": {"X-Request-Id": {"schema": {"type": "string"}, "description": "Names the request in the log."}},
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
        },
    })
}

fn operation(route: &RestRoute) -> Value {
    let in_path = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1, "maxLength": 1024}}))
        .collect();
    for parameter in route.query {
        let one = schema(parameter.schema);
        let of_value = if parameter.repeated {
            json!({"type": "array", "items": one})
        } else {
            one
        };
        parameters
            .push(json!({"name": parameter.name, "in": "query", "description": parameter.doc, "schema": of_value}));
    }
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "description": route.description,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": schema(route.answer)}}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    });
    match route.action {
        Some(action) => {
            operation["x-bulla-action"] = action.into();
            operation["x-bulla-resource"] = route.resource.into();
        }
        None => operation["security"] = json!([]),
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({
            "required": true,
            "description": format!("At most {} bytes.", body.max_bytes),
            "content": {"application/json": {"schema": schema(body.schema)}},
        });
    }
    operation
}

/// A schema of the table. One that is no JSON becomes `null`, which no validator takes.
fn schema(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "additionalProperties": false,
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable; programs decide by it."},
            "detail": {"type": "string", "description": "For people; may change."},
            "request_id": {"type": "string"},
        },
    })
}

fn event() -> Value {
    json!({
        "type": "object",
        "description": "An event with CloudTrail's names and a few of Bulla's own; spec/audit-log.md has all of them.",
        "required": ["sequence", "previousHash", "eventID", "eventName", "eventSource", "eventTime", "eventType", "requestID"],
        "properties": {
            "sequence": {"type": "integer"},
            "previousHash": {"type": "string"},
            "eventID": {"type": "string"},
            "eventName": {"type": "string"},
            "eventSource": {"type": "string"},
            "eventTime": {"type": "string"},
            "eventType": {"type": "string"},
            "requestID": {"type": "string"},
            "errorCode": {"type": "string"},
            "errorMessage": {"type": "string"},
            "userIdentity": {"type": "object"},
            "requestParameters": {"type": ["object", "null"]},
            "responseElements": {"type": ["object", "null"]},
            "resources": {"type": "array", "items": {"type": "object"}},
        },
    })
}
