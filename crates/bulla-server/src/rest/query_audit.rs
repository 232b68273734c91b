use super::audit_query::{
    CLIENT, CONTEXT, CURSOR, ERROR, EVENT, FROM, KEY, LIMIT, OUTSIDE, PAGE, PRINCIPAL, TO, filter, page,
};
use super::route::RestRoute;
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "QueryAudit",
    method: "GET",
    path: "/v1/audit",
    action: Some("bulla:ReadAudit"),
    resource: "arn:aws:bulla::{account}:audit/log",
    read_only: true,
    summary: "Finds events of the audit log.",
    description: "In the log's order, each event as it was signed: where one was edited or is gone, the answer is an error and no event. Times \
                  are those of the clocks that there were: an event whose clock was more than ten minutes behind may be left out of a question \
                  by time. So many events are looked at for a page and no more, so that a page may be empty and have a next one.",
    query: &[
        PRINCIPAL, EVENT, KEY, CONTEXT, CLIENT, ERROR, FROM, TO, OUTSIDE, LIMIT, CURSOR,
    ],
    body: None,
    answer: PAGE,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    page(request, filter(&request.query)?).await
}
