//! Key URIs become providers here, and nowhere else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bulla_crypto::{Context, Random};
use bulla_kms::{KeyProvider, KeyUri, KeyUsage};
use bulla_kms_aws::{AwsConfig, AwsProvider, AwsRegion};
use bulla_kms_local::{KeyFileKind, LocalConfig, LocalError, LocalErrorKind, LocalProvider};
use bulla_service::Root;

use crate::data_dir::DataDir;
use crate::failure::Explained;
use crate::settings::Settings;

/// A key that a URI named: its provider, and its name there.
#[derive(Debug, Clone)]
pub(crate) struct NamedKey {
    pub(crate) provider: Arc<dyn KeyProvider>,
    pub(crate) name: String,
}

/// Which kind of key a URI names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A root key file.
    Local(PathBuf),
    /// A key in AWS KMS, or in what speaks its API.
    Aws(String),
}

/// Reads a key URI.
///
/// # Errors
/// It is none, or its provider is not built.
pub(crate) fn parse(uri: &str) -> Result<Kind, anyhow::Error> {
    let parsed: KeyUri = uri
        .parse()
        .map_err(|error| Explained::misuse(format!("{uri}: {error}")))?;
    match parsed.scheme() {
        "local" if Path::new(parsed.name()).is_absolute() => Ok(Kind::Local(PathBuf::from(parsed.name()))),
        "local" => Err(
            Explained::misuse(format!("{uri}: the path of a root key file is absolute"))
                .hint("write local:///path/to/root.key, with three slashes")
                .into(),
        ),
        "aws-kms" => Ok(Kind::Aws(parsed.name().to_owned())),
        "bulla" => Err(
            Explained::misuse(format!("{uri}: a bulla key is reached over its service's AWS API"))
                .hint(format!(
                    "write aws-kms:///{} and --endpoint http://127.0.0.1:4599",
                    parsed.name()
                ))
                .into(),
        ),
        other => Err(Explained::misuse(format!("{uri}: there is no provider {other}"))
            .hint("write local:///path/to/root.key or aws-kms:///alias/name")
            .into()),
    }
}

/// Builds the provider of a key; a remote one is not asked anything yet. `region` is where an alias or a bare id is looked up.
///
/// # Errors
/// It can't be built.
pub(crate) async fn open(
    uri: &str,
    endpoint: Option<&str>,
    region: Option<&str>,
    random: &Arc<dyn Random>,
) -> Result<NamedKey, anyhow::Error> {
    match parse(uri)? {
        Kind::Local(path) => {
            let provider = open_local(&path, random)?;
            Ok(NamedKey {
                provider: Arc::new(provider),
                name: path.to_string_lossy().into_owned(),
            })
        }
        Kind::Aws(name) => Ok(NamedKey {
            provider: Arc::new(aws(endpoint, region).await?),
            name,
        }),
    }
}

/// Builds the provider of a key that signs; a remote one is not asked anything yet.
///
/// # Errors
/// It can't be built.
pub(crate) async fn open_signing(
    uri: &str,
    endpoint: Option<&str>,
    region: Option<&str>,
    random: &Arc<dyn Random>,
) -> Result<NamedKey, anyhow::Error> {
    match parse(uri)? {
        Kind::Local(path) => Ok(NamedKey {
            provider: Arc::new(open_signing_file(&path, random)?),
            name: path.to_string_lossy().into_owned(),
        }),
        Kind::Aws(name) => Ok(NamedKey {
            provider: Arc::new(aws(endpoint, region).await?),
            name,
        }),
    }
}

/// Reads a signing key from its file.
///
/// # Errors
/// It can't be used.
pub(crate) fn open_signing_file(path: &Path, random: &Arc<dyn Random>) -> Result<LocalProvider, anyhow::Error> {
    let config = LocalConfig {
        signing_key_files: vec![path.to_owned()],
        ..LocalConfig::default()
    };
    LocalProvider::open(&config, Arc::clone(random)).map_err(explain_signing)
}

/// Says what to do about a signing key file that can't be made or used.
pub(crate) fn explain_signing(error: LocalError) -> anyhow::Error {
    let hint = match error.kind {
        LocalErrorKind::Missing => "make one with bulla key create --provider local --spec ECC_NIST_P256 --file FILE",
        kind => kind.hint(),
    };
    let misuse = matches!(error.kind, LocalErrorKind::OtherSpec);
    let explained = if misuse {
        Explained::misuse("the signing key was not made")
    } else {
        Explained::new("the signing key can't be used")
    };
    anyhow::Error::new(error).context(explained.hint(hint))
}

