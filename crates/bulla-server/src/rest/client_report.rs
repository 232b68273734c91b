use super::audit_query::{CLIENT, CURSOR, FROM, LIMIT, PAGE, TO, filter, page};
use super::route::RestRoute;
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ReportClient",
    method: "GET",
    path: "/v1/audit/reports/client",
    action: Some("bulla:ReadAudit"),
    resource: "arn:aws:bulla::{account}:audit/log",
    read_only: true,
    summary: "Lists every access for one client, allowed or not.",
    description: "The client is named by the parameter client, which is required.",
    query: &[CLIENT, FROM, TO, LIMIT, CURSOR],
    body: None,
    answer: PAGE,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    if request.query.one("client").is_none() {
        return Err(Problem::invalid("client is required"));
    }
    page(request, filter(&request.query)?).await
}
