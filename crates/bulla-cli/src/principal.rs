mod group;
mod policy;
mod role;
mod tag;
mod token;

use bulla_model::{AccountId, PrincipalArn, PrincipalName, Role};
use bulla_service::{Call, Caller, NewCredentials, Service};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::failure::{CommandResult, Explained, Outcome};
use crate::node::{Site, operator};
use crate::output::{self, Format};
use crate::place::Place;
use crate::process;
use crate::settings::Environment;

/// Manages who may use the service, on its data directory; a running server obeys at once.
#[derive(Debug, Subcommand)]
pub(crate) enum Principal {
    /// Makes a user and prints its first access key, once
    Create(Create),
    /// Lists the users
    List(Common),
    /// Lets a user do again what its role says
    Enable(Named),
    /// Refuses everything that a user asks
    Disable(Named),
    /// Gives a user another role
    SetRole(SetRole),
    /// Gives a user, role or group an identity policy: what it may do, as IAM JSON
    PutPolicy(policy::PutPolicy),
    /// Prints an identity policy of a user, role or group
    GetPolicy(policy::PolicyNamed),
    /// Lists the identity policies of a user, role or group
    ListPolicies(policy::ListPolicies),
    /// Takes an identity policy from a user, role or group
    DeletePolicy(policy::PolicyNamed),
    /// Deletes a user with its access keys and API tokens
    Delete(Named),
    /// Manages the access keys of users
    #[command(subcommand)]
    AccessKey(AccessKey),
    /// Makes an API token for a user and prints it, once; or manages those there are
    Token(token::Token),
    /// Manages roles, which callers assume for a time
    #[command(subcommand)]
    Role(role::RoleCommand),
    /// Manages groups, whose policies their users have, too
    #[command(subcommand)]
    Group(group::Group),
    /// Manages the tags of users and roles, which policies see as aws:PrincipalTag/KEY
    #[command(subcommand)]
    Tag(tag::Tag),
}

/// Manages the access keys of users.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessKey {
    /// Makes another access key for a user and prints it, once
    Create(Named),
    /// Lists the access keys of a user
    List(Named),
    /// Accepts signatures with an access key again
    Enable(KeyNamed),
    /// Refuses signatures with an access key
    Disable(KeyNamed),
    /// Deletes an access key
    Delete(KeyNamed),
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Account of the users, 12 digits; default: the one that init made
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    #[command(flatten)]
    place: Place,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the user: 1 to 64 letters, digits and +=,.@_-
    name: PrincipalName,
    /// What the user may do: admin, auditor or user
    #[arg(long, value_parser = role)]
    role: Role,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct SetRole {
    /// Name of the user
    name: PrincipalName,
    /// What the user may do: admin, auditor or user
    #[arg(long, value_parser = role)]
    role: Role,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name of the user
    name: PrincipalName,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct KeyNamed {
    /// Access key id: AKIA…
    access_key_id: String,
    #[command(flatten)]
    common: Common,
}

impl Principal {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let settings = self.common().place.settings(environment)?;
        process::runtime(Some(1))?.block_on(async {
            let service = Site::find(&settings)?.service(&settings).await?;
            let mut call = operator(&service, None)?;
            if let Some(account) = &self.common().account {
                call.caller = Caller::operator(account.clone());
            }
            let done = self.carry_out(&service, &call).await;
            service.shutdown().await;
            done.map(|()| Outcome::Done)
        })
    }

    fn common(&self) -> &Common {
        match self {
            Principal::List(common) => common,
            Principal::Create(create) => &create.common,
            Principal::SetRole(set) => &set.common,
            Principal::Enable(named) | Principal::Disable(named) | Principal::Delete(named) => &named.common,
            Principal::PutPolicy(put) => &put.common,
            Principal::GetPolicy(policy) | Principal::DeletePolicy(policy) => &policy.common,
            Principal::ListPolicies(list) => &list.common,
            Principal::Token(token) => token.common(),
            Principal::Role(role) => role.common(),
            Principal::Group(group) => group.common(),
            Principal::Tag(tag) => tag.common(),
            Principal::AccessKey(key) => match key {
                AccessKey::Create(named) | AccessKey::List(named) => &named.common,
                AccessKey::Enable(key) | AccessKey::Disable(key) | AccessKey::Delete(key) => &key.common,
            },
        }
    }

    async fn carry_out(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let arn = |name: &PrincipalName| PrincipalArn::user(call.caller.account(), name);
        let format = self.common().output;
        match self {
            Principal::Create(create) => {
                let made = service.create_principal(call, create.name.clone(), create.role).await?;
                print_credentials(format, &made.principal.arn, &made.credentials)
            }
            Principal::List(_) => {
                let all = service.list_principals(call).await?;
                if format == Format::Json {
                    let list: Vec<_> = all
                        .iter()
                        .map(|one| json!({"Arn": one.arn, "Role": one.role.as_str(), "Enabled": one.enabled, "Created": one.created.to_string()}))
                        .collect();
                    return output::json(&json!({ "Principals": list }));
                }
                let rows: Vec<_> = all
                    .iter()
                    .map(|one| {
                        let role = one.role.as_str().to_owned();
                        vec![
                            one.arn.name().to_owned(),
                            role,
                            state(one.enabled),
                            one.created.to_string(),
                            one.arn.to_string(),
                        ]
                    })
                    .collect();
                output::table(&["NAME", "ROLE", "STATE", "CREATED", "ARN"], &rows)
            }
            Principal::Enable(named) => Ok(service.set_principal_enabled(call, arn(&named.name), true).await?),
            Principal::Disable(named) => Ok(service.set_principal_enabled(call, arn(&named.name), false).await?),
            Principal::SetRole(set) => Ok(service.set_principal_role(call, arn(&set.name), set.role).await?),
            Principal::Delete(named) => Ok(service.delete_principal(call, arn(&named.name)).await?),
            Principal::PutPolicy(put) => put.carry_out(service, call).await,
            Principal::GetPolicy(policy) => policy.print(service, call).await,
            Principal::DeletePolicy(policy) => policy.delete(service, call).await,
            Principal::ListPolicies(list) => list.print(service, call).await,
            Principal::Role(role) => role.carry_out(service, call).await,
            Principal::Group(group) => group.carry_out(service, call).await,
            Principal::Tag(tag) => tag.carry_out(service, call).await,
            Principal::AccessKey(key) => key.carry_out(service, call, format).await,
            Principal::Token(token) => token.carry_out(service, call).await,
        }
    }
}

