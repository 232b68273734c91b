//! The fixture of the provider suite for anything that speaks the API of AWS KMS: an emulator, Bulla's own server.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::types::{KeySpec as AwsKeySpec, KeyUsageType};
use bulla_kms::conformance::{Deviation, Fixture};
use bulla_kms::{KeyProvider, KeySpec};

use crate::{AwsConfig, AwsProvider};

/// Fresh keys at an endpoint, made through its API.
///
/// The credentials in the configuration need to be allowed to create, describe, enable and disable keys, to create and
/// update aliases, and to do all that a provider does.
pub struct AwsFixture {
    provider: Arc<AwsProvider>,
    client: Client,
    key: String,
    other_arn: String,
    deviations: &'static [Deviation],
    signing_specs: &'static [KeySpec],
}

impl AwsFixture {
    /// Makes two keys at the endpoint of `config`.
    ///
    /// # Panics
    /// If the endpoint does not do it.
    pub async fn at(config: &AwsConfig, deviations: &'static [Deviation]) -> Self {
        let provider = Arc::new(AwsProvider::connect(config).await.expect("the configuration is sound"));
        let client = Client::new(provider.regions().sdk());
        let (key, _) = create_key(&client).await;
        let (_, other_arn) = create_key(&client).await;
        Self {
            provider,
            client,
            key,
            other_arn,
            deviations,
            signing_specs: &[],
        }
    }

    /// Makes signing keys of these specs where a clause asks for one.
    #[must_use]
    pub fn signing(self, specs: &'static [KeySpec]) -> Self {
        Self {
            signing_specs: specs,
            ..self
        }
    }

    fn alias_name(&self) -> String {
        format!("alias/conformance-{}", self.key)
    }
}

async fn create_key(client: &Client) -> (String, String) {
    let answer = client.create_key().send().await.expect("the endpoint creates a key");
    let metadata = answer.key_metadata.expect("a key that was created is described");
    let arn = metadata.arn.clone().expect("a key that was created has an ARN");
    (metadata.key_id, arn)
}

#[async_trait]
impl Fixture for AwsFixture {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::clone(&self.provider) as _
    }

    fn key(&self) -> String {
        self.key.clone()
    }

    fn other_key(&self) -> String {
        self.other_arn.clone()
    }

    fn unknown_key(&self) -> String {
        "01234567-89ab-4cde-8f01-23456789abcd".to_owned()
    }

    async fn alias(&self) -> Option<String> {
        let alias = self.alias_name();
        let request = self.client.create_alias().alias_name(&alias).target_key_id(&self.key);
        request.send().await.expect("the endpoint creates an alias");
        Some(alias)
    }

    async fn move_alias(&self) {
        let request = self
            .client
            .update_alias()
            .alias_name(self.alias_name())
            .target_key_id(&self.other_arn);
        request.send().await.expect("the endpoint moves an alias");
    }

    async fn switchable_key(&self) -> Option<String> {
        Some(create_key(&self.client).await.0)
    }

    async fn set_enabled(&self, key: &str, enabled: bool) {
        if enabled {
            self.client
                .enable_key()
                .key_id(key)
                .send()
                .await
                .expect("the endpoint enables a key");
        } else {
            self.client
                .disable_key()
                .key_id(key)
                .send()
                .await
                .expect("the endpoint disables a key");
        }
    }

    async fn signing_key(&self, spec: KeySpec) -> Option<String> {
        if !self.signing_specs.contains(&spec) {
            return None;
        }
        let request = self
            .client
            .create_key()
            .key_spec(AwsKeySpec::from(spec.as_str()))
            .key_usage(KeyUsageType::SignVerify);
        let answer = request.send().await.expect("the endpoint creates a signing key");
        answer.key_metadata.map(|metadata| metadata.key_id)
    }

    fn signs(&self) -> bool {
        !self.signing_specs.is_empty()
    }

    fn deviations(&self) -> &'static [Deviation] {
        self.deviations
    }
}
