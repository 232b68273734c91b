use std::time::Duration;

use serde_json::json;

use super::route::{QueryParameter, RestRoute};
use super::{Problem, Reply, Request};

const MAX_WAIT_SECONDS: u64 = 25;

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "ReadChanges",
    method: "GET",
    path: "/v1/changes",
    action: Some("bulla:ReadChanges"),
    resource: "arn:aws:bulla::{account}:changes/feed",
    read_only: true,
    summary: "Tells what caches elsewhere must drop, and waits for it.",
    description: "Answers at once where something of the caller's account changed since the revision, else when it does or the wait is over. A cache begins \
                  with since=0 and nothing in it, and goes on with the revision that was answered. It drops data keys and policies of the keys \
                  that are named, everything where everything is true, and what it knows of who may what where principals is true. The revision counts the changes of all accounts. Per principal 256 may \
                  wait at once, per account 512.",
    query: &[
        QueryParameter {
            name: "since",
            repeated: false,
            schema: r#"{"type":"integer","minimum":0,"default":0}"#,
            doc: "The revision that was answered last.",
        },
        QueryParameter {
            name: "wait",
            repeated: false,
            schema: r#"{"type":"integer","minimum":0,"maximum":25,"default":0}"#,
            doc: "Seconds to wait for a change.",
        },
    ],
    body: None,
    answer: r#"{"type":"object","required":["revision","everything","keys","aliases","principals"],"additionalProperties":false,"properties":{
        "revision":{"type":"integer"},"everything":{"type":"boolean"},
        "keys":{"type":"array","items":{"type":"string"}},
        "aliases":{"type":"array","items":{"type":"string"}},
        "principals":{"type":"boolean"}}}"#,
};

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let since = request.query.number("since", 0)?;
    let wait = request.query.number("wait", 0)?;
    if wait > MAX_WAIT_SECONDS {
        return Err(Problem::invalid("wait is 25 seconds at most"));
    }
    let wait = Duration::from_secs(wait);
    let changes = request.edge.service.changes_since(request.call, since, wait).await?;
    Reply::json(&json!({
        "revision": changes.revision,
        "everything": changes.everything,
        "keys": changes.keys,
        "aliases": changes.aliases,
        "principals": changes.principals,
    }))
}
