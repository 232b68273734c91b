//! The vault's table: keys of single clients, and how tokens are fetched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bulla_envelope::KeyPattern;
use bulla_tokens::fetch::{ClientAuthentication, ClientCredentials, Fetcher, OAuthClient, RefreshToken};
use bulla_tokens::{ClientId, Provider, TokenName, TokenRef};
use serde::Deserialize;

use super::misuse;
use super::port::Fetchers;
use crate::failure::Explained;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Table {
    client: Vec<ClientRow>,
    fetch: Vec<FetchRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientRow {
    id: String,
    key: String,
    /// Keys that what is there may be sealed under from before.
    #[serde(default)]
    former: Vec<String>,
}

/// The key of a single client.
pub(crate) struct SingleKey {
    pub(crate) client: ClientId,
    pub(crate) key: String,
    pub(crate) former: Vec<KeyPattern>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FetchRow {
    /// All clients where it is missing.
    client: Option<String>,
    provider: String,
    name: Option<String>,
    grant: Grant,
    token_url: String,
    client_id: String,
    secret: Option<Secret>,
    #[serde(default)]
    authentication: Authentication,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    default_ttl_seconds: Option<u32>,
    ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Grant {
    ClientCredentials,
    RefreshToken,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Authentication {
    #[default]
    Basic,
    Body,
}

/// The token of the vault that is a client's secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    client: String,
    provider: String,
    name: Option<String>,
}

impl Table {
    /// Reads the file.
    ///
    /// # Errors
    /// It can't be read, or is none.
    pub(crate) fn read(path: &Path) -> Result<Self, anyhow::Error> {
        let text = fs::read_to_string(path).with_context(|| format!("reading the table {}", path.display()))?;
        toml::from_str(&text).map_err(|error| {
            let first = error.message().lines().next().unwrap_or_default().to_owned();
            Explained::misuse(format!("the table {}: {first}", path.display())).into()
        })
    }

    /// Keys of single clients.
    ///
    /// # Errors
    /// A client's name that is none, or is there twice; a former key that is none.
    pub(crate) fn client_keys(&self) -> Result<Vec<SingleKey>, anyhow::Error> {
        let mut keys: Vec<SingleKey> = Vec::with_capacity(self.client.len());
        for row in &self.client {
            let client = client(&row.id)?;
            if keys.iter().any(|other| other.client == client) {
                return Err(Explained::misuse(format!("the client {client} has two keys")).into());
            }
            let former = row.former.iter().map(|key| KeyPattern::new(key.as_str()));
            let former = former.collect::<Result<_, _>>();
            keys.push(SingleKey {
                former: former.map_err(|error| misuse(&format!("a former key of {client}"), &error))?,
                key: row.key.clone(),
                client,
            });
        }
        Ok(keys)
    }

    /// How tokens are fetched.
    ///
    /// # Errors
    /// A name or an address that is none.
    pub(crate) fn fetchers(&self) -> Result<Fetchers, anyhow::Error> {
        let mut fetchers = Fetchers::default();
        for row in &self.fetch {
            let of = row.client.as_deref().map(client).transpose()?;
            fetchers.add(
                of,
                provider(&row.provider)?,
                token_name(row.name.as_deref())?,
                row.fetcher()?,
            );
        }
        Ok(fetchers)
    }
}

impl FetchRow {
    fn fetcher(&self) -> Result<Arc<dyn Fetcher>, anyhow::Error> {
        let read = |path: &PathBuf| fs::read(path).with_context(|| format!("reading {}", path.display()));
        let authorities = self.ca.as_ref().map(read).transpose()?;
        let oauth = OAuthClient::with_authorities(&self.token_url, &self.client_id, authorities.as_deref());
        let mut oauth = oauth
            .map_err(|error| misuse(&format!("the token_url of {}", self.provider), &error))?
            .with_scopes(self.scopes.iter().cloned());
        for (name, value) in &self.parameters {
            oauth = oauth.with_parameter(name, value);
        }
        if let Some(seconds) = self.default_ttl_seconds {
            oauth = oauth.with_default_ttl(Duration::from_secs(seconds.into()));
        }
        if let Some(secret) = &self.secret {
            let authentication = match self.authentication {
                Authentication::Basic => ClientAuthentication::Basic,
                Authentication::Body => ClientAuthentication::Body,
            };
            let secret = TokenRef::new(client(&secret.client)?, provider(&secret.provider)?)
                .named(token_name(secret.name.as_deref())?);
            oauth = oauth.with_secret(secret, authentication);
        }
        Ok(match self.grant {
            Grant::ClientCredentials => Arc::new(ClientCredentials::new(oauth)),
            Grant::RefreshToken => Arc::new(RefreshToken::new(oauth)),
        })
    }
}

fn client(name: &str) -> Result<ClientId, anyhow::Error> {
    ClientId::new(name).map_err(|error| misuse("the table", &error))
}

fn provider(name: &str) -> Result<Provider, anyhow::Error> {
    Provider::new(name).map_err(|error| misuse("the table", &error))
}

fn token_name(name: Option<&str>) -> Result<TokenName, anyhow::Error> {
    let Some(name) = name else {
        return Ok(TokenName::default());
    };
    TokenName::new(name).map_err(|error| misuse("the table", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_document_is_one() {
        let document = include_str!("../../../../docs/tokens.md");
        let table = document
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let table: Table = toml::from_str(table.expect("the document shows a table")).expect("a table");
        assert_eq!(table.client_keys().expect("keys").len(), 1);
        assert!(format!("{:?}", table.fetchers().expect("fetchers")).contains("stripe"));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for wrong in [
            "[[client]]\nid = 'a'\n",
            "[[client]]\nid = 'a'\nkey = 'x'\nalias = 'y'\n",
            "[[fetch]]\nprovider = 'p'\ngrant = 'password'\ntoken_url = 'https://x/'\nclient_id = 'c'\n",
        ] {
            assert!(toml::from_str::<Table>(wrong).is_err(), "{wrong}");
        }
        let twice = "[[client]]\nid = 'a'\nkey = 'x'\n[[client]]\nid = 'a'\nkey = 'y'\n";
        let table: Table = toml::from_str(twice).expect("a table");
        assert!(table.client_keys().is_err());
        let plain = "[[fetch]]\nprovider = 'p'\ngrant = 'client_credentials'\ntoken_url = 'http://example.org/'\nclient_id = 'c'\n";
        let table: Table = toml::from_str(plain).expect("a table");
        assert!(table.fetchers().is_err(), "no secret goes over plain HTTP");
    }

    #[test]
    fn former_keys_of_a_client_are_named_beside_its_key() {
        let read = |former: &str| -> Result<Vec<SingleKey>, anyhow::Error> {
            let row = format!("[[client]]\nid = \"acme\"\nkey = \"bulla:///alias/new\"\nformer = [{former:?}]\n");
            toml::from_str::<Table>(&row)?.client_keys()
        };
        let former = "bulla://arn:aws:kms:eu-west-1:111122223333:key/1234";
        let keys = read(former).expect("a table");
        assert_eq!(keys[0].former, [KeyPattern::new(former).expect("a key")]);
        for wrong in ["", "alias/old", "bulla:///alias/old"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
