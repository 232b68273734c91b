use std::collections::BTreeMap;

use bulla_model::{PrincipalArn, PrincipalName};
use bulla_service::{Call, Service};
use clap::{Args, Subcommand};

use super::Common;
use super::policy::Kind;
use crate::failure::Explained;
use crate::output::{self, Format};

/// Manages the tags of users and roles, which policies see as aws:PrincipalTag/KEY.
#[derive(Debug, Subcommand)]
pub(crate) enum Tag {
    /// Gives tags, new or over older ones
    Set(Set),
    /// Takes tags away
    Remove(Remove),
    /// Lists the tags
    List(Tagged),
}

#[derive(Debug, Args)]
pub(crate) struct Tagged {
    /// Name of the user or role
    name: PrincipalName,
    /// Whether it is a user's name or a role's
    #[arg(long, value_enum, default_value_t)]
    of: Kind,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    tagged: Tagged,
    /// KEY=VALUE
    #[arg(required = true, value_parser = pair)]
    tags: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    tagged: Tagged,
    /// KEY
    #[arg(required = true)]
    keys: Vec<String>,
}

impl Tag {
    fn tagged(&self) -> &Tagged {
        match self {
            Tag::Set(set) => &set.tagged,
            Tag::Remove(remove) => &remove.tagged,
            Tag::List(tagged) => tagged,
        }
    }

    pub(super) fn common(&self) -> &Common {
        &self.tagged().common
    }

    pub(super) async fn carry_out(&self, service: &Service, call: &Call) -> Result<(), anyhow::Error> {
        let tagged = self.tagged();
        let arn: PrincipalArn = tagged.of.arn(service.account(), &tagged.name);
        match self {
            Tag::Set(set) => {
                let tags: BTreeMap<_, _> = set.tags.iter().cloned().collect();
                Ok(service.tag_principal(call, arn, tags).await?)
            }
            Tag::Remove(remove) => Ok(service.untag_principal(call, arn, remove.keys.clone()).await?),
            Tag::List(_) => {
                let tags = service.principal_tags(call, arn).await?;
                if tagged.common.output == Format::Json {
                    return output::json(&tags);
                }
                let rows: Vec<_> = tags.into_iter().map(|(key, value)| vec![key, value]).collect();
                output::table(&["KEY", "VALUE"], &rows)
            }
        }
    }
}

fn pair(text: &str) -> Result<(String, String), Explained> {
    let wrong = || Explained::misuse("a tag is KEY=VALUE");
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(wrong)?;
    Ok((key.to_owned(), value.to_owned()))
}
