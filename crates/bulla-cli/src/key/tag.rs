use aws_sdk_kms::Client;
use aws_sdk_kms::types::Tag as AwsTag;
use clap::{Args, Subcommand};
use serde_json::json;

use super::service::explain;
use super::{Common, Named};
use crate::output::{self, Format};

/// Manages the tags of a key.
#[derive(Debug, Subcommand)]
pub(crate) enum Tag {
    /// Gives a key tags, in place of those of the same names
    Set(Set),
    /// Takes tags from a key
    Remove(Remove),
    /// Lists the tags of a key
    List(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Key id or key ARN
    key: String,
    /// The tags
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Key id or key ARN
    key: String,
    /// The tags' names
    #[arg(required = true, value_name = "KEY")]
    names: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Tag {
    pub(super) fn common(&self) -> &Common {
        match self {
            Tag::Set(set) => &set.common,
            Tag::Remove(remove) => &remove.common,
            Tag::List(named) => &named.common,
        }
    }

    pub(super) async fn carry_out(&self, client: &Client, place: &str) -> Result<(), anyhow::Error> {
        match self {
            Tag::Set(set) => {
                let tags = set
                    .tags
                    .iter()
                    .map(|(key, value)| AwsTag::builder().tag_key(key).tag_value(value).build());
                let tags = tags.collect::<Result<Vec<_>, _>>()?;
                let done = client.tag_resource().key_id(&set.key).set_tags(Some(tags)).send().await;
                done.map(drop).map_err(|error| explain(error, place))
            }
            Tag::Remove(remove) => {
                let request = client.untag_resource().key_id(&remove.key);
                let done = request.set_tag_keys(Some(remove.names.clone())).send().await;
                done.map(drop).map_err(|error| explain(error, place))
            }
            Tag::List(named) => {
                let mut pages = client.list_resource_tags().key_id(&named.key).into_paginator().send();
                let (mut rows, mut tags) = (Vec::new(), Vec::new());
                while let Some(page) = pages.next().await {
                    for tag in page.map_err(|error| explain(error, place))?.tags() {
                        rows.push(vec![tag.tag_key().to_owned(), tag.tag_value().to_owned()]);
                        tags.push(json!({ "TagKey": tag.tag_key(), "TagValue": tag.tag_value() }));
                    }
                }
                match named.common.output {
                    Format::Json => output::json(&json!({ "Tags": tags })),
                    Format::Text => output::table(&["KEY", "VALUE"], &rows),
                }
            }
        }
    }
}

/// Reads `key=value`; the value may be empty.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write a tag as key=value".to_owned()),
    }
}
