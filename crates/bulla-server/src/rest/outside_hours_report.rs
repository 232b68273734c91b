use bulla_audit::EventFilter;

use super::audit_query::{CLIENT, CURSOR, FROM, LIMIT, OUTSIDE, PAGE, PRINCIPAL, TO, filter, page};
use super::route::RestRoute;
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ReportOutsideHours",
    method: "GET",
    path: "/v1/audit/reports/outside-hours",
    action: Some("bulla:ReadAudit"),
    resource: "arn:aws:bulla::{account}:audit/log",
    read_only: true,
    summary: "Lists accesses outside business hours.",
    description: "Business hours are Mon-Fri 08:00-18:00 UTC unless the parameter outside says others.",
    query: &[OUTSIDE, PRINCIPAL, CLIENT, FROM, TO, LIMIT, CURSOR],
    body: None,
    answer: PAGE,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let asked = filter(&request.query)?;
    let outside = asked.outside.unwrap_or_default();
    let filter = EventFilter {
        outside: Some(outside),
        accesses_only: true,
        ..asked
    };
    page(request, filter).await
}
