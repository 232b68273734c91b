use std::fmt;

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;

/// Makes the HTTP client of the SDK: rustls with aws-lc, one pool of connections for all.
pub(crate) fn http_client(endpoint_url: Option<&str>) -> SharedHttpClient {
    let inner = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https();
    match endpoint_url {
        Some(url) => SharedHttpClient::new(RedirectSts {
            inner,
            endpoint_url: url.trim_end_matches('/').to_owned(),
        }),
        None => inner,
    }
}

/// Sends what is meant for AWS's own STS to the configured endpoint.
///
/// An endpoint that is set in the program reaches the SDK's clients, but not the STS clients that its credential chain
/// makes for itself (web identity, the roles of a profile): without this they would talk to AWS behind an emulator's back. The
/// request is already signed, so its `Host` stays the one that was signed.
struct RedirectSts {
    inner: SharedHttpClient,
    endpoint_url: String,
}

struct Redirected {
    inner: SharedHttpConnector,
    endpoint_url: String,
}

impl HttpConnector for Redirected {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if let Some((host, path)) = sts_host(request.uri()) {
            let (host, uri) = (host.to_owned(), format!("{}{path}", self.endpoint_url));
            if request.headers_mut().try_insert("host", host).is_ok() {
                let _ = request.set_uri(uri);
            }
        }
        self.inner.call(request)
    }
}

impl HttpClient for RedirectSts {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Redirected {
            inner,
            endpoint_url: self.endpoint_url.clone(),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }
}

impl fmt::Debug for RedirectSts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedirectSts")
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Redirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redirected")
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// Splits a URI of AWS's STS into host and path.
fn sts_host(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("https://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let of_sts = host.starts_with("sts.") || host.starts_with("sts-fips.");
    let of_aws = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".api.aws",
        ".api.amazonwebservices.com.cn",
    ];
    (of_sts && of_aws.iter().any(|suffix| host.ends_with(suffix))).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_for_sts_is_redirected() {
        assert_eq!(sts_host("https://sts.amazonaws.com/"), Some(("sts.amazonaws.com", "/")));
        assert_eq!(
            sts_host("https://sts.eu-west-1.amazonaws.com"),
            Some(("sts.eu-west-1.amazonaws.com", ""))
        );
        assert_eq!(
            sts_host("https://sts-fips.us-east-1.amazonaws.com/"),
            Some(("sts-fips.us-east-1.amazonaws.com", "/"))
        );
        assert_eq!(
            sts_host("https://sts.eu-west-1.api.aws/"),
            Some(("sts.eu-west-1.api.aws", "/"))
        );
        for uri in [
            "https://kms.eu-west-1.amazonaws.com/",
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.23/v1/credentials",
            "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials",
            "https://sts.example.com/",
            "https://sts.evil.com/sts.amazonaws.com",
        ] {
            assert_eq!(sts_host(uri), None, "{uri}");
        }
    }
}
