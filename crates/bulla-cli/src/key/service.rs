//! The service that holds the keys: this program's, or AWS.

use aws_config::BehaviorVersion;
use aws_config::meta::region::RegionProviderChain;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Region;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use bulla_kms::{KmsError, KmsErrorKind};
use bulla_kms_aws::{AwsConfig, AwsFault, AwsProvider, AwsRegion, FaultOrigin, NewKeyError};

use super::{Common, Provider};
use crate::failure::Explained;
use crate::settings::Settings;

/// Ways to one service.
pub(crate) struct Service {
    /// For what is asked as it is.
    pub(crate) client: Client,
    /// For what is checked first.
    pub(crate) provider: AwsProvider,
    /// Its place, for people.
    pub(crate) place: String,
}

impl Service {
    /// Makes ready to ask; nothing is asked yet.
    ///
    /// # Errors
    /// The region or the endpoint is none.
    pub(crate) async fn new(common: &Common, settings: &Settings) -> Result<Self, anyhow::Error> {
        let (endpoint, default_region) = match common.provider {
            Provider::AwsKms => (common.endpoint.clone(), None),
            Provider::Bulla | Provider::Local => (Some(settings.endpoint().to_owned()), Some("us-east-1")),
        };
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(endpoint) = &endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let chain = RegionProviderChain::first_try(settings.client.region.clone().map(Region::new))
            .or_default_provider()
            .or_else(default_region.map(Region::new));
        let sdk = loader.region(chain).load().await;
        let region = sdk.region().map(|region| AwsRegion::parse(region.as_ref())).transpose();
        let region = region.map_err(|error| Explained::misuse(error.to_string()))?;
        let config = AwsConfig {
            endpoint_url: endpoint.clone(),
            regions: region.into_iter().collect(),
            ..AwsConfig::default()
        };
        let provider = AwsProvider::connect(&config).await;
        Ok(Self {
            client: Client::new(&sdk),
            provider: provider.map_err(|error| Explained::misuse(error.to_string()))?,
            place: endpoint.unwrap_or_else(|| "AWS".to_owned()),
        })
    }

    /// Says what a refusal of the provider means, and what to do about it.
    pub(crate) fn explain(&self, error: KmsError) -> anyhow::Error {
        let place = &self.place;
        let source = error.source.as_deref();
        if let Some(contradiction) = source.and_then(|source| source.downcast_ref::<NewKeyError>()) {
            return Explained::misuse(contradiction.to_string()).into();
        }
        let explained = match source.and_then(|source| source.downcast_ref::<AwsFault>()) {
            Some(fault) if fault.origin == FaultOrigin::NoCredentials => {
                Explained::new("there are no credentials to sign with").hint(CREDENTIALS)
            }
            Some(fault) if fault.origin == FaultOrigin::Transport => {
                Explained::new(format!("the service at {place} can't be reached"))
                    .hint("start it with bulla serve, or name another with --endpoint or BULLA_ENDPOINT")
            }
            _ if error.kind == KmsErrorKind::AccessDenied => Explained::new("that is not permitted")
                .hint("use the access key that bulla init or bulla principal printed, or ask for the permission"),
            _ => Explained::new(format!("the service at {place} did not do it")),
        };
        anyhow::Error::new(error).context(explained)
    }
}

const CREDENTIALS: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile; a service started with --dev accepts any";

/// A service whose answer is not one.
pub(crate) fn no_answer() -> Explained {
    Explained::new("the service's answer lacks the key").hint("is this the endpoint of a key service")
}

/// Says what an answer of the SDK means, and what to do about it.
pub(crate) fn explain<E, R>(error: SdkError<E, R>, endpoint: &str) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if let Some(refusal) = error.as_service_error() {
        let code = refusal.code().unwrap_or("an error without a name");
        let what = match refusal.message() {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        };
        let mut explained = Explained::new(what);
        if matches!(
            code,
            "UnrecognizedClientException" | "InvalidSignatureException" | "IncompleteSignatureException"
        ) {
            explained = explained.hint("use the access key that bulla init or bulla principal printed");
        }
        return explained.into();
    }
    let explained = match &error {
        SdkError::ConstructionFailure(_) => Explained::new("the request can't be signed").hint(CREDENTIALS),
        SdkError::TimeoutError(_) => Explained::new(format!("the service at {endpoint} did not answer in time")),
        SdkError::DispatchFailure(failure) if failure.is_other() => {
            Explained::new("there are no credentials to sign with").hint(CREDENTIALS)
        }
        SdkError::DispatchFailure(_) => Explained::new(format!("the service at {endpoint} can't be reached"))
            .hint("start it with bulla serve, or name another with --endpoint or BULLA_ENDPOINT"),
        _ => Explained::new(format!("the answer of {endpoint} is not that of a key service")),
    };
    anyhow::Error::new(error).context(explained)
}
