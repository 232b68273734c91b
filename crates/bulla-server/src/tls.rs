//! TLS, with a certificate that can be replaced while the server runs.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsFiles;

/// A certificate or key that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read as PEM.
    #[error("{} holds no {what} that can be read", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not belong together, or the key's kind is not known.
    #[error("certificate and key can't be used together")]
    Unusable(#[source] rustls::Error),
}

/// The certificate that new connections are shown; read again on request, or when its files change.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<Option<[SystemTime; 2]>>,
}

impl Certificate {
    /// Reads the files.
    pub(crate) fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let seen = modified(&files);
        let current = read(&files, &provider)?;
        Ok(Arc::new(Self {
            files,
            provider,
            current: ArcSwap::from_pointee(current),
            seen: Mutex::new(seen),
        }))
    }

    /// Makes the configuration of a listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        self.server_config_for(None)
    }

    /// The same, and with `client_authority` it verifies the certificates of clients that show one.
    pub(crate) fn server_config_for(
        self: &Arc<Self>,
        client_authority: Option<&Path>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(client_verifier(path, &self.provider)?),
        };
        let mut config = builder.with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reads the files again. Where they can't be used, the certificate stays as it is.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let seen = modified(&self.files);
        let result = read(&self.files, &self.provider);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        self.current.store(Arc::new(result?));
        Ok(())
    }

    /// Reads the files again if they changed since they were last read, and says whether they did.
    pub(crate) fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let changed = *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != modified(&self.files);
        if changed {
            self.reload()?;
        }
        Ok(changed)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Believes certificates that the authorities in a file signed; a client need not have one.
fn client_verifier(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let failed = |source| TlsError::File {
        path: path.to_owned(),
        what: "certificate",
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
        roots.add(certificate.map_err(failed)?).map_err(TlsError::Unusable)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = builder.allow_unauthenticated().build();
    verifier.map_err(|error| TlsError::Unusable(rustls::Error::General(error.to_string())))
}

/// Looks for a change of the files from time to time, and reads them again where there is one.
pub(crate) async fn watch(certificate: Option<&Arc<Certificate>>) -> Infallible {
    let Some(certificate) = certificate else {
        std::future::pending().await
    };
    loop {
        tokio::time::sleep(certificate.files.poll).await;
        let certificate = certificate.clone();
        match tokio::task::spawn_blocking(move || certificate.reload_if_changed()).await {
            Ok(Ok(true)) => tracing::info!("the certificate was read again"),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the changed certificate can't be used: the old one stays");
            }
            Ok(Ok(false)) | Err(_) => {}
        }
    }
}

/// When the files were last written; `None` while one of them is missing, as between the two steps of a replacement.
fn modified(files: &TlsFiles) -> Option<[SystemTime; 2]> {
    let of = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    Some([of(&files.certificates)?, of(&files.key)?])
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let failed = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::File { path, what, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed(&files.certificates, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(failed(&files.key, "private key"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Unusable)
}
