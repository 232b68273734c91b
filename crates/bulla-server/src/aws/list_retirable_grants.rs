use bulla_service::{Call, ListRetirableGrantsRequest, Service};
use serde::Deserialize;

use super::json::{Number, Text, parse};
use super::list_grants::reply;
use super::validation::{Checks, MARKER, PRINCIPAL_ID, SERVICE_PRINCIPAL};
use super::wire::{Failure, Reply};

/// Answers `ListRetirableGrants`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .list_retirable_grants(call, parse::<Input>(body)?.check()?)
        .await?;
    reply(&response)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    limit: Option<Number>,
    marker: Option<Text>,
    retiring_principal: Option<Text>,
    retiring_service_principal: Option<Text>,
}

impl Input {
    fn check(self) -> Result<ListRetirableGrantsRequest, Failure> {
        let mut checks = Checks::default();
        let limit = checks.number("limit", self.limit, 1, 1000);
        let marker = checks.text("marker", self.marker, &MARKER);
        let principal = checks.text("retiringPrincipal", self.retiring_principal, &PRINCIPAL_ID);
        let service = checks.text(
            "retiringServicePrincipal",
            self.retiring_service_principal,
            &SERVICE_PRINCIPAL,
        );
        if service.is_some() {
            checks.not_built_yet("Grants to services of AWS have no meaning here.");
        } else if principal.is_none() {
            // Not confirmed.
            checks.refuse("You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.");
        }
        let request = ListRetirableGrantsRequest {
            retiring_principal: principal.unwrap_or_default(),
            limit,
            marker,
        };
        checks.finish(request)
    }
}
