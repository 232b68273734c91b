use aws_sdk_kms::Client;
use aws_sdk_kms::types::KeyMetadata;
use serde_json::{Value, json};

use super::service::{explain, no_answer};
use crate::output::{self, Format};

/// Lists all keys.
pub(super) async fn list(client: &Client, endpoint: &str, format: Format) -> Result<(), anyhow::Error> {
    let mut pages = client.list_keys().into_paginator().send();
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        for key in page.map_err(|error| explain(error, endpoint))?.keys() {
            let told = client
                .describe_key()
                .key_id(key.key_id().unwrap_or_default())
                .send()
                .await;
            let told = told.map_err(|error| explain(error, endpoint))?;
            let metadata = told.key_metadata().ok_or_else(no_answer)?;
            rows.push(vec![
                metadata.key_id().to_owned(),
                state(metadata),
                metadata.description().unwrap_or_default().to_owned(),
            ]);
            keys.push(document(metadata));
        }
    }
    match format {
        Format::Json => output::json(&json!({ "Keys": keys })),
        Format::Text => output::table(&["KEY ID", "STATE", "DESCRIPTION"], &rows),
    }
}

fn document(metadata: &KeyMetadata) -> Value {
    json!({
        "KeyId": metadata.key_id(),
        "Arn": metadata.arn(),
        "KeyState": metadata.key_state().map(|state| state.as_str()),
        "Enabled": metadata.enabled(),
        "Description": metadata.description(),
        "KeySpec": metadata.key_spec().map(|spec| spec.as_str()),
        "KeyUsage": metadata.key_usage().map(|usage| usage.as_str()),
        "CreationDate": metadata.creation_date().map(ToString::to_string),
        "DeletionDate": metadata.deletion_date().map(ToString::to_string),
    })
}

fn state(metadata: &KeyMetadata) -> String {
    metadata
        .key_state()
        .map(|state| state.as_str().to_owned())
        .unwrap_or_default()
}
