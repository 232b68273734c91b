use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::config::IdentityCache;
use aws_smithy_types::retry::RetryConfig;

use crate::AwsConfig;
use crate::redirect::http_client;

/// Makes what all clients share: credentials and their cache, connections, timeouts, retries.
///
/// Asks no credential provider yet; only an unset region may be asked of the instance's metadata.
pub(crate) async fn load(config: &AwsConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.connect_timeout)
        .operation_attempt_timeout(config.attempt_timeout)
        .operation_timeout(config.operation_timeout)
        .build();
    // A session is loaded through every role in turn, each with its own attempts.
    let load_timeout = config.operation_timeout * (2 + u32::try_from(config.roles.len()).unwrap_or(u32::MAX - 2));
    // The SDK renews at a random point between half of its margin and all of it, so that many hosts do not ask STS at once.
    let renewal_margin = config.session_renewal_margin * 2;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(config.max_attempts))
        .http_client(http_client(config.endpoint_url.as_deref()))
        .identity_cache(
            IdentityCache::lazy()
                .load_timeout(load_timeout)
                .buffer_time(renewal_margin)
                .build(),
        );
    if let Some(region) = config.regions.first() {
        loader = loader.region(Region::new(region.name.clone()));
    }
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &config.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(credentials) = &config.credentials {
        loader = loader.credentials_provider(credentials.0.clone());
    }
    with_roles(loader.load().await, config).await
}

/// Puts the configured roles behind the credentials, each assumed with the session of the one before.
async fn with_roles(base: SdkConfig, config: &AwsConfig) -> SdkConfig {
    let Some(mut credentials) = base.credentials_provider() else {
        return base;
    };
    for role in &config.roles {
        let mut builder = AssumeRoleProvider::builder(&role.role_arn)
            .configure(&base)
            .session_name(&role.session_name)
            .session_length(role.duration);
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        credentials = SharedCredentialsProvider::new(builder.build_from_provider(credentials).await);
    }
    base.into_builder().credentials_provider(credentials).build()
}
