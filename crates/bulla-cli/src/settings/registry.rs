/// One setting: its place in a file, its variable, its default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// `section.name` as in a TOML file.
    pub(crate) key: &'static str,
    /// `BULLA_<SECTION>__<NAME>`.
    pub(crate) variable: &'static str,
    /// A shorter variable, which the long one overrides.
    pub(crate) short: Option<&'static str>,
    /// How a variable's text is read.
    pub(crate) kind: Kind,
    /// What holds where nothing is set, in words.
    pub(crate) default: &'static str,
    /// What it does, in one line.
    pub(crate) about: &'static str,
}

/// How the text of a variable becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count,
}

/// Every setting; the only list: files, variables, `doctor` and `docs/troubleshooting.md` are checked against it.
pub(crate) static SETTINGS: &[Setting] = &[
    setting(
        "store.data_dir",
        "BULLA_STORE__DATA_DIR",
        Some("BULLA_DATA_DIR"),
        Kind::Text,
        "$XDG_STATE_HOME/bulla, else ~/.local/state/bulla",
        "the data directory",
    ),
    setting(
        "store.database",
        "BULLA_STORE__DATABASE",
        None,
        Kind::Text,
        "bulla.db in the data directory",
        "URL of the database: sqlite://…, postgres://…, mysql://…",
    ),
    setting(
        "store.lock_timeout_seconds",
        "BULLA_STORE__LOCK_TIMEOUT_SECONDS",
        None,
        Kind::Count,
        "5",
        "how long a commit waits for another node's",
    ),
    setting(
        "store.read_connections",
        "BULLA_STORE__READ_CONNECTIONS",
        None,
        Kind::Count,
        "4",
        "connections that serve reads",
    ),
    setting(
        "root.key",
        "BULLA_ROOT__KEY",
        None,
        Kind::Text,
        "root.key in the data directory",
        "URI of the root key: local:///path/root.key, aws-kms://…",
    ),
    setting(
        "root.second",
        "BULLA_ROOT__SECOND",
        None,
        Kind::Text,
        "none",
        "URI of a second root key, of another kind, that opens the same store",
    ),
    setting(
        "server.listen",
        "BULLA_SERVER__LISTEN",
        None,
        Kind::Text,
        "127.0.0.1:4599",
        "address and port",
    ),
    setting(
        "server.tls_cert",
        "BULLA_SERVER__TLS_CERT",
        None,
        Kind::Text,
        "none",
        "certificate chain (PEM)",
    ),
    setting(
        "server.tls_key",
        "BULLA_SERVER__TLS_KEY",
        None,
        Kind::Text,
        "none",
        "private key of the certificate (PEM)",
    ),
    setting(
        "server.behind_tls_proxy",
        "BULLA_SERVER__BEHIND_TLS_PROXY",
        None,
        Kind::Flag,
        "false",
        "plain HTTP off loopback, because a proxy in front does TLS",
    ),
    setting(
        "server.trusted_proxies",
        "BULLA_SERVER__TRUSTED_PROXIES",
        None,
        Kind::Text,
        "none",
        "addresses or ranges of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, with commas",
    ),
    setting(
        "server.connections_per_client",
        "BULLA_SERVER__CONNECTIONS_PER_CLIENT",
        None,
        Kind::Count,
        "1024",
        "connections that one client may have at once; trusted proxies any number",
    ),
    setting(
        "server.regions",
        "BULLA_SERVER__REGIONS",
        None,
        Kind::Text,
        "any",
        "regions that are answered, and where replicas of keys can be, with commas",
    ),
    setting(
        "server.dev_hosts",
        "BULLA_SERVER__DEV_HOSTS",
        None,
        Kind::Text,
        "loopback names",
        "further values of Host that --dev answers, with commas",
    ),
    setting(
        "server.dev_allow_remote",
        "BULLA_SERVER__DEV_ALLOW_REMOTE",
        None,
        Kind::Flag,
        "false",
        "lets --dev listen off loopback",
    ),
    setting(
        "server.worker_threads",
        "BULLA_SERVER__WORKER_THREADS",
        None,
        Kind::Count,
        "one per processor",
        "threads that serve requests",
    ),
    setting(
        "log.format",
        "BULLA_LOG__FORMAT",
        None,
        Kind::Text,
        "text",
        "text or json",
    ),
    setting(
        "log.filter",
        "BULLA_LOG__FILTER",
        Some("BULLA_LOG"),
        Kind::Text,
        "info",
        "which events are logged, as in info,bulla_service=debug",
    ),
    setting(
        "client.endpoint",
        "BULLA_CLIENT__ENDPOINT",
        Some("BULLA_ENDPOINT"),
        Kind::Text,
        "http://127.0.0.1:4599",
        "the service that commands talk to",
    ),
    setting(
        "client.region",
        "BULLA_CLIENT__REGION",
        None,
        Kind::Text,
        "the AWS chain's, else us-east-1",
        "region that requests are signed for",
    ),
    setting(
        "client.token_file",
        "BULLA_CLIENT__TOKEN_FILE",
        None,
        Kind::Text,
        "none: the AWS credential chain signs",
        "file that holds an API token, which commands that talk REST show instead of a signature",
    ),
    setting(
        "audit.public_key",
        "BULLA_AUDIT__PUBLIC_KEY",
        None,
        Kind::Text,
        "what the root key vouches for",
        "the audit log's verifier key, or a file that holds it",
    ),
    setting(
        "codec.table",
        "BULLA_CODEC__TABLE",
        None,
        Kind::Text,
        "none: no codec under /codec, but with --dev",
        "file of the codec's namespaces and their keys (docs/temporal.md)",
    ),
    setting(
        "tokens.store",
        "BULLA_TOKENS__STORE",
        Some("REDIS_URL"),
        Kind::Text,
        "none: no tokens under /v1/tokens; with --dev embedded",
        "where tokens are kept: embedded (a file in the data directory), sqlite:///path/tokens.db, redis://…, rediss://…; nodes of a cluster with commas",
    ),
    setting(
        "tokens.cluster",
        "BULLA_TOKENS__CLUSTER",
        None,
        Kind::Flag,
        "false",
        "whether tokens.store is a Redis Cluster",
    ),
    setting(
        "tokens.without_tls",
        "BULLA_TOKENS__WITHOUT_TLS",
        None,
        Kind::Flag,
        "false",
        "lets redis://…, where a password crosses the network in the clear, name another machine",
    ),
    setting(
        "tokens.user",
        "BULLA_TOKENS__USER",
        None,
        Kind::Text,
        "the one in the URL",
        "ACL user of Redis",
    ),
    setting(
        "tokens.password_file",
        "BULLA_TOKENS__PASSWORD_FILE",
        None,
        Kind::Text,
        "$REDIS_AUTH_TOKEN, else the one in the URL",
        "file that holds the password of Redis",
    ),
    setting(
        "tokens.ca",
        "BULLA_TOKENS__CA",
        None,
        Kind::Text,
        "the machine's certificates",
        "certificates (PEM) of the authorities that Redis may have its certificate of",
    ),
    setting(
        "tokens.prefix",
        "BULLA_TOKENS__PREFIX",
        None,
        Kind::Text,
        "bulla:tokens:",
        "beginning of all keys in the store",
    ),
    setting(
        "tokens.key",
        "BULLA_TOKENS__KEY",
        None,
        Kind::Text,
        "aws-kms:///$KMS_KEY_ID if that is set, else bulla:///alias/tokens-{client}",
        "URI of clients' keys, with {client} or {client_hash} where each has one of its own",
    ),
    setting(
        "tokens.table",
        "BULLA_TOKENS__TABLE",
        None,
        Kind::Text,
        "none",
        "file of the keys of single clients, and of how tokens are fetched (docs/tokens.md)",
    ),
    setting(
        "tokens.poll_seconds",
        "BULLA_TOKENS__POLL_SECONDS",
        None,
        Kind::Count,
        "30",
        "how often the state of a client's key is asked for where it is held elsewhere",
    ),
    setting(
        "tokens.call_price",
        "BULLA_TOKENS__CALL_PRICE",
        None,
        Kind::Text,
        "0.03 USD",
        "what 10,000 calls to the key service cost, for the cost that /v1/tokens/stats tells",
    ),
    setting(
        "oidc.ca",
        "BULLA_OIDC__CA",
        None,
        Kind::Text,
        "the machine's certificates",
        "further certificates (PEM) that OIDC issuers may have",
    ),
];

