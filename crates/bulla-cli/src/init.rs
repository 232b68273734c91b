use std::path::PathBuf;
use std::sync::Arc;

use bulla_kms_local::RootKeyFile;
use bulla_model::{AccountId, PrincipalName, Region, SystemClock};
use bulla_service::{InitialiseSettings, Initialised, Mode, Root, Service};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use crate::data_dir::{DataDir, Unfinished};
use crate::failure::{CommandResult, Explained, Outcome};
use crate::node::{Site, explain_open, system_random};
use crate::output::{self, Format};
use crate::place::Place;
use crate::process;
use crate::recovery::{RecoveryKey, RecoveryProvider, Split, split};
use crate::roots::{connect, explain_local, local_uri};
use crate::settings::{Environment, Settings};

/// Creates a data directory and a service in it, and prints the administrator's access key, once.
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    place: Place,
    /// Root key: local (a new root.key in the data directory), local:///path (new unless it exists) or aws-kms://…; default: the
    /// setting root.key, else local
    #[arg(long, value_name = "URI")]
    root: Option<String>,
    /// A second root key, of another kind, that opens the same store when the first is lost; default: the setting root.second
    #[arg(long, value_name = "URI")]
    second_root: Option<String>,
    /// Prints recovery shares, of which K out of N bring a lost root key back
    #[arg(long, value_name = "K/N")]
    recovery_shares: Option<Split>,
    /// Account of the service: 12 digits; drawn unless given
    #[arg(long, value_name = "DIGITS")]
    account: Option<AccountId>,
    /// Name of the administrator
    #[arg(long, value_name = "NAME", default_value = "admin")]
    administrator: PrincipalName,
    /// Region in the first audit event
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    region: Region,
    /// json is the form of the AWS CLI's credential_process
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// What was made, and is printed once.
struct Made {
    service: Initialised,
    shares: Vec<Zeroizing<String>>,
    /// Content of the directory's settings file.
    settings: String,
    /// Neither a second root nor shares open the store.
    one_root: bool,
}

/// A root key file in the data directory.
const LOCAL: &str = "local";

impl Init {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let settings = self.settings(environment)?;
        // Said before anything is made: a wrong URI leaves nothing behind.
        let first = settings.root.key.as_deref().filter(|root| *root != LOCAL);
        for uri in first.into_iter().chain(settings.root.second.as_deref()) {
            crate::roots::parse(uri)?;
        }
        let dir = DataDir::new(std::path::absolute(settings.data_dir()?)?);
        let unfinished = dir.begin()?;
        // Once more: the file that an init before this one left in the directory is gone now, and sets nothing.
        let settings = self.settings(environment)?;
        let made = process::runtime(Some(1))?.block_on(self.make(&unfinished, &settings));
        let printed = made.and_then(|made| self.print(unfinished.dir(), &made).map(|()| made));
        match printed {
            Ok(made) => {
                unfinished.finish(Mode::Production, &made.settings, &made.service.verifier_key)?;
                Ok(Outcome::Done)
            }
            Err(error) => {
                unfinished.abandon()?;
                Err(error)
            }
        }
    }

    fn settings(&self, environment: &Environment) -> Result<Settings, anyhow::Error> {
        let mut flags = self.place.flags()?;
        flags.set("root.key", self.root.clone());
        flags.set("root.second", self.second_root.clone());
        Settings::load(environment, self.place.config.as_deref(), &flags)
    }

    async fn make(&self, unfinished: &Unfinished, settings: &Settings) -> Result<Made, anyhow::Error> {
        let random = system_random();
        let mut file = toml::Table::new();
        let mut roots = vec![first_root(unfinished.dir(), settings, &mut file).await?];
        if let Some(uri) = &settings.root.second {
            new_root_key_file(uri)?;
            roots.push(connect(uri, &random).await?.into());
            file.insert("second".into(), uri.as_str().into());
        }
        let mut shares = Vec::new();
        if let Some(how) = self.recovery_shares {
            let key = RecoveryKey::generate(random.as_ref())?;
            shares = split(&key, how, random.as_ref())?
                .iter()
                .map(|share| share.dangerous_to_text())
                .collect();
            let provider = RecoveryProvider::new(&key, Arc::clone(&random))?;
            let key = provider.key_name().to_owned();
            roots.push(Root {
                provider: Arc::new(provider),
                key,
            });
        }
        let one_root = roots.len() == 1;
        let site = Site {
            dir: Some(unfinished.dir().clone()),
            mode: Mode::Production,
        };
        let store = site.store(settings, false).await?;
        let initialise = InitialiseSettings {
            mode: Mode::Production,
            account: self.account.clone(),
            administrator: self.administrator.clone(),
            origin: None,
            region: self.region.clone(),
        };
        let service = Service::initialise(store.clone(), &roots, Arc::new(SystemClock), random, initialise).await;
        store.close().await;
        Ok(Made {
            service: service.map_err(explain_open)?,
            shares,
            settings: settings_file(file, settings)?,
            one_root,
        })
    }

    fn print(&self, dir: &DataDir, made: &Made) -> Result<(), anyhow::Error> {
        let credentials = &made.service.credentials;
        let secret = std::str::from_utf8(credentials.secret_access_key.expose_secret())?;
        if self.output == Format::Json {
            let mut document = json!({
                "Version": 1,
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": secret,
            });
            if !made.shares.is_empty() {
                document["RecoveryShares"] = made.shares.iter().map(|share| share.as_str()).collect();
            }
            output::json(&document)?;
        } else {
            let mut text = format!(
                "data directory     {}\naccount            {}\nadministrator      {}\naccess key id      {}\nsecret access key  {secret}\naudit public key   {}\n",
                dir.path().display(),
                made.service.account,
                made.service.administrator,
                credentials.access_key_id,
                made.service.verifier_key,
            );
            for share in &made.shares {
                text.push_str(share);
                text.push('\n');
            }
            output::bytes(Zeroizing::new(text).as_bytes())?;
        }
        output::say("the secret access key is shown this once");
        if let Some(split) = self.recovery_shares {
            output::say(&format!(
                "the recovery shares are shown this once: give them to {} people; any {} of them bring the root key back",
                split.total, split.threshold
            ));
        } else if made.one_root {
            output::say(
                "there is no second root and there are no recovery shares: who loses the root key loses everything",
            );
        }
        Ok(())
    }
}

