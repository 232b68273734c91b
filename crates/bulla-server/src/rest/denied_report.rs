use bulla_audit::{EventFilter, Outcome};

use super::audit_query::{CLIENT, CURSOR, ERROR, FROM, LIMIT, PAGE, PRINCIPAL, TO, filter, page};
use super::route::RestRoute;
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ReportDenied",
    method: "GET",
    path: "/v1/audit/reports/denied",
    action: Some("bulla:ReadAudit"),
    resource: "arn:aws:bulla::{account}:audit/log",
    read_only: true,
    summary: "Lists denied and failed attempts.",
    description: "All of them, or those with one errorCode.",
    query: &[ERROR, PRINCIPAL, CLIENT, FROM, TO, LIMIT, CURSOR],
    body: None,
    answer: PAGE,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let asked = filter(&request.query)?;
    let outcome = match asked.outcome {
        Some(Outcome::Code(code)) => Outcome::Code(code),
        _ => Outcome::Failed,
    };
    let filter = EventFilter {
        outcome: Some(outcome),
        ..asked
    };
    page(request, filter).await
}