/// Refuses a key that is known to be for something else than wrapping data keys, before it is asked for one.
///
/// A key that can't be described is left to say so itself when it is used.
///
/// # Errors
/// The key is for something else.
pub(crate) async fn check_wraps(key: &NamedKey, uri: &str) -> Result<(), anyhow::Error> {
    if !key.provider.capabilities().remote {
        return Ok(());
    }
    match key
        .provider
        .describe(&key.name)
        .await
        .map(|described| (described.spec, described.usage))
    {
        Ok((spec, Some(usage))) if usage != KeyUsage::EncryptDecrypt => {
            let spec = spec.map_or_else(|| "unknown".to_owned(), |spec| spec.to_string());
            let what = format!("{uri} is a key of spec {spec} for {usage}, and gives no data keys");
            let hint = "name a key of spec SYMMETRIC_DEFAULT; bulla sign signs with this one";
            Err(Explained::misuse(what).hint(hint).into())
        }
        _ => Ok(()),
    }
}

/// Builds the provider of a key and shows that it answers.
///
/// # Errors
/// It can't be built, or the key can't be used; the error says who has to mend what.
pub(crate) async fn connect(uri: &str, random: &Arc<dyn Random>) -> Result<NamedKey, anyhow::Error> {
    let Kind::Aws(name) = parse(uri)? else {
        return open(uri, None, None, random).await;
    };
    let provider = aws(None, None).await?;
    provider.probe(&name, &Context::empty()).await.map_err(|error| {
        let hint = error.problem.hint();
        anyhow::Error::new(error).context(Explained::new(format!("the key {uri} can't be used")).hint(hint))
    })?;
    Ok(NamedKey {
        provider: Arc::new(provider),
        name,
    })
}

async fn aws(endpoint: Option<&str>, region: Option<&str>) -> Result<AwsProvider, anyhow::Error> {
    let region = region
        .map(|name| AwsRegion::parse(name).map_err(|error| Explained::misuse(format!("client.region: {error}"))))
        .transpose()?;
    let config = AwsConfig {
        endpoint_url: endpoint.map(str::to_owned),
        // None is the AWS chain's own.
        regions: region.into_iter().collect(),
        ..AwsConfig::default()
    };
    AwsProvider::connect(&config).await.context("setting up AWS KMS")
}

fn open_local(path: &Path, random: &Arc<dyn Random>) -> Result<LocalProvider, anyhow::Error> {
    let config = LocalConfig {
        root_key_files: vec![path.to_owned()],
        ..LocalConfig::default()
    };
    LocalProvider::open(&config, Arc::clone(random)).map_err(|error| explain_local(error, path))
}

/// Says what to do about a root key file that can't be used.
pub(crate) fn explain_local(error: LocalError, path: &Path) -> anyhow::Error {
    let hint = match error.kind {
        LocalErrorKind::OtherKind(KeyFileKind::SigningKey) => "bulla sign signs with it".to_owned(),
        LocalErrorKind::Missing => format!(
            "put {} back from its backup, or use bulla root recover with the second root or the recovery shares",
            path.display()
        ),
        kind => kind.hint().to_owned(),
    };
    anyhow::Error::new(error).context(Explained::new("the root key can't be used").hint(hint))
}

/// URI of the root key: as set, else the file in the data directory.
pub(crate) fn root_uri(settings: &Settings, dir: Option<&DataDir>) -> Result<String, anyhow::Error> {
    if let Some(uri) = &settings.root.key {
        return Ok(uri.clone());
    }
    let dir = dir.ok_or_else(|| Explained::misuse("no root key is set").hint("set BULLA_ROOT__KEY"))?;
    local_uri(&dir.root_key())
}

/// URI of a root key file.
pub(crate) fn local_uri(path: &Path) -> Result<String, anyhow::Error> {
    let absolute = std::path::absolute(path).with_context(|| format!("finding {}", path.display()))?;
    let text = absolute
        .to_str()
        .ok_or_else(|| Explained::misuse(format!("{} is not UTF-8", absolute.display())))?;
    Ok(format!("local://{text}"))
}

impl From<NamedKey> for Root {
    fn from(key: NamedKey) -> Root {
        Root {
            provider: key.provider,
            key: key.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_uris_name_a_provider_that_exists_or_are_explained() {
        assert_eq!(parse("local:///k/root.key").unwrap(), Kind::Local("/k/root.key".into()));
        assert_eq!(parse("aws-kms:///alias/app").unwrap(), Kind::Aws("alias/app".into()));
        let arn = "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/mrk-1";
        assert_eq!(
            parse(arn).unwrap(),
            Kind::Aws(arn.trim_start_matches("aws-kms://").into())
        );
        for wrong in [
            "",
            "root.key",
            "local://root.key",
            "gcp-kms://projects/x",
            "bulla:///alias/app",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
