use bulla_crypto::Context;
use bulla_model::{KeyRef, PrincipalArn, Region};
use bulla_server::ROUTES;
use bulla_service::{ACCESS_ACTIONS, Access, ExplainRequest, ExplainedResource, Explanation, Service};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::failure::{CommandResult, Explained, Outcome};
use crate::node::{Site, default_region, operator};
use crate::output::{self, Format};
use crate::place::Place;
use crate::process;
use crate::sealing::pair;
use crate::settings::Environment;

/// Tells what policies, roles and grants decide, on the data directory; a running server decides the same.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Explains whether a principal may do something, and by which statements and grants
    Explain(Box<Explain>),
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Who would ask: a user's name or ARN
    #[arg(long, value_name = "PRINCIPAL")]
    principal: String,
    /// What the principal would do: kms:Decrypt, kms:ReEncryptFrom, bulla:ReadAudit, …
    #[arg(long, value_name = "ACTION", value_parser = action)]
    operation: String,
    /// To which key: key id, key ARN, alias/… or an alias's ARN; with --resource, the key that the token or payload is sealed under
    #[arg(long, required_unless_present = "resource")]
    key: Option<String>,
    /// To what else: the ARN of an alias, of a user, of a token or of a codec's namespace, or *
    #[arg(long, value_name = "ARN")]
    resource: Option<String>,
    /// A pair of the encryption context; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    /// A further member of the request, named as events name it: signingAlgorithm=ECDSA_SHA_256; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    parameter: Vec<(String, String)>,
    /// The region of the request; default: that of the key's ARN, else us-east-1
    #[arg(long, value_name = "REGION", value_parser = region)]
    region: Option<Region>,
    /// The address that the request would come from
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<std::net::IpAddr>,
    /// Asks over plain HTTP
    #[arg(long)]
    plain_http: bool,
    #[command(flatten)]
    place: Place,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// What is asked, before there is a service.
struct Question {
    resource: ExplainedResource,
    context: Context,
    region: Option<Region>,
}

impl Policy {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let Policy::Explain(explain) = self;
        let question = explain.question()?;
        let settings = explain.place.settings(environment)?;
        process::runtime(Some(1))?.block_on(async {
            let service = Site::find(&settings)?.service(&settings).await?;
            let done = explain.carry_out(&service, question).await;
            service.shutdown().await;
            done.map(|()| Outcome::Done)
        })
    }
}

impl Explain {
    /// What is asked, as far as it is known without the service.
    fn question(&self) -> Result<Question, anyhow::Error> {
        let pairs = self.context.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let context = Context::from_pairs(pairs).map_err(|error| Explained::misuse(format!("--context: {error}")))?;
        let region = self.region()?;
        Ok(Question {
            resource: self.resource(region.as_ref(), &context)?,
            context,
            region,
        })
    }

    async fn carry_out(&self, service: &Service, question: Question) -> Result<(), anyhow::Error> {
        let call = operator(service, question.region)?;
        let request = ExplainRequest {
            principal: self.principal(service)?,
            action: self.operation.clone(),
            resource: question.resource,
            encryption_context: question.context,
            parameters: self.parameters(),
            source_ip: self.source_ip.map(|address| address.to_string()),
            secure_transport: !self.plain_http,
        };
        let explanation = service.explain(&call, request).await?;
        match self.output {
            Format::Json => output::json(&json!({
                "Allowed": explanation.allowed,
                "Principal": explanation.principal,
                "Action": explanation.action,
                "Resource": explanation.resource,
                "Denial": explanation.denial,
                "DecidedBy": explanation.decided_by,
            })),
            Format::Text => print(&explanation),
        }
    }

    fn principal(&self, service: &Service) -> Result<PrincipalArn, anyhow::Error> {
        let wrong = |_| {
            Explained::misuse("a principal is a user's name, or the ARN of a user, of a role or of an account's root")
        };
        if self.principal.starts_with("arn:") {
            return Ok(self.principal.parse().map_err(wrong)?);
        }
        Ok(PrincipalArn::user(
            service.account(),
            &self.principal.parse().map_err(wrong)?,
        ))
    }

