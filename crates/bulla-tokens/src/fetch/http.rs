use std::sync::Arc;

use bulla_crypto::SecretBytes;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::FetchError;

/// The longest answer of a provider, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// An address, or certificates, that nothing can be posted to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Not `https://`, and not `http://` on the loopback interface.
    #[error("an address is https://, or http:// on the loopback interface, without user and fragment")]
    Address,
    /// The certificates can't be read.
    #[error("the certificates of the authorities can't be read")]
    Certificates,
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[source] rustls::Error),
}

/// Posts to one address over TLS; follows no redirect.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: SecretBytes,
}

impl Endpoint {
    /// Checks the address; `ca_pem` are the authorities to trust instead of the system's.
    pub(crate) fn new(url: &str, ca_pem: Option<&[u8]>) -> Result<Self, HttpError> {
        let uri: Uri = url.parse().map_err(|_| HttpError::Address)?;
        let authority = uri.authority().ok_or(HttpError::Address)?;
        let loopback = matches!(authority.host(), "127.0.0.1" | "localhost" | "[::1]");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if loopback => {}
            _ => return Err(HttpError::Address),
        }
        if authority.as_str().contains('@') || url.contains('#') {
            return Err(HttpError::Address);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(ca_pem)?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, uri })
    }

    /// Posts a body; the error says whether it may have arrived.
    pub(crate) async fn post(
        &self,
        content_type: &'static str,
        authorization: Option<HeaderValue>,
        body: Vec<u8>,
    ) -> Result<Answer, FetchError> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            headers.insert(AUTHORIZATION, authorization);
        }
        let answer = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                FetchError::NotSent(Arc::new(error))
            } else {
                FetchError::AnswerLost(Arc::new(error))
            }
        })?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| FetchError::AnswerLost(Arc::from(error)))?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: SecretBytes::from_vec(body.to_bytes().to_vec()),
        })
    }
}

fn tls(ca_pem: Option<&[u8]>) -> Result<ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HttpError::Tls)?;
    let mut roots = RootCertStore::empty();
    match ca_pem {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| HttpError::Certificates)?;
                roots.add(certificate).map_err(|_| HttpError::Certificates)?;
            }
            if roots.is_empty() {
                return Err(HttpError::Certificates);
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_the_machine() {
        for good in [
            "https://auth.example.com/token",
            "http://127.0.0.1:8080/token",
            "http://localhost/t",
        ] {
            assert!(Endpoint::new(good, None).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "/token",
            "http://auth.example.com/token",
            "ftp://localhost/",
            "https://user:secret@auth.example.com/",
            "https://auth.example.com/#x",
        ] {
            assert!(matches!(Endpoint::new(wrong, None), Err(HttpError::Address)), "{wrong}");
        }
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let error = Endpoint::new("https://localhost/", Some(b"nothing")).unwrap_err();
        assert!(matches!(error, HttpError::Certificates));
    }
}
