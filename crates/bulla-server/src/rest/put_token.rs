use super::route::{RequestBody, RestRoute};
use super::token_body::{NAME, PURPOSE, Put, STORED, StoredBody, token_path, vault};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "PutToken",
    method: "PUT",
    path: "/v1/tokens/{client}/{provider}",
    action: Some("bulla:PutToken"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: false,
    summary: "Keeps a token, sealed under its client's key.",
    description: "In place of one that may be there. The value is any text (value) or any bytes (value_base64), 1 to 65,536 bytes; without \
                  ttl_seconds it never expires. The resource is token/CLIENT/PROVIDER, and /NAME where the token has one; conditions see \
                  kms:EncryptionContext:client_id and api_provider.",
    query: &[NAME, PURPOSE],
    body: Some(RequestBody {
        // Each byte of a value may come as six.
        max_bytes: 512 * 1024,
        schema: r#"{"type":"object","additionalProperties":false,"oneOf":[{"required":["value"]},{"required":["value_base64"]}],"properties":{
            "value":{"type":"string"},
            "value_base64":{"type":"string"},
            "ttl_seconds":{"type":"integer","minimum":1},
            "type":{"type":"string","description":"As in Bearer; at most 256 bytes."},
            "scopes":{"type":"array","maxItems":256,"items":{"type":"string"}},
            "metadata":{"type":"object","additionalProperties":{"type":"string"},"description":"Sealed as the value is; at most 8,192 bytes."}}}"#,
    }),
    answer: STORED,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let new = request.json::<Put>()?.token()?;
    let stored = vault.put(&asked, &token_path(request), new).await?;
    Reply::json(&StoredBody::from(stored))
}
