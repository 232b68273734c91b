//! The codec's table: namespaces with their keys, and who may do what.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bulla_envelope::KeyPattern;
use bulla_kms::KeyProvider;
use bulla_server::codec::{Allow, CodecConfig, CodecOperation, Issuer, Origins, StaticToken};
use bulla_temporal::{
    KeyName, NamespaceKeys, NamespacePattern, Namespaces, OnPlaintext, OnUndecodable, SampleKey, SampleKeys, Unknown,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::NO_ORIGINS;
use crate::failure::Explained;
use crate::node::system_random;
use crate::roots;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Table {
    default_namespace: Option<String>,
    /// `deny`, or the URI of a key.
    unknown: Option<String>,
    allowed_origins: Vec<String>,
    allow_credentials: bool,
    body_limit_bytes: Option<usize>,
    rate_per_second: Option<u32>,
    namespace: Vec<NamespaceRow>,
    sample_key: Vec<SampleKeyRow>,
    token: Vec<TokenRow>,
    issuer: Vec<IssuerRow>,
    allow: Vec<AllowRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceRow {
    pattern: String,
    key: String,
    #[serde(default)]
    decrypt_only: Vec<String>,
    #[serde(default)]
    accept: Vec<String>,
    /// The ids of `[[sample_key]]` rows.
    #[serde(default)]
    sample_keys: Vec<String>,
    on_undecodable: Option<String>,
    on_plaintext: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleKeyRow {
    id: String,
    file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRow {
    principal: String,
    sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerRow {
    preset: Option<String>,
    name: Option<String>,
    issuer: Option<String>,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    algorithms: Vec<String>,
    jwks_url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowRow {
    principal: String,
    namespaces: Vec<String>,
    operations: Vec<String>,
}

impl Table {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, anyhow::Error> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading the table {}", path.display()))?;
        toml::from_str(&text).map_err(|error| {
            let first = error.message().lines().next().unwrap_or_default().to_owned();
            Explained::misuse(format!("the table {}: {first}", path.display())).into()
        })
    }

    /// Whether somebody can show who he is.
    pub(crate) fn names_somebody(&self) -> bool {
        !self.token.is_empty() || !self.issuer.is_empty() || !self.allow.is_empty()
    }

    /// How the codec answers.
    pub(crate) fn codec_config(&self) -> Result<CodecConfig, anyhow::Error> {
        let mut config = CodecConfig {
            origins: NO_ORIGINS,
            credentials: self.allow_credentials,
            ..CodecConfig::default()
        };
        for origin in &self.allowed_origins {
            let bare = origin.split_once("://").filter(|(_, host)| !host.contains('/'));
            if bare.is_none() {
                return Err(misuse(
                    format!("{origin} is no origin"),
                    "write it as in https://ui.example.org",
                ));
            }
        }
        config.origins = Origins::Listed(self.allowed_origins.clone());
        if let Some(name) = &self.default_namespace {
            let parsed = name
                .parse()
                .map_err(|error| anyhow::Error::new(error).context(name.clone()))?;
            config.default_namespace = Some(parsed);
        }
        if let Some(limit) = self.body_limit_bytes {
            if !BODY_LIMITS.contains(&limit) {
                return Err(misuse(format!("body_limit_bytes = {limit}"), "write 1024 to 268435456"));
            }
            config.limits.body_bytes = limit;
        }
        config.rate_per_second = self.rate_per_second.unwrap_or(config.rate_per_second);
        Ok(config)
    }

    /// Builds the providers of all keys; remote ones are not asked anything yet. `own` holds what `bulla:///…` names.
    pub(crate) async fn namespaces(
        &self,
        endpoint: Option<&str>,
        own: Option<&Arc<dyn KeyProvider>>,
    ) -> Result<Namespaces, anyhow::Error> {
        let listed = |id: &String| self.namespace.iter().any(|row| row.sample_keys.contains(id));
        if let Some(row) = self.sample_key.iter().find(|row| !listed(&row.id)) {
            return Err(misuse(
                format!("no namespace has the sample key {}", row.id),
                "list it in sample_keys of each namespace that it may open",
            ));
        }
        let mut rules = Vec::new();
        for row in &self.namespace {
            let pattern: NamespacePattern = row
                .pattern
                .parse()
                .map_err(|error| anyhow::Error::new(error).context(row.pattern.clone()))?;
            let samples = Arc::new(self.samples(&row.sample_keys)?);
            rules.push((pattern, row.keys(endpoint, own, samples).await?));
        }
        let unknown = match self.unknown.as_deref() {
            Some("deny") => Unknown::Deny,
            Some(uri) => {
                let keys = NamespaceKeys::new(key(uri, endpoint, own).await?);
                Unknown::Use(Box::new(keys))
            }
            None => {
                return Err(misuse(
                    "the table does not say what holds for a namespace that it does not name".to_owned(),
                    "write unknown = \"deny\", or the URI of a key",
                ));
            }
        };
        Ok(Namespaces::new(rules, unknown))
    }

    /// Reads the sample keys of these ids: what they sealed is bound to no namespace, so each says which ones it opens with.
    fn samples(&self, ids: &[String]) -> Result<SampleKeys, anyhow::Error> {
        let read = |id: &String| {
            let mut rows = self.sample_key.iter().filter(|row| row.id == *id);
            let (Some(row), None) = (rows.next(), rows.next()) else {
                return Err(misuse(
                    format!("there is not one sample key {id}"),
                    "write one [[sample_key]] with this id",
                ));
            };
            let bytes = std::fs::read(&row.file).map(Zeroizing::new);
            let bytes = bytes.with_context(|| format!("reading the key {}", row.file.display()))?;
            SampleKey::new(&row.id, &bytes).with_context(|| format!("the key {}", row.file.display()))
        };
        let keys = ids.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(SampleKeys::new(keys)?)
    }

    /// Tokens that do not change.
    pub(crate) fn tokens(&self) -> Result<Vec<StaticToken>, anyhow::Error> {
        let read = |row: &TokenRow| {
            let mut sha256 = [0; 32];
            hex::decode_to_slice(&row.sha256, &mut sha256).map_err(|_| {
                misuse(
                    format!("the token of {} has no SHA-256 of 64 hexadecimal digits", row.principal),
                    "printf %s TOKEN | sha256sum",
                )
            })?;
            Ok(StaticToken {
                principal: row.principal.as_str().into(),
                sha256,
            })
        };
        self.token.iter().map(read).collect()
    }

    /// Issuers of tokens.
    pub(crate) fn issuers(&self) -> Result<Vec<Issuer>, anyhow::Error> {
        self.issuer.iter().map(IssuerRow::issuer).collect()
    }

    /// Who may do what.
    pub(crate) fn allow(&self) -> Result<Vec<Allow>, anyhow::Error> {
        let read = |row: &AllowRow| {
            let namespaces = row.namespaces.iter().map(|pattern| pattern.parse());
            let operations = row.operations.iter().map(|name| match name.as_str() {
                "encode" => Ok(CodecOperation::Encode),
                "decode" => Ok(CodecOperation::Decode),
                "rotate" => Ok(CodecOperation::Rotate),
                other => Err(misuse(format!("{other} is no operation"), "encode, decode, rotate")),
            });
            if self.is_of_everybodys_cloud(&row.principal) {
                return Err(misuse(
                    format!(
                        "principal = {}: Temporal Cloud vouches for the users of all its customers",
                        row.principal
                    ),
                    "name each one, as in temporal-cloud/SUBJECT",
                ));
            }
            Ok(Allow {
                principal: row.principal.clone(),
                namespaces: namespaces.collect::<Result<_, _>>()?,
                operations: operations.collect::<Result<_, anyhow::Error>>()?,
            })
        };
        self.allow.iter().map(read).collect()
    }

    /// Whether a principal is a pattern that subjects of Temporal Cloud match, whose issuer and audience all its customers share.
    fn is_of_everybodys_cloud(&self, principal: &str) -> bool {
        let Some(beginning) = principal.strip_suffix('*') else {
            return false;
        };
        let covers = |name: &str| {
            let names = format!("{name}/");
            names.starts_with(beginning) || beginning.starts_with(&names)
        };
        self.issuer.iter().filter_map(IssuerRow::name_in_cloud).any(covers)
    }
}

impl NamespaceRow {
    async fn keys(
        &self,
        endpoint: Option<&str>,
        own: Option<&Arc<dyn KeyProvider>>,
        samples: Arc<SampleKeys>,
    ) -> Result<NamespaceKeys, anyhow::Error> {
        let mut keys = NamespaceKeys::new(key(&self.key, endpoint, own).await?);
        for uri in &self.decrypt_only {
            keys.decrypt_only.push(key(uri, endpoint, own).await?);
        }
        for pattern in &self.accept {
            let pattern = KeyPattern::new(pattern).with_context(|| pattern.clone())?;
            keys.accept.push(pattern);
        }
        keys.samples = samples;
        keys.on_undecodable = match self.on_undecodable.as_deref() {
            None | Some("error") => OnUndecodable::Error,
            Some("pass-through") => OnUndecodable::PassThrough,
            Some(other) => {
                return Err(misuse(
                    format!("on_undecodable = {other}"),
                    "write error or pass-through",
                ));
            }
        };
        keys.on_plaintext = match self.on_plaintext.as_deref() {
            None | Some("pass-through") => OnPlaintext::PassThrough,
            Some("error") => OnPlaintext::Error,
            Some(other) => {
                return Err(misuse(format!("on_plaintext = {other}"), "write pass-through or error"));
            }
        };
        Ok(keys)
    }
}

impl IssuerRow {
    fn issuer(&self) -> Result<Issuer, anyhow::Error> {
        match self.preset.as_deref() {
            Some(PRESET) if self.is_bare() => Ok(Issuer::temporal_cloud()),
            Some(PRESET) => Err(misuse(
                format!("the preset {PRESET} takes nothing beside it"),
                "write an issuer of its own, with name, issuer, audiences and jwks_url",
            )),
            Some(other) => Err(misuse(format!("there is no preset {other}"), PRESET)),
            None => {
                let needed = |value: &Option<String>, name| {
                    value
                        .clone()
                        .ok_or_else(|| Explained::misuse(format!("an issuer has no {name}")))
                };
                let (name, issuer) = (needed(&self.name, "name")?, needed(&self.issuer, "issuer")?);
                let url = needed(&self.jwks_url, "jwks_url")?;
                let issuer = Issuer::new(&name, &issuer, self.audiences.clone(), &self.algorithms, &url);
                Ok(issuer.map_err(|error| Explained::misuse(error.to_string()))?)
            }
        }
    }

    fn is_bare(&self) -> bool {
        let texts = [&self.name, &self.issuer, &self.jwks_url];
        texts.iter().all(|text| text.is_none()) && self.audiences.is_empty() && self.algorithms.is_empty()
    }

    /// What the names of its principals begin with, if it is Temporal Cloud's issuer, by the preset or written out.
    fn name_in_cloud(&self) -> Option<&str> {
        let written = self
            .issuer
            .as_deref()
            .is_some_and(|issuer| issuer == Issuer::TEMPORAL_CLOUD);
        match &self.preset {
            Some(preset) => Some(preset),
            None => self.name.as_deref().filter(|_| written),
        }
    }
}

async fn key(uri: &str, endpoint: Option<&str>, own: Option<&Arc<dyn KeyProvider>>) -> Result<KeyName, anyhow::Error> {
    if let Some((provider, name)) = own.zip(uri.strip_prefix("bulla://")) {
        return Ok(KeyName {
            provider: Arc::clone(provider),
            name: name.strip_prefix('/').unwrap_or(name).to_owned(),
        });
    }
    let key = roots::open(uri, endpoint, None, &system_random()).await?;
    Ok(KeyName {
        provider: key.provider,
        name: key.name,
    })
}

fn misuse(what: String, hint: &str) -> anyhow::Error {
    Explained::misuse(what).hint(hint).into()
}

/// The one preset of an issuer, which is the name of its principals, too.
const PRESET: &str = "temporal-cloud";
const BODY_LIMITS: std::ops::RangeInclusive<usize> = 1024..=256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        toml::from_str(text).expect(text)
    }

    #[test]
    fn the_table_of_the_documentation_is_one() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/temporal.md");
        let document = std::fs::read_to_string(document).expect("the documentation");
        let example = document
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let table = table(example.expect("an example"));
        let config = table.codec_config().expect("settings");
        assert_eq!(config.limits.body_bytes, CodecConfig::default().limits.body_bytes);
        assert_eq!(config.rate_per_second, CodecConfig::default().rate_per_second);
        assert_eq!(table.issuers().expect("issuers").len(), 2);
        assert_eq!(table.tokens().expect("tokens").len(), 1);
        assert_eq!(table.allow().expect("rows").len(), 1);
        assert_eq!(table.namespace[0].accept.len(), 1);
        let pattern = KeyPattern::new(&table.namespace[0].accept[0]);
        assert!(pattern.is_ok());
    }

    #[test]
    fn a_row_for_everybody_of_temporal_cloud_is_refused() {
        let with = |issuer: &str, principal: &str| {
            table(&format!(
                "[[issuer]]\n{issuer}\n[[allow]]\nprincipal = '{principal}'\nnamespaces = ['*']\noperations = ['decode']\n"
            ))
        };
        let preset = "preset = 'temporal-cloud'";
        let written =
            "name = 'cloud'\nissuer = 'https://login.tmprl.cloud/'\naudiences = ['a']\njwks_url = 'https://x/'";
        let other = "name = 'sso'\nissuer = 'https://login.example.org/'\naudiences = ['a']\njwks_url = 'https://x/'";
        for (issuer, principal) in [
            (preset, "temporal-cloud/*"),
            (preset, "temporal-cloud/al*"),
            (preset, "temporal*"),
            (preset, "*"),
            (written, "cloud/*"),
            (written, "*"),
        ] {
            let refused = with(issuer, principal).allow().expect_err(principal).to_string();
            assert!(refused.contains("all its customers"), "{refused}");
        }
        for (issuer, principal) in [
            (preset, "temporal-cloud/auth0|1"),
            (preset, "sso/*"),
            (written, "temporal-cloud/*"),
            (other, "sso/*"),
            (other, "*"),
        ] {
            assert!(with(issuer, principal).allow().is_ok(), "{issuer} {principal}");
        }
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for text in [
            "[[issuer]]\npreset = 'temporal-cloud'\njwks_url = 'https://x/'",
            "[[issuer]]\npreset = 'temporal-cloud'\naudiences = ['x']",
            "[[issuer]]\npreset = 'other'",
            "[[issuer]]\nname = 'sso'",
        ] {
            assert!(table(text).issuers().is_err(), "{text}");
        }
        for limit in ["0", "1023", "268435457"] {
            assert!(
                table(&format!("body_limit_bytes = {limit}")).codec_config().is_err(),
                "{limit}"
            );
        }
        assert!(
            toml::from_str::<Table>("[[allow]]\nprincipal = 'a'\nnamespaces = []\noperations = []\nrole = 'x'")
                .is_err()
        );
    }

    #[tokio::test]
    async fn what_the_samples_sealed_opens_where_their_key_is_listed_and_nowhere_else() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("root.key");
        bulla_kms_local::RootKeyFile::create(&root, &bulla_crypto::SystemRandom).expect("a key");
        let file = dir.path().join("sample");
        std::fs::write(&file, [7; 32]).expect("written");
        let with = |rows: &str| {
            let (root, file) = (root.display(), file.display());
            let rows = rows.replace("KEY", &format!("key = 'local://{root}'"));
            table(&format!(
                "unknown = 'deny'\n{rows}\n[[sample_key]]\nid = 's'\nfile = '{file}'\n"
            ))
        };
        let reads = async |rows: &str| {
            with(rows)
                .namespaces(None, None)
                .await
                .map(drop)
                .map_err(|e| e.to_string())
        };
        let listed = "[[namespace]]\npattern = 'a'\nKEY\nsample_keys = ['s']\n";
        assert_eq!(reads(listed).await, Ok(()));
        let unlisted = reads("[[namespace]]\npattern = 'a'\nKEY\n").await;
        assert!(unlisted.is_err_and(|error| error.contains("no namespace has the sample key s")));
        let unknown = reads(&format!(
            "{listed}[[namespace]]\npattern = 'b'\nKEY\nsample_keys = ['t']\n"
        ))
        .await;
        assert!(unknown.is_err_and(|error| error.contains("sample key t")));
        let odd = reads(&format!("{listed}on_plaintext = 'x'\n")).await;
        assert!(odd.is_err_and(|error| error.contains("on_plaintext = x")));
    }
}
