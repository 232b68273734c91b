use super::route::RestRoute;
use super::token_body::{NAME, PURPOSE, STORED, StoredBody, token_path, vault};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "RefreshToken",
    method: "POST",
    path: "/v1/tokens/{client}/{provider}/refresh",
    action: Some("bulla:RefreshToken"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: false,
    summary: "Fetches a token anew from its provider, though the one that is there may be valid.",
    description: "Once over all instances that ask at the same time. 409 with the code no_fetcher where the service does not know how, and \
                  needs_authorisation where somebody has to authorise it at the provider. The value is for GET.",
    query: &[NAME, PURPOSE],
    body: None,
    answer: STORED,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let stored = vault.refresh(&asked, &token_path(request)).await?;
    Reply::json(&StoredBody::from(stored))
}
