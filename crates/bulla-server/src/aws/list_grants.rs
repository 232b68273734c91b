use std::collections::BTreeMap;

use bulla_service::{Call, Grant, ListGrantsRequest, ListGrantsResponse, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Text, parse};
use super::validation::{Checks, GRANT_ID, KEY_ID, MARKER, PRINCIPAL_ID, SERVICE_PRINCIPAL};
use super::wire::{Failure, Reply, Seconds};

/// Answers `ListGrants`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.list_grants(call, parse::<Input>(body)?.check()?).await?;
    reply(&response)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    limit: Option<Number>,
    marker: Option<Text>,
    key_id: Option<Text>,
    grant_id: Option<Text>,
    grantee_principal: Option<Text>,
    grantee_service_principal: Option<Text>,
}

impl Input {
    fn check(self) -> Result<ListGrantsRequest, Failure> {
        let mut checks = Checks::default();
        let limit = checks.number("limit", self.limit, 1, 1000);
        let marker = checks.text("marker", self.marker, &MARKER);
        let key_id = checks.required_text("keyId", self.key_id, &KEY_ID);
        let grant_id = checks.text("grantId", self.grant_id, &GRANT_ID);
        let grantee_principal = checks.text("granteePrincipal", self.grantee_principal, &PRINCIPAL_ID);
        let service = checks.text(
            "granteeServicePrincipal",
            self.grantee_service_principal,
            &SERVICE_PRINCIPAL,
        );
        if service.is_some() {
            checks.not_built_yet("Grants to services of AWS have no meaning here.");
        }
        let request = ListGrantsRequest {
            key_id,
            grant_id,
            grantee_principal,
            limit,
            marker,
        };
        checks.finish(request)
    }
}

/// Writes a page of grants.
pub(super) fn reply(response: &ListGrantsResponse) -> Result<Reply, Failure> {
    let next_marker = response.next_marker.as_deref();
    let output = Output {
        grants: response.grants.iter().map(Entry::of).collect(),
        next_marker,
        truncated: next_marker.is_some(),
    };
    Reply::json(&output, response.grants.len() * 512)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    grants: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<&'a str>,
    truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    key_id: &'a str,
    grant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    creation_date: Seconds,
    grantee_principal: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring_principal: Option<&'a str>,
    issuing_account: &'a str,
    operations: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constraints: Option<Constraints<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Constraints<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_context_subset: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_context_equals: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Entry<'a> {
    fn of(grant: &'a Grant) -> Self {
        Self {
            key_id: grant.key_arn.as_str(),
            grant_id: &grant.grant_id,
            name: grant.name.as_deref(),
            creation_date: Seconds(grant.created),
            grantee_principal: &grant.grantee_principal,
            retiring_principal: grant.retiring_principal.as_deref(),
            issuing_account: &grant.issuing_account,
            operations: grant.operations.iter().map(|operation| operation.as_str()).collect(),
            constraints: (!grant.constraints.is_empty()).then_some(Constraints {
                encryption_context_subset: grant.constraints.subset.as_ref(),
                encryption_context_equals: grant.constraints.equals.as_ref(),
            }),
        }
    }
}
