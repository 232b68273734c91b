//! Fetches the keys of OIDC issuers over HTTPS, for the service that knows no HTTP.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bulla_service::{FetchDocument, FetchError, Issuer, MappedPrincipal, OidcSettings};
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::failure::Explained;
use crate::settings::{IssuerSettings, OidcSettings as Section};

const WITHIN: Duration = Duration::from_secs(5);

/// The issuers that the settings name, and what fetches their keys.
///
/// # Errors
/// An issuer that is not reached over TLS, without audiences, or mapped to what is no user or role; certificates that can't be read.
pub(super) fn issuers(settings: &Section) -> Result<OidcSettings, anyhow::Error> {
    if settings.issuers.is_empty() {
        return Ok(OidcSettings::default());
    }
    let documents = HttpDocuments::new(settings.ca.as_deref())?;
    let issuers = settings
        .issuers
        .iter()
        .map(issuer)
        .collect::<Result<Vec<_>, Explained>>()?;
    are_told_apart(&issuers)?;
    Ok(OidcSettings {
        issuers,
        documents: Some(Arc::new(documents)),
    })
}

/// Refuses issuers that trust policies could not tell apart: in an ARN and in condition keys an issuer has neither scheme nor last slash.
fn are_told_apart(issuers: &[Issuer]) -> Result<(), Explained> {
    let mut named = HashMap::new();
    for Issuer { url, .. } in issuers {
        let name = url.split_once("://").map_or(url.as_str(), |(_, name)| name);
        if let Some(other) = named.insert(name.trim_end_matches('/'), url) {
            return Err(
                Explained::misuse(format!("the OIDC issuers {other} and {url} have one name in policies"))
                    .hint("name each issuer once, with all its audiences and principals"),
            );
        }
    }
    Ok(())
}

fn issuer(settings: &IssuerSettings) -> Result<Issuer, Explained> {
    let url = &settings.url;
    if !url.parse::<Uri>().is_ok_and(|uri| may_be_asked(&uri)) || url.contains(['?', '#']) {
        return Err(Explained::misuse(format!("the OIDC issuer {url} is no https URL"))
            .hint("http is for issuers on this machine alone"));
    }
    if settings.audiences.is_empty() {
        return Err(Explained::misuse(format!("the OIDC issuer {url} has no audiences"))
            .hint("name those that its tokens for this service have, as sts.amazonaws.com"));
    }
    let mapped = settings.principals.iter().map(|mapping| {
        let principal = &mapping.principal;
        let is_nobody = principal.name() == "root" || principal.is_group();
        if is_nobody || principal.as_str().starts_with("arn:aws:sts:") {
            return Err(Explained::misuse(format!(
                "{} is no user and no role",
                mapping.principal
            )));
        }
        Ok(MappedPrincipal {
            claim: mapping.claim.clone().unwrap_or_else(|| "sub".to_owned()),
            pattern: mapping.pattern.clone(),
            principal: mapping.principal.clone(),
        })
    });
    Ok(Issuer {
        url: url.clone(),
        audiences: settings.audiences.clone(),
        principals: mapped.collect::<Result<_, _>>()?,
    })
}

/// Whether a URL is one that keys may come from: over TLS, or from this machine.
fn may_be_asked(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => local,
        _ => false,
    }
}

#[derive(Debug)]
struct HttpDocuments {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl HttpDocuments {
    fn new(ca: Option<&Path>) -> Result<Self, anyhow::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            let reading = || format!("reading the certificates of oidc.ca, {}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(reading)? {
                roots.add(certificate.with_context(reading)?).with_context(reading)?;
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    async fn get(&self, uri: Uri, max_bytes: usize) -> Result<Vec<u8>, anyhow::Error> {
        let response = self.client.get(uri).await?;
        // A redirect is not followed: the keys are where the issuer says they are.
        anyhow::ensure!(response.status() == 200, "the answer is {}", response.status());
        let body = Limited::new(response.into_body(), max_bytes).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the document is not whole or too large: {error}"))?;
        Ok(body.to_bytes().to_vec())
    }
}

#[async_trait]
impl FetchDocument for HttpDocuments {
    async fn fetch(&self, url: &str, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
        let failed = |why: String| FetchError(format!("{url}: {why}"));
        let uri: Uri = url.parse().map_err(|_| failed("no URL".to_owned()))?;
        if !may_be_asked(&uri) {
            return Err(failed("no https URL".to_owned()));
        }
        match tokio::time::timeout(WITHIN, self.get(uri, max_bytes)).await {
            Ok(fetched) => fetched.map_err(|error| failed(format!("{error:#}"))),
            Err(_) => Err(failed("no answer in time".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_that_policies_can_not_tell_apart_are_refused_and_mappings_to_nobody() {
        let named = |url: &str, principal: &str| {
            let text = format!(
                r#"{{"url":"{url}","audiences":["a"],"principals":[{{"pattern":"*","principal":"{principal}"}}]}}"#
            );
            issuer(&serde_json::from_str(&text).expect("settings"))
        };
        let ann = "arn:aws:iam::111122223333:user/ann";
        let all =
            |urls: &[&str]| -> Vec<Issuer> { urls.iter().map(|url| named(url, ann).expect("an issuer")).collect() };
        are_told_apart(&all(&["https://a.example", "https://a.example/b", "https://b.example"])).expect("are");
        for same in [
            ["https://a.example", "https://a.example"],
            ["https://a.example", "https://a.example/"],
            ["http://localhost/a", "https://localhost/a"],
        ] {
            are_told_apart(&all(&same)).expect_err("one name");
        }
        for nobody in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:group/staff",
        ] {
            named("https://a.example", nobody).expect_err("nobody");
        }
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (url, expected) in [
            ("https://issuer.example/a", true),
            ("http://localhost:8080/issuer", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]:1/", true),
            ("http://issuer.example/a", false),
            ("http://localhost.example/", false),
            ("file:///etc/passwd", false),
            ("issuer", false),
        ] {
            assert_eq!(
                url.parse::<Uri>().is_ok_and(|uri| may_be_asked(&uri)),
                expected,
                "{url}"
            );
        }
    }
}