async fn first_root(dir: &DataDir, settings: &Settings, file: &mut toml::Table) -> Result<Root, anyhow::Error> {
    let uri = match settings.root.key.as_deref() {
        None | Some(LOCAL) => local_uri(&dir.root_key())?,
        Some(uri) => {
            file.insert("key".into(), uri.into());
            uri.to_owned()
        }
    };
    new_root_key_file(&uri)?;
    Ok(connect(&uri, &system_random()).await?.into())
}

/// Makes the root key file that a URI names, unless it exists or is none.
fn new_root_key_file(uri: &str) -> Result<(), anyhow::Error> {
    let crate::roots::Kind::Local(path) = crate::roots::parse(uri)? else {
        return Ok(());
    };
    if path.exists() {
        return Ok(());
    }
    RootKeyFile::create(&path, system_random().as_ref())
        .map(drop)
        .map_err(|error| explain_local(error, &path))
}

/// What `serve` must know to find its root and its database again.
fn settings_file(root: toml::Table, settings: &Settings) -> Result<String, anyhow::Error> {
    let mut file = toml::Table::new();
    if !root.is_empty() {
        file.insert("root".into(), root.into());
    }
    if let Some(url) = &settings.store.database {
        let mut store = toml::Table::new();
        store.insert("database".into(), absolute_database(url)?.into());
        file.insert("store".into(), store.into());
    }
    if file.is_empty() {
        Ok(String::new())
    } else {
        Ok(toml::to_string(&file)?)
    }
}

/// A SQLite file named by a relative path is named by its whole path: `serve` may run elsewhere.
fn absolute_database(url: &str) -> Result<String, anyhow::Error> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    match path {
        Some(path) if !path.starts_with(['/', ':']) => {
            let path: PathBuf = std::path::absolute(path)?;
            let text = path
                .to_str()
                .ok_or_else(|| Explained::misuse("the database's path is not UTF-8"))?;
            Ok(format!("sqlite://{text}"))
        }
        _ => Ok(url.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_sqlite_path_is_kept_as_the_whole_path() {
        let here = std::env::current_dir().unwrap();
        let whole = format!("sqlite://{}/x.db", here.display());
        assert_eq!(absolute_database("sqlite:x.db").unwrap(), whole);
        assert_eq!(absolute_database("sqlite://x.db").unwrap(), whole);
        for as_it_is in ["sqlite:///var/x.db", "postgres://h/d", "mysql://h/d"] {
            assert_eq!(absolute_database(as_it_is).unwrap(), as_it_is);
        }
    }
}
