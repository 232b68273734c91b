use std::time::Duration;

use bulla_model::{Clock, PrincipalArn, PrincipalName, SystemClock, Timestamp};
use bulla_service::{ApiTokenDescription, Call, Service};
use clap::{Args, Subcommand};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Common, Named, state};
use crate::failure::Explained;
use crate::output::{self, Format};

/// Makes an API token for a user and prints it, once; or manages those there are.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Option<Manage>,
    /// Name of the user
    #[arg(required = true)]
    name: Option<PrincipalName>,
    /// When the token ends: 90d, 12h, 30m, or a moment as 2027-01-31T00:00:00Z; default: never
    #[arg(long, value_name = "WHEN", value_parser = end)]
    expires: Option<Timestamp>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Manage {
    /// Lists the API tokens of a user, without secrets
    List(Named),
    /// Accepts an API token again
    Enable(TokenNamed),
    /// Refuses an API token
    Disable(TokenNamed),
    /// Deletes an API token
    Delete(TokenNamed),
}

#[derive(Debug, Args)]
struct TokenNamed {
    /// Id of the token: bulla_ and 16 characters
    id: String,
    #[command(flatten)]
    common: Common,
}

impl Token {
    pub(super) fn common(&self) -> &Common {
        match &self.command {
            None => &self.common,
            Some(Manage::List(named)) => &named.common,
            Some(Manage::Enable(token) | Manage::Disable(token) | Manage::Delete(token)) => &token.common,
        }
    }

    pub(super) async fn carry_out(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        match (&self.command, &self.name) {
            (None, Some(name)) => self.create(service, call, name).await,
            (None, None) => Err(Explained::misuse("no user was named").into()),
            (Some(Manage::List(named)), _) => list(service, call, named).await,
            (Some(Manage::Enable(token)), _) => Ok(service.set_api_token_enabled(call, &token.id, true).await?),
            (Some(Manage::Disable(token)), _) => Ok(service.set_api_token_enabled(call, &token.id, false).await?),
            (Some(Manage::Delete(token)), _) => Ok(service.delete_api_token(call, &token.id).await?),
        }
    }

    async fn create(&self, service: &Service, call: &Call, name: &PrincipalName) -> Result<(), anyhow::Error> {
        let arn = PrincipalArn::user(call.caller.account(), name);
        let made = service.create_api_token(call, arn, self.expires).await?;
        let token = std::str::from_utf8(made.token.expose_secret())?;
        match self.common.output {
            Format::Json => output::json(&json!({
                "Arn": made.principal,
                "TokenId": made.id,
                "Token": token,
                "Expires": made.expires.map(|end| end.to_string()),
            }))?,
            Format::Text => output::line(&format!(
                "user      {}\ntoken id  {}\nexpires   {}\ntoken     {token}",
                made.principal,
                made.id,
                shown(made.expires)
            ))?,
        }
        output::say("the token is shown this once");
        Ok(())
    }
}

async fn list(service: &Service, call: &Call, named: &Named) -> Result<(), anyhow::Error> {
    let arn = PrincipalArn::user(call.caller.account(), &named.name);
    let all = service.list_api_tokens(call, arn).await?;
    if named.common.output == Format::Json {
        let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        let describe = |one: &ApiTokenDescription| json!({"TokenId": one.id, "Arn": one.principal, "Enabled": one.enabled, "Created": one.created.to_string(), "Expires": moment(one.expires), "LastUsed": moment(one.last_used)});
        let list: Vec<_> = all.iter().map(describe).collect();
        return output::json(&json!({ "Tokens": list }));
    }
    let row = |one: &ApiTokenDescription| {
        let (created, end, used) = (one.created.to_string(), shown(one.expires), shown(one.last_used));
        vec![one.id.clone(), state(one.enabled), created, end, used]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    output::table(&["TOKEN ID", "STATE", "CREATED", "EXPIRES", "LAST USED"], &rows)
}

fn shown(moment: Option<Timestamp>) -> String {
    moment.map_or_else(|| "never".to_owned(), |moment| moment.to_string())
}

/// Reads `90d`, `12h`, `30m` from now on, or a moment.
fn end(text: &str) -> Result<Timestamp, Explained> {
    let wrong = || Explained::misuse("an end is a time from now (90d, 12h, 30m) or a moment (2027-01-31T00:00:00Z)");
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        let micros = moment.unix_timestamp_nanos() / 1000;
        return i64::try_from(micros).map(Timestamp::from_micros).map_err(|_| wrong());
    }
    let (number, seconds) = [("d", 86_400), ("h", 3_600), ("m", 60)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let after = Duration::from_secs(u64::from(number) * seconds);
    let micros = i64::try_from(after.as_micros()).map_err(|_| wrong())?;
    Ok(SystemClock.now().plus_micros(micros))
}
