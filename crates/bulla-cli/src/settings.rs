//! Settings: a flag beats a variable, a variable beats a file, a file beats the default; an unknown key is an error.
//!
//! The only module that reads the environment.

mod environment;
mod registry;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use serde::Deserialize;
use toml::{Table, Value};

pub(crate) use environment::Environment;
use registry::Kind;
pub(crate) use registry::{LEGACY, SETTINGS, Setting, setting_of};

use bulla_model::PrincipalArn;

use crate::failure::Explained;

/// Every setting, from wherever it came.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where state is kept.
    pub(crate) store: StoreSettings,
    /// What wraps the store key.
    pub(crate) root: RootSettings,
    /// The listener.
    pub(crate) server: ServerSettings,
    /// The log.
    pub(crate) log: LogSettings,
    /// How commands reach a service.
    pub(crate) client: ClientSettings,
    /// The audit log.
    pub(crate) audit: AuditSettings,
    /// The Temporal codec in `bulla serve`.
    pub(crate) codec: CodecSettings,
    /// Issuers whose tokens are believed.
    pub(crate) oidc: OidcSettings,
    /// The token vault.
    pub(crate) tokens: TokenSettings,
}

/// `[store]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSettings {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) database: Option<String>,
    pub(crate) lock_timeout_seconds: Option<u32>,
    pub(crate) read_connections: Option<u32>,
}

/// `[root]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RootSettings {
    pub(crate) key: Option<String>,
    pub(crate) second: Option<String>,
}

/// `[server]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerSettings {
    pub(crate) listen: Option<String>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) behind_tls_proxy: bool,
    pub(crate) trusted_proxies: Option<String>,
    pub(crate) connections_per_client: Option<u32>,
    pub(crate) regions: Option<String>,
    pub(crate) dev_hosts: Option<String>,
    pub(crate) dev_allow_remote: bool,
    pub(crate) worker_threads: Option<usize>,
}

/// `[log]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    pub(crate) format: Option<LogFormat>,
    pub(crate) filter: Option<String>,
}

/// `[client]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientSettings {
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
}

/// `[audit]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSettings {
    pub(crate) public_key: Option<String>,
}

/// `[codec]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CodecSettings {
    pub(crate) table: Option<PathBuf>,
}

/// `[tokens]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenSettings {
    pub(crate) store: Option<String>,
    pub(crate) cluster: bool,
    pub(crate) without_tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) prefix: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) table: Option<PathBuf>,
    pub(crate) poll_seconds: Option<u32>,
    pub(crate) call_price: Option<String>,
}

/// `[oidc]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OidcSettings {
    pub(crate) ca: Option<PathBuf>,
    /// In files alone: a variable has no room for them.
    pub(crate) issuers: Vec<IssuerSettings>,
}

/// `[[oidc.issuers]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerSettings {
    pub(crate) url: String,
    pub(crate) audiences: Vec<String>,
    #[serde(default)]
    pub(crate) principals: Vec<MappingSettings>,
}

/// `[[oidc.issuers.principals]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappingSettings {
    pub(crate) claim: Option<String>,
    pub(crate) pattern: String,
    pub(crate) principal: PrincipalArn,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings given as flags, by their keys in the registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(Vec<(&'static str, Value)>);

impl Flags {
    /// Adds a flag that was given.
    pub(crate) fn set(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.push((key, value.into()));
        }
    }

    /// Adds a path that was given.
    pub(crate) fn set_path(&mut self, key: &'static str, path: Option<&Path>) -> Result<(), anyhow::Error> {
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| Explained::misuse(format!("the path {} is not UTF-8", path.display())))
        };
        self.set(key, path.map(text).transpose()?);
        Ok(())
    }

    /// Adds a switch, where it was given.
    pub(crate) fn set_switch(&mut self, key: &'static str, given: bool) {
        self.set(key, given.then_some(true));
    }
}

impl Settings {
    /// Name of the settings file that `init` writes into a data directory.
    pub(crate) const FILE_NAME: &str = "bulla.toml";