const fn setting(
    key: &'static str,
    variable: &'static str,
    short: Option<&'static str>,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> Setting {
    Setting {
        key,
        variable,
        short,
        kind,
        default,
        about,
    }
}

/// A variable of a system that Bulla replaces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Legacy {
    /// Its name; one that ends in `*` stands for all with that beginning.
    pub(crate) name: &'static str,
    /// What takes its place, in one line.
    pub(crate) replacement: &'static str,
    /// Whether Bulla reads it as it is, through the AWS SDK.
    pub(crate) honoured: bool,
}

/// Every such variable; `doctor` names those that are set.
pub(crate) static LEGACY: &[Legacy] = &[
    replaced(
        "KMS_KEY_ALIAS",
        "read by bulla codec; else bulla seal --key aws-kms:///alias/NAME, or BULLA_ROOT__KEY for the service's own root",
    ),
    replaced(
        "KMS_KEY_ID",
        "read by bulla serve for the tokens of all clients, where there is a store of tokens and no BULLA_TOKENS__KEY; else bulla seal --key aws-kms:///KEY-ID, or BULLA_ROOT__KEY for the service's own root",
    ),
    replaced("KMS_AWS_KEY_ID", "BULLA_ROOT__KEY=aws-kms:///KEY-ID"),
    replaced(
        "KMS_MASTER_KEY",
        "bulla init makes a root key file; an existing key can't be taken over, re-encrypt under a new one",
    ),
    replaced(
        "ENCRYPTION_KEY",
        "bulla init makes a root key file; an existing key can't be taken over, re-encrypt under a new one",
    ),
    replaced("KMS_PROVIDER", "the scheme of BULLA_ROOT__KEY: local:// or aws-kms://"),
    replaced("KMS_USE_AWS", "the scheme of BULLA_ROOT__KEY: aws-kms://"),
    replaced(
        "KMS_AUTH_MODE",
        "the AWS credential chain finds the credentials itself: environment, profile, web identity, Pod Identity, IMDS",
    ),
    replaced(
        "KMS_ROLE_ARN",
        "AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE, or role_arn in an AWS profile",
    ),
    replaced("OIDC_TOKEN_PATH", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    replaced("OIDC_TOKEN", "a file named by AWS_WEB_IDENTITY_TOKEN_FILE"),
    replaced(
        "KMS_ENABLE_CLOUDHSM",
        "bulla key create --provider aws-kms --custom-key-store ID, or the ARN of such a key in BULLA_ROOT__KEY",
    ),
    replaced(
        "KMS_ENABLE_MULTI_REGION",
        "bulla key create --provider aws-kms --multi-region, or a multi-Region key (mrk-…) in BULLA_ROOT__KEY",
    ),
    replaced("KMS_GRACE_DAYS", "bulla key delete --pending-window-days 7..30"),
    replaced(
        "KMS_CACHE_TTL",
        "read by bulla codec; else the library's cache settings (bulla-envelope): the service itself needs none",
    ),
    replaced(
        "DATA_KEY_ROTATION_INTERVAL",
        "read by bulla codec; else the library's maximum age of a data key (bulla-envelope): 5 min unless told",
    ),
    replaced("PORT", "read by bulla codec; else BULLA_SERVER__LISTEN=127.0.0.1:PORT"),
    Legacy {
        name: "REDIS_URL",
        replacement: "read as BULLA_TOKENS__STORE where that is not set",
        honoured: true,
    },
    Legacy {
        name: "REDIS_AUTH_TOKEN",
        replacement: "read as the password of Redis where there is no BULLA_TOKENS__PASSWORD_FILE",
        honoured: true,
    },
    replaced(
        "OTEL_*",
        "GET /metrics (Prometheus) and BULLA_LOG__FORMAT=json; this version sends no telemetry",
    ),
    Legacy {
        name: "AWS_*",
        replacement: "read by the AWS SDK, as everywhere",
        honoured: true,
    },
];

const fn replaced(name: &'static str, replacement: &'static str) -> Legacy {
    Legacy {
        name,
        replacement,
        honoured: false,
    }
}

impl Legacy {
    /// Tells whether a variable is this one.
    pub(crate) fn covers(&self, variable: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(beginning) => variable.starts_with(beginning),
            None => variable == self.name,
        }
    }
}