impl AccessKey {
    async fn carry_out(&self, service: &Service, call: &Call, format: Format) -> Result<(), anyhow::Error> {
        let arn = |name: &PrincipalName| PrincipalArn::user(call.caller.account(), name);
        match self {
            AccessKey::Create(named) => {
                let made = service.create_access_key(call, arn(&named.name)).await?;
                print_credentials(format, &made.principal, &made.credentials)
            }
            AccessKey::List(named) => {
                let all = service.list_access_keys(call, arn(&named.name)).await?;
                if format == Format::Json {
                    let list: Vec<_> = all
                        .iter()
                        .map(|one| json!({"AccessKeyId": one.access_key_id, "Arn": one.principal, "Enabled": one.enabled, "Created": one.created.to_string()}))
                        .collect();
                    return output::json(&json!({ "AccessKeys": list }));
                }
                let rows: Vec<_> = all
                    .iter()
                    .map(|one| vec![one.access_key_id.clone(), state(one.enabled), one.created.to_string()])
                    .collect();
                output::table(&["ACCESS KEY ID", "STATE", "CREATED"], &rows)
            }
            AccessKey::Enable(key) => Ok(service.set_access_key_enabled(call, &key.access_key_id, true).await?),
            AccessKey::Disable(key) => Ok(service.set_access_key_enabled(call, &key.access_key_id, false).await?),
            AccessKey::Delete(key) => Ok(service.delete_access_key(call, &key.access_key_id).await?),
        }
    }
}

fn print_credentials(format: Format, arn: &PrincipalArn, made: &NewCredentials) -> Result<(), anyhow::Error> {
    let secret = std::str::from_utf8(made.secret_access_key.expose_secret())?;
    match format {
        Format::Json => output::json(&json!({
            "Version": 1,
            "AccessKeyId": made.access_key_id,
            "SecretAccessKey": secret,
        }))?,
        Format::Text => output::line(&format!(
            "user               {arn}\naccess key id      {}\nsecret access key  {secret}",
            made.access_key_id
        ))?,
    }
    output::say("the secret access key is shown this once");
    Ok(())
}

fn state(enabled: bool) -> String {
    if enabled { "enabled" } else { "disabled" }.to_owned()
}

fn role(text: &str) -> Result<Role, Explained> {
    text.parse()
        .map_err(|_| Explained::misuse("a role is admin, auditor or user"))
}