    fn resource(&self, region: Option<&Region>, context: &Context) -> Result<ExplainedResource, anyhow::Error> {
        let access = ACCESS_ACTIONS.into_iter().find(|action| *action == self.operation);
        match (&self.key, &self.resource, access) {
            (Some(key), None, None) if self.operation.starts_with("kms:") => Ok(ExplainedResource::Key(key.clone())),
            (Some(_), None, _) => Err(Explained::misuse(
                "an action outside KMS is done to a --resource; --key says what that is sealed under",
            )
            .into()),
            (Some(key), Some(resource), Some(action)) => {
                let resource = resource
                    .parse()
                    .map_err(|error| Explained::misuse(format!("--resource: {error}")))?;
                let region = region.map_or_else(default_region, |region| Ok(region.clone()))?;
                let key = KeyRef::parse(key, &region).map_err(|error| Explained::misuse(format!("--key: {error}")))?;
                Ok(ExplainedResource::Access(Box::new(Access {
                    context: context.clone(),
                    key: Some(key),
                    parameters: self.parameters(),
                    ..Access::new(action, "Explained", true, resource)
                })))
            }
            (Some(_), Some(_), None) => Err(Explained::misuse(
                "--key and --resource go together for what is sealed under a key: bulla:GetToken, bulla:DecodePayload, …",
            )
            .into()),
            (None, other, _) => Ok(ExplainedResource::Other(other.clone().unwrap_or_default())),
        }
    }

    fn region(&self) -> Result<Option<Region>, anyhow::Error> {
        let of_arn = self
            .key
            .as_deref()
            .filter(|key| key.starts_with("arn:"))
            .and_then(|key| key.split(':').nth(3));
        match (&self.region, of_arn) {
            (Some(region), _) => Ok(Some(region.clone())),
            (None, Some(text)) => Ok(Some(region(text)?)),
            (None, None) => Ok(None),
        }
    }

    /// Numbers, booleans and lists as JSON writes them; anything else is a text.
    fn parameters(&self) -> Map<String, Value> {
        let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        let pairs = self.parameter.iter();
        pairs.map(|(name, text)| (name.clone(), value(text))).collect()
    }
}

fn print(explanation: &Explanation) -> Result<(), anyhow::Error> {
    let mut rows = vec![
        vec![
            "decision".to_owned(),
            if explanation.allowed { "allowed" } else { "denied" }.to_owned(),
        ],
        vec!["principal".to_owned(), explanation.principal.to_string()],
        vec!["operation".to_owned(), explanation.action.clone()],
        vec!["resource".to_owned(), explanation.resource.clone()],
    ];
    for reason in &explanation.decided_by {
        rows.push(vec!["decided by".to_owned(), told(reason)]);
    }
    if let Some(denial) = &explanation.denial {
        rows.push(vec!["answer".to_owned(), denial.clone()]);
    }
    output::pairs(&rows)
}

/// A reason in words.
fn told(reason: &Value) -> String {
    let text = |name: &str| reason[name].as_str().unwrap_or_default();
    if let Some(policy) = reason["policy"].as_str() {
        let sid = match text("sid") {
            "" => String::new(),
            sid => format!(" ({sid})"),
        };
        return format!("{policy}, statement {}{sid}", reason["statement"]);
    }
    match (text("role"), text("grantId")) {
        ("", "") => reason.to_string(),
        ("", grant) => format!("grant {grant}"),
        (role, _) => format!("role {role}"),
    }
}

fn region(text: &str) -> Result<Region, Explained> {
    text.parse()
        .map_err(|_| Explained::misuse(format!("{text:?} is not a region")))
}

/// An action that is decided on; a mistyped one would be denied to most and allowed to administrators, which explains nothing.
fn action(text: &str) -> Result<String, Explained> {
    let known = match text.strip_prefix("kms:") {
        Some("ReEncrypt") => {
            return Err(Explained::misuse(
                "that is kms:ReEncryptFrom on one key and kms:ReEncryptTo on the other",
            ));
        }
        Some("ReEncryptFrom" | "ReEncryptTo") => true,
        Some(_) => ROUTES.iter().any(|route| route.action == text),
        None => text.starts_with("bulla:"),
    };
    if known {
        Ok(text.to_owned())
    } else {
        Err(Explained::misuse(
            "an operation is kms: or bulla: and its name, as in kms:Decrypt",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_in_words() {
        for (reason, expected) in [
            (
                json!({"policy": "key policy", "statement": 2, "sid": "Stop"}),
                "key policy, statement 2 (Stop)",
            ),
            (
                json!({"policy": "identity policy use", "statement": 0}),
                "identity policy use, statement 0",
            ),
            (json!({"role": "admin"}), "role admin"),
            (json!({"grantId": "f00d"}), "grant f00d"),
        ] {
            assert_eq!(told(&reason), expected);
        }
    }

    #[test]
    fn actions_that_are_decided_on_are_known() {
        for right in ["kms:Decrypt", "kms:ReEncryptTo", "kms:CreateKey", "bulla:ReadAudit"] {
            assert!(action(right).is_ok(), "{right}");
        }
        for wrong in ["Decrypt", "kms:ReEncrypt", "kms:Decrpyt", "kms:*", "s3:GetObject", ""] {
            assert!(action(wrong).is_err(), "{wrong}");
        }
    }
}
