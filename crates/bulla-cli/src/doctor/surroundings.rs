use bulla_service::Mode;
use serde_json::json;

use super::finding::{Finding, Kind};
use super::readable;
use crate::output::{self, Format};
use crate::serve::server_config;
use crate::settings::{Environment, LEGACY, SETTINGS, Setting, Settings, is_ours, setting_of};

/// What the environment's variables say that nobody hears.
pub(super) fn variables(environment: &Environment) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in environment.names() {
        let unknown = name.starts_with("BULLA_") && setting_of(name).is_none() && !name.starts_with("BULLA_TEST_");
        if unknown && !is_ours(name) {
            let what = format!("the variable {name} sets nothing");
            found.push(Finding::new(
                Kind::UnknownVariable,
                what,
                "settings are BULLA_<SECTION>__<NAME>, as in BULLA_SERVER__LISTEN",
            ));
        }
        if let Some(legacy) = LEGACY.iter().find(|legacy| legacy.covers(name) && !legacy.honoured) {
            let what = format!("the variable {name} is set, and bulla does not read it");
            found.push(Finding::new(
                Kind::LegacyVariable,
                what,
                format!("instead: {}", legacy.replacement),
            ));
        }
    }
    found
}

/// Whether a server would listen as configured.
pub(super) fn listener(settings: &Settings, found: &mut Vec<Finding>) {
    let config = match server_config(&settings.server, settings.listen(), Mode::Production) {
        Ok(config) => config,
        Err(error) => {
            found.push(Finding::new(
                Kind::SettingsInvalid,
                format!("{error:#}"),
                "mend the setting",
            ));
            return;
        }
    };
    if !config.listen.ip().to_canonical().is_loopback() && config.tls.is_none() && !config.behind_tls_proxy {
        found.push(Finding::new(
            Kind::ListenerExposed,
            format!(
                "{} is not loopback, and there is no TLS: bulla serve refuses it",
                config.listen
            ),
            "set server.tls_cert and server.tls_key, or server.behind_tls_proxy",
        ));
    }
    if let Some(tls) = &config.tls {
        for path in [&tls.certificates, &tls.key] {
            if let Err(error) = readable(path) {
                let what = format!("{} can't be read: {error}", path.display());
                found.push(Finding::new(
                    Kind::TlsUnusable,
                    what,
                    "let the user that runs bulla read it",
                ));
            }
        }
    }
}

/// Prints the registry of settings.
pub(super) fn print_settings(format: Format) -> Result<(), anyhow::Error> {
    if format == Format::Json {
        let list = SETTINGS.iter().map(|setting| {
            json!({
                "Setting": setting.key,
                "Variable": setting.variable,
                "ShortVariable": setting.short,
                "Default": setting.default,
                "About": setting.about,
            })
        });
        return output::json(&json!({ "Settings": list.collect::<Vec<_>>() }));
    }
    let cells = |setting: &Setting| {
        [setting.key, setting.variable, setting.default, setting.about]
            .map(str::to_owned)
            .to_vec()
    };
    output::table(
        &["SETTING", "VARIABLE", "DEFAULT", "WHAT"],
        &SETTINGS.iter().map(cells).collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(pairs: &[(&str, &str)]) -> Vec<String> {
        let found = variables(&Environment::of(pairs));
        found
            .iter()
            .map(|finding| format!("{} {}", finding.kind.id(), finding.what))
            .collect()
    }

    #[test]
    fn variables_that_nobody_hears_are_named_without_their_values() {
        let found = ids(&[
            ("PORT", "s3cret"),
            ("KMS_MASTER_KEY", "s3cret"),
            ("BULLA_LISTEN", "s3cret"),
            ("HOME", "/"),
        ]);
        assert_eq!(
            found,
            [
                "unknown-variable the variable BULLA_LISTEN sets nothing",
                "legacy-variable the variable KMS_MASTER_KEY is set, and bulla does not read it",
                "legacy-variable the variable PORT is set, and bulla does not read it",
            ]
        );
    }

    #[test]
    fn variables_that_are_honoured_are_not_named() {
        assert!(
            ids(&[
                ("AWS_REGION", "x"),
                ("REDIS_URL", "redis://x"),
                ("REDIS_AUTH_TOKEN", "x"),
                ("BULLA_LOG", "info"),
                ("BULLA_DATA_DIR", "/x"),
                ("PORT", "")
            ])
            .is_empty()
        );
    }
}