    /// Reads all layers: the data directory's own file, then `--config`, then variables, then flags.
    ///
    /// # Errors
    /// A file that can't be read, an unknown key or variable, a value of a wrong kind.
    pub(crate) fn load(
        environment: &Environment,
        config: Option<&Path>,
        flags: &Flags,
    ) -> Result<Settings, anyhow::Error> {
        let (upper, placed) = upper_layers(environment, config, flags)?;
        let own = placed.store.data_dir.or_else(|| environment.default_data_dir());
        let mut all = Table::new();
        if let Some(dir) = &own {
            match read_file(&dir.join(Self::FILE_NAME)) {
                Ok(table) => merge(&mut all, table),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        merge(&mut all, upper);
        let mut settings = Settings::deserialize(all).map_err(|error| Explained::misuse(first_line(&error)))?;
        settings.store.data_dir = own;
        Ok(settings)
    }

    /// Tells whether a data directory is named, by a flag, a variable or the file `config`, and not taken by default.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn name_a_data_dir(
        environment: &Environment,
        config: Option<&Path>,
        flags: &Flags,
    ) -> Result<bool, anyhow::Error> {
        let (_, placed) = upper_layers(environment, config, flags)?;
        Ok(placed.store.data_dir.is_some())
    }

    /// Where the server listens unless told otherwise.
    pub(crate) fn listen(&self) -> &str {
        self.server.listen.as_deref().unwrap_or("127.0.0.1:4599")
    }

    /// The service that commands talk to.
    pub(crate) fn endpoint(&self) -> &str {
        self.client.endpoint.as_deref().unwrap_or("http://127.0.0.1:4599")
    }

    /// The data directory.
    ///
    /// # Errors
    /// None was named, and there is no home directory to have a default in.
    pub(crate) fn data_dir(&self) -> Result<&Path, anyhow::Error> {
        self.store.data_dir.as_deref().ok_or_else(|| {
            Explained::misuse("no data directory was named")
                .hint("name one with --data-dir or BULLA_DATA_DIR")
                .into()
        })
    }

    /// Reads a setting that is a list with commas.
    ///
    /// # Errors
    /// Something between the commas is not what the setting takes.
    pub(crate) fn list<T: FromStr>(key: &str, text: Option<&str>) -> Result<Vec<T>, anyhow::Error> {
        text.unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse()
                    .map_err(|_| Explained::misuse(format!("{key}: {part} is none")).into())
            })
            .collect()
    }
}

/// The layers over the data directory's own file, as they are and as read.
fn upper_layers(
    environment: &Environment,
    config: Option<&Path>,
    flags: &Flags,
) -> Result<(Table, Settings), anyhow::Error> {
    let mut upper = Table::new();
    if let Some(path) = config {
        merge(&mut upper, read_file(path)?);
    }
    merge(&mut upper, variables(environment)?);
    for (key, value) in &flags.0 {
        insert(&mut upper, key, value.clone());
    }
    let read = Settings::deserialize(upper.clone()).map_err(|error| Explained::misuse(first_line(&error)))?;
    Ok((upper, read))
}

/// Variables of the form `BULLA_<SECTION>__<NAME>` that set nothing: a mistyped setting must not be ignored.
fn variables(environment: &Environment) -> Result<Table, anyhow::Error> {
    if let Some(unknown) = environment
        .names()
        .find(|name| is_ours(name) && setting_of(name).is_none())
    {
        return Err(
            Explained::misuse(format!("the variable {unknown} is no setting of bulla"))
                .hint("bulla doctor --settings lists them all")
                .into(),
        );
    }
    let mut table = Table::new();
    for setting in SETTINGS {
        let names = [Some(setting.variable), setting.short];
        let Some((name, text)) = names
            .into_iter()
            .flatten()
            .find_map(|name| Some((name, environment.get(name)?)))
        else {
            continue;
        };
        let value = match setting.kind {
            Kind::Text => Some(Value::from(text)),
            Kind::Flag => text.parse::<bool>().ok().map(Value::from),
            Kind::Count => text.parse::<u32>().ok().map(|count| Value::from(i64::from(count))),
        };
        let wanted = match setting.kind {
            Kind::Text => "a text",
            Kind::Flag => "true or false",
            Kind::Count => "a whole number",
        };
        let value = value.ok_or_else(|| Explained::misuse(format!("the variable {name} is not {wanted}")))?;
        insert(&mut table, setting.key, value);
    }
    Ok(table)
}

/// Tells whether a variable has the form of a setting.
pub(crate) fn is_ours(name: &str) -> bool {
    name.strip_prefix("BULLA_").is_some_and(|rest| rest.contains("__"))
}

/// Reads a settings file and checks its keys, so that an error names the file.
fn read_file(path: &Path) -> Result<Table, anyhow::Error> {
    let text = fs::read_to_string(path).with_context(|| format!("reading the settings file {}", path.display()))?;
    let table: Table = text
        .parse()
        .map_err(|error| Explained::misuse(format!("the settings file {}: {}", path.display(), first_line(&error))))?;
    Settings::deserialize(table.clone())
        .map_err(|error| Explained::misuse(format!("the settings file {}: {}", path.display(), first_line(&error))))?;
    Ok(table)
}

fn is_absent(error: &anyhow::Error) -> bool {
    let absent = |error: &std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    error.downcast_ref::<std::io::Error>().is_some_and(absent)
}

