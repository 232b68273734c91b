//! Every route has its case of authorisation, of audit and of documentation; one without them fails here.

use bulla_model::{GrantConstraints, GrantOperation, Role};
use bulla_server::{REST_ROUTES, RestRoute, openapi};
use bulla_service::GiveGrantRequest;
use serde_json::{Value, json};

use crate::client::*;
use crate::harness::Harness;
use crate::tokens::with_tokens;

/// A request of each route that needs nothing but the permission; none where the route is everybody's.
fn case(name: &str) -> Option<(&'static str, Value)> {
    Some(match name {
        "QueryAudit" => ("/v1/audit?limit=1", Value::Null),
        "ReportClient" => ("/v1/audit/reports/client?client=a", Value::Null),
        "ReportOutsideHours" => ("/v1/audit/reports/outside-hours", Value::Null),
        "ReportPrincipals" => ("/v1/audit/reports/principals", Value::Null),
        "ReportDenied" => ("/v1/audit/reports/denied", Value::Null),
        "ReadChanges" => ("/v1/changes", Value::Null),
        "PutAuditEvents" => (
            "/v1/audit/events",
            json!({"batch_id": "one", "events": [{"name": "Open", "time": "2026-01-01T00:00:00Z"}]}),
        ),
        "PutToken" => ("/v1/tokens/a/stripe", json!({"value": "s3cret", "ttl_seconds": 900})),
        "GetToken" | "DeleteToken" => ("/v1/tokens/a/stripe", Value::Null),
        "GetTokens" => (
            "/v1/tokens/batch-get",
            json!({"tokens": [{"client": "a", "provider": "stripe"}]}),
        ),
        "ListTokens" => ("/v1/tokens?client=a", Value::Null),
        "AuthoriseToken" => ("/v1/tokens/a/stripe/grant", json!({"refresh_token": "r0"})),
        "RefreshToken" => ("/v1/tokens/a/fetched/refresh", Value::Null),
        "RevokeTokens" => ("/v1/tokens/a/revoke", Value::Null),
        "GiveGrant" => (
            "/v1/grants",
            json!({"key": "*", "principal": GRANTEE, "operations": ["Encrypt"]}),
        ),
        "ListGivenGrants" => ("/v1/grants", Value::Null),
        "TakeGrant" => (TAKE, Value::Null),
        "ReadTokenStats" => ("/v1/tokens/stats", Value::Null),
        _ => return None,
    })
}

const GRANTEE: &str = "arn:aws:iam::000000000000:user/cid";
const TAKE: &str = "/v1/grants?key=*&principal=arn:aws:iam::000000000000:user/cid";

/// Makes what a route is asked for once more.
async fn prepare(h: &Harness, route: &RestRoute) {
    if route.name == "TakeGrant" {
        let grant = GiveGrantRequest {
            key_id: "*".to_owned(),
            grantee_principal: GRANTEE.to_owned(),
            operations: vec![GrantOperation::Encrypt],
            constraints: GrantConstraints::default(),
        };
        h.service.give_grant(&operator(h), grant).await.unwrap();
    }
}

/// The event that a route leaves.
fn event_of(route: &RestRoute) -> &'static str {
    match route.name {
        "ReportClient" | "ReportOutsideHours" | "ReportDenied" => "QueryAudit",
        "ReportPrincipals" => "CountPrincipals",
        "GetTokens" => "GetToken",
        "AuthoriseToken" => "PutToken",
        other => other,
    }
}

#[tokio::test]
async fn every_route_is_denied_by_default_and_explicitly_and_allowed_by_its_action_alone() {
    let h = with_tokens().await;
    let user = User::new(&h, "ann", Role::User).await;
    for route in REST_ROUTES {
        let Some(action) = route.action else {
            assert_eq!(
                route.name, "ReadOpenApi",
                "a route that everybody may ask is to be named here"
            );
            continue;
        };
        let (path, body) = case(route.name).unwrap_or_else(|| panic!("{} has no case", route.name));
        let service = route.resource.split(':').nth(2).unwrap();
        prepare(&h, route).await;
        user.give(&h, json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}))
            .await;
        let answer = user.send(&h, route.method, path, &body).await;
        problem(&answer, 403, "access_denied");
        assert!(
            answer
                .text()
                .contains(&format!("perform: {action} on resource: arn:aws:{service}:")),
            "{}",
            answer.text()
        );
        let event = newest(&h, event_of(route)).await;
        assert_eq!(event["errorCode"], "AccessDeniedException", "{}", route.name);
        assert_eq!(event["userIdentity"]["arn"], user.arn.as_str());
        assert_eq!(event["requestID"], answer.header("x-request-id"));
        // Allowed by the action on the resource that the table names.
        let resource = route
            .resource
            .replace("{region}", "*")
            .replace("{account}", h.service.account().as_str());
        user.give(&h, json!({"Effect": "Allow", "Action": action, "Resource": resource}))
            .await;
        let answer = user.send(&h, route.method, path, &body).await;
        assert_eq!(answer.status, 200, "{}: {}", route.name, answer.text());
        let event = newest(&h, event_of(route)).await;
        assert_eq!(event.get("errorCode"), None, "{}", route.name);
        assert_eq!(event["readOnly"], route.read_only);
        assert_eq!(event["requestID"], answer.header("x-request-id"));
        user.give(
            &h,
            json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": action, "Resource": "*"}]),
        )
        .await;
        let answer = user.send(&h, route.method, path, &body).await;
        assert!(
            problem(&answer, 403, "access_denied")["detail"]
                .as_str()
                .unwrap()
                .contains("explicit deny")
        );
    }
}

#[test]
fn every_route_says_what_it_is() {
    let document = openapi();
    for route in REST_ROUTES {
        let method = route.method.to_ascii_lowercase();
        let operation = &document["paths"][route.path][&method];
        assert_eq!(operation["operationId"], route.name);
        for text in [route.summary, route.description] {
            assert!(text.ends_with('.') && text.len() > 10, "{}", route.name);
        }
        assert!(
            operation["responses"]["200"]["content"]["application/json"]["schema"].is_object(),
            "{}",
            route.name
        );
        assert_eq!(
            route.body.is_some(),
            operation["requestBody"]["content"]["application/json"]["schema"].is_object()
        );
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(parameter["schema"].is_object(), "{} {parameter}", route.name);
        }
        assert_eq!(operation["x-bulla-action"].as_str(), route.action);
    }
}
