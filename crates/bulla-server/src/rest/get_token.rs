use super::route::RestRoute;
use super::token_body::{NAME, PURPOSE, TOKEN, TokenBody, not_there, token_path, vault};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "GetToken",
    method: "GET",
    path: "/v1/tokens/{client}/{provider}",
    action: Some("bulla:GetToken"),
    resource: "arn:aws:bulla:{region}:{account}:token/*",
    read_only: true,
    summary: "Gives a token out.",
    description: "404 with the code not_found where it was never there, was deleted or revoked, or has expired. Where the service knows how to \
                  fetch it, it is fetched first, once over all instances; that needs bulla:RefreshToken, too.",
    query: &[NAME, PURPOSE],
    body: None,
    answer: TOKEN,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let token = vault.get(&asked, &token_path(request)).await?.ok_or_else(not_there)?;
    Reply::json(&TokenBody::new(&token))
}
