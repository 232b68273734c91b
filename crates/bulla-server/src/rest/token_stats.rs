use bulla_model::BullaArn;
use bulla_service::Access;
use serde_json::json;

use super::route::RestRoute;
use super::token_body::vault;
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ReadTokenStats",
    method: "GET",
    path: "/v1/tokens/stats",
    action: Some("bulla:ReadTokenStats"),
    resource: "arn:aws:bulla:{region}:{account}:tokens/stats",
    read_only: true,
    summary: "Tells what the token vault of this node has done since it was started, and what its caches saved.",
    description: "Counters of the process that answers; /metrics has the same without the costs. Costs are calls to key services at the price that is set.",
    query: &[],
    body: None,
    answer: r#"{"type":"object","required":["hits","misses","refused","puts","deletes","refreshes","refresh_failures","kms_calls","kms_calls_saved",
        "clients","oldest_key_seconds","cost","cost_saved"],"additionalProperties":false,"properties":{
        "hits":{"type":"integer"},"misses":{"type":"integer"},"refused":{"type":"integer"},"puts":{"type":"integer"},
        "deletes":{"type":"integer"},"refreshes":{"type":"integer"},"refresh_failures":{"type":"integer"},
        "kms_calls":{"type":"integer"},"kms_calls_saved":{"type":"integer"},"clients":{"type":"integer"},
        "oldest_key_seconds":{"type":"integer"},
        "cost":{"type":"string","description":"Of the calls that were made: an amount and a currency."},
        "cost_saved":{"type":"string","description":"Of the calls that caches saved."}}}"#,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let (vault, asked) = vault(request)?;
    let call = asked.call;
    let resource = BullaArn::new(&call.region, call.caller.account(), "tokens", &["stats"]);
    let access = Access::new("bulla:ReadTokenStats", ROUTE.name, true, resource);
    request.edge.service.access(call, access).await?;
    let stats = vault.stats();
    Reply::json(&json!({
        "hits": stats.hits, "misses": stats.misses, "refused": stats.refused, "puts": stats.puts, "deletes": stats.deletes,
        "refreshes": stats.refreshes, "refresh_failures": stats.refresh_failures, "kms_calls": stats.kms_calls,
        "kms_calls_saved": stats.kms_calls_saved, "clients": stats.clients, "oldest_key_seconds": stats.oldest_key_seconds,
        "cost": stats.cost, "cost_saved": stats.cost_saved,
    }))
}
