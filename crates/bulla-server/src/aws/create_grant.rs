use std::collections::BTreeMap;

use bulla_crypto::Context;
use bulla_model::GrantConstraints;
use bulla_service::{Call, CreateGrantRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Flag, List, Object, Pairs, Text, parse};
use super::validation::{
    Checks, GRANT_CONSTRAINT_SOURCE_ARN, GRANT_NAME, GRANT_OPERATIONS, KEY_ID, PRINCIPAL_ID, SERVICE_PRINCIPAL,
};
use super::wire::{Failure, Reply};

/// Answers `CreateGrant`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.create_grant(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        grant_token: &response.grant_token,
        grant_id: &response.grant_id,
    };
    Reply::json(&output, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    grantee_principal: Option<Text>,
    retiring_principal: Option<Text>,
    operations: Option<List<Text>>,
    constraints: Option<Object<Constraints>>,
    grant_tokens: Option<List<Text>>,
    name: Option<Text>,
    dry_run: Option<Flag>,
    grantee_service_principal: Option<Text>,
    retiring_service_principal: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Constraints {
    encryption_context_subset: Option<Pairs>,
    encryption_context_equals: Option<Pairs>,
    source_arn: Option<Text>,
}

impl Input {
    fn check(self) -> Result<CreateGrantRequest, Failure> {
        let mut checks = Checks::default();
        let key_id = checks.required_text("keyId", self.key_id, &KEY_ID);
        let grantee = checks.text("granteePrincipal", self.grantee_principal, &PRINCIPAL_ID);
        let retiring_principal = checks.text("retiringPrincipal", self.retiring_principal, &PRINCIPAL_ID);
        let operations = checks.required_choices("operations", self.operations, GRANT_OPERATIONS);
        let constraints = self
            .constraints
            .map(|Object(constraints)| constraints)
            .unwrap_or_default();
        let constraints = constraints.check(&mut checks);
        let grant_tokens = checks.grant_tokens(self.grant_tokens);
        let name = checks.text("name", self.name, &GRANT_NAME);
        let services = [
            checks.text(
                "granteeServicePrincipal",
                self.grantee_service_principal,
                &SERVICE_PRINCIPAL,
            ),
            checks.text(
                "retiringServicePrincipal",
                self.retiring_service_principal,
                &SERVICE_PRINCIPAL,
            ),
        ];
        if services.iter().any(Option::is_some) {
            checks.not_built_yet("Grants to services of AWS have no meaning here.");
        } else if grantee.is_none() {
            // Not confirmed.
            checks.refuse("You must specify either GranteePrincipal or GranteeServicePrincipal, but not both.");
        }
        let request = CreateGrantRequest {
            key_id,
            grantee_principal: grantee.unwrap_or_default(),
            retiring_principal,
            operations: operations
                .iter()
                .filter_map(|operation| operation.parse().ok())
                .collect(),
            constraints,
            name,
            grant_tokens,
            dry_run: checks.flag(self.dry_run),
        };
        checks.finish(request)
    }
}

impl Constraints {
    fn check(self, checks: &mut Checks) -> GrantConstraints {
        let mut pairs = |member: &str, pairs: Option<Pairs>| {
            let context: Context = match pairs {
                Some(pairs) => checks.context(member, Some(pairs)),
                None => return None,
            };
            let pairs = context.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
            Some(pairs.collect::<BTreeMap<String, String>>())
        };
        let constraints = GrantConstraints {
            subset: pairs("constraints.encryptionContextSubset", self.encryption_context_subset),
            equals: pairs("constraints.encryptionContextEquals", self.encryption_context_equals),
        };
        let source = checks.text("constraints.sourceArn", self.source_arn, &GRANT_CONSTRAINT_SOURCE_ARN);
        if source.is_some() {
            checks.not_built_yet("The grant constraint SourceArn is for services of AWS and has no meaning here.");
        }
        constraints
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    grant_token: &'a str,
    grant_id: &'a str,
}