fn first_line(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or_default().to_owned()
}

fn insert(table: &mut Table, key: &str, value: Value) {
    if let Some((section, name)) = key.split_once('.') {
        let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(name.to_owned(), value);
        }
    }
}

fn merge(into: &mut Table, from: Table) {
    for (section, values) in from {
        match (into.get_mut(&section), values) {
            (Some(Value::Table(old)), Value::Table(new)) => old.extend(new),
            (_, values) => {
                into.insert(section, values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)], file: &str, flags: &Flags) -> Result<Settings, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.toml");
        fs::write(&path, file).expect("written");
        Settings::load(&Environment::of(environment), Some(&path), flags).map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_beats_a_variable_which_beats_a_file_which_beats_the_default() {
        let file = "[server]\nlisten = 'file:1'\n";
        let variable = [("BULLA_SERVER__LISTEN", "variable:1")];
        let mut flags = Flags::default();
        assert_eq!(load(&[], "", &flags).expect("settings").listen(), "127.0.0.1:4599");
        assert_eq!(load(&[], file, &flags).expect("settings").listen(), "file:1");
        assert_eq!(load(&variable, file, &flags).expect("settings").listen(), "variable:1");
        flags.set("server.listen", Some("flag:1"));
        assert_eq!(load(&variable, file, &flags).expect("settings").listen(), "flag:1");
    }

    #[test]
    fn unknown_keys_and_variables_are_errors() {
        let error = load(&[], "[server]\nlissten = 'x'\n", &Flags::default()).expect_err("unknown");
        assert!(error.contains("x.toml") && error.contains("lissten"), "{error}");
        let error = load(&[], "[sever]\n", &Flags::default()).expect_err("unknown");
        assert!(error.contains("sever"), "{error}");
        let error = load(&[("BULLA_SERVER__LISSTEN", "x")], "", &Flags::default()).expect_err("unknown");
        assert!(error.contains("BULLA_SERVER__LISSTEN"), "{error}");
    }

    #[test]
    fn a_long_variable_beats_its_short_form_and_an_empty_one_is_none() {
        let both = [
            ("BULLA_ENDPOINT", "http://short"),
            ("BULLA_CLIENT__ENDPOINT", "http://long"),
        ];
        assert_eq!(
            load(&both, "", &Flags::default()).expect("settings").endpoint(),
            "http://long"
        );
        let empty = [("BULLA_ENDPOINT", "http://short"), ("BULLA_CLIENT__ENDPOINT", "")];
        assert_eq!(
            load(&empty, "", &Flags::default()).expect("settings").endpoint(),
            "http://short"
        );
    }

    #[test]
    fn a_variable_of_a_wrong_kind_is_an_error_that_does_not_repeat_its_value() {
        let error =
            load(&[("BULLA_SERVER__WORKER_THREADS", "s3cret")], "", &Flags::default()).expect_err("not a number");
        assert_eq!(error, "the variable BULLA_SERVER__WORKER_THREADS is not a whole number");
    }

    #[test]
    fn every_setting_of_the_registry_is_a_key_of_a_file_and_the_reverse() {
        for setting in SETTINGS {
            let value = match setting.kind {
                Kind::Text if setting.key == "log.format" => "'json'",
                Kind::Text => "'x'",
                Kind::Flag => "true",
                Kind::Count => "7",
            };
            let (section, name) = setting.key.split_once('.').expect("section.name");
            load(&[], &format!("[{section}]\n{name} = {value}\n"), &Flags::default()).expect(setting.key);
        }
        // Serde names the keys that it knows in the error about one that it does not.
        for section in ["store", "root", "server", "log", "client", "audit", "codec", "tokens"] {
            let error = load(&[], &format!("[{section}]\nzzz = 1\n"), &Flags::default()).expect_err("unknown");
            for name in error.split('`').skip(3).step_by(2) {
                assert!(
                    SETTINGS
                        .iter()
                        .any(|setting| setting.key == format!("{section}.{name}")),
                    "{section}.{name}"
                );
            }
        }
    }

    #[test]
    fn a_data_directory_brings_its_own_settings() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(
            dir.path().join(Settings::FILE_NAME),
            "[root]\nkey = 'aws-kms:///alias/root'\n",
        )
        .expect("written");
        let variable = dir.path().to_str().expect("UTF-8");
        let settings = Settings::load(
            &Environment::of(&[("BULLA_DATA_DIR", variable)]),
            None,
            &Flags::default(),
        );
        assert_eq!(
            settings.expect("settings").root.key.as_deref(),
            Some("aws-kms:///alias/root")
        );
    }
}