/// The setting that a variable sets, by its long or its short name.
pub(crate) fn setting_of(variable: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.variable == variable || setting.short == Some(variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_named_after_its_setting() {
        for setting in SETTINGS {
            let (section, name) = setting.key.split_once('.').expect("section.name");
            assert_eq!(
                setting.variable,
                format!("BULLA_{}__{}", section.to_uppercase(), name.to_uppercase())
            );
        }
    }

    #[test]
    fn every_variable_of_the_replaced_systems_is_known() {
        for name in [
            "KMS_KEY_ALIAS",
            "DATA_KEY_ROTATION_INTERVAL",
            "KMS_CACHE_TTL",
            "PORT",
            "REDIS_URL",
            "REDIS_AUTH_TOKEN",
            "KMS_KEY_ID",
            "ENCRYPTION_KEY",
            "KMS_PROVIDER",
            "KMS_AUTH_MODE",
            "KMS_ROLE_ARN",
            "KMS_ENABLE_CLOUDHSM",
            "KMS_ENABLE_MULTI_REGION",
            "OIDC_TOKEN_PATH",
            "OIDC_TOKEN",
            "KMS_MASTER_KEY",
            "KMS_USE_AWS",
            "KMS_AWS_KEY_ID",
            "KMS_GRACE_DAYS",
            "AWS_REGION",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ] {
            assert!(LEGACY.iter().any(|legacy| legacy.covers(name)), "{name}");
        }
        assert!(!LEGACY.iter().any(|legacy| legacy.covers("PORTAL")));
    }

    #[test]
    fn the_document_has_every_setting_and_every_replaced_variable() {
        let document = include_str!("../../../../docs/troubleshooting.md");
        for setting in SETTINGS {
            let short = setting.short.map(|short| format!(", `{short}`")).unwrap_or_default();
            let row = format!(
                "| `{}` | `{}`{short} | {} | {} |",
                setting.key, setting.variable, setting.default, setting.about
            );
            assert!(document.contains(&row), "{row}");
        }
        for legacy in LEGACY {
            let row = format!("| `{}` | {} |", legacy.name, legacy.replacement);
            assert!(document.contains(&row), "{row}");
        }
    }
}
