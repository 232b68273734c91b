use bulla_audit::EventFilter;
use bulla_service::AuditQuery;
use serde_json::json;

use super::audit_query::{CLIENT, CURSOR, FROM, TO, filter};
use super::route::RestRoute;
use super::{Problem, Reply, Request, cursor};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ReportPrincipals",
    method: "GET",
    path: "/v1/audit/reports/principals",
    action: Some("bulla:ReadAudit"),
    resource: "arn:aws:bulla::{account}:audit/log",
    read_only: true,
    summary: "Counts accesses by who made them.",
    description: "Who made most comes first; at most 10,000 are counted by themselves. 200,000 events are looked at for one answer: where \
                  there is a next_cursor, it counts those that follow.",
    query: &[CLIENT, FROM, TO, CURSOR],
    body: None,
    answer: r#"{"type":"object","required":["principals","others","next_cursor"],"additionalProperties":false,"properties":{
        "principals":{"type":"array","items":{"type":"object","additionalProperties":false,
            "required":["principal","accesses","failed","first","last"],"properties":{
            "principal":{"type":"string"},"accesses":{"type":"integer"},"failed":{"type":"integer"},
            "first":{"type":"string"},"last":{"type":"string"}}}},
        "others":{"type":"integer","description":"Accesses of further principals."},
        "next_cursor":{"type":["string","null"]}}}"#,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let query = AuditQuery {
        filter: EventFilter {
            accesses_only: true,
            ..filter(&request.query)?
        },
        from: cursor::read(request.query.one("cursor"))?,
        limit: 1,
    };
    let counts = request.edge.service.count_principals(request.call, query).await?;
    let rows = counts.principals.iter().map(|row| {
        json!({"principal": row.principal, "accesses": row.accesses, "failed": row.failed, "first": row.first, "last": row.last})
    });
    Reply::json(&json!({
        "principals": rows.collect::<Vec<_>>(),
        "others": counts.others,
        "next_cursor": counts.next.map(cursor::write),
    }))
}
