use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use redis::{ConnectionAddr, IntoConnectionInfo as _};

/// Where Redis is, and how to talk to it.
pub struct RedisConfig {
    /// `redis://` or `rediss://`, host, port and database; user and password may be in it. Several where it is a cluster.
    pub urls: Vec<String>,
    /// Whether it is a cluster; then the URLs are where its nodes are asked for, and the first says user, password and TLS.
    pub cluster: bool,
    /// Lets a connection without TLS leave the machine: the password and what is sealed then cross the network in the clear.
    pub dangerous_without_tls: bool,
    /// The ACL user; overrides the URL's.
    pub user: Option<String>,
    /// The password; overrides the URL's.
    pub password: Option<SecretBytes>,
    /// Certificates of the authorities to trust, in PEM; the system's where there are none.
    pub ca_pem: Option<Vec<u8>>,
    /// How long connecting may take. Default 2 s.
    pub connect_timeout: Duration,
    /// How long an answer may take. Default 2 s.
    pub response_timeout: Duration,
}

/// Settings of Redis that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConfigError {
    /// No URL, or more than one without a cluster.
    #[error("a single server has one URL, a cluster at least one")]
    Urls,
    /// A URL that is none, or not of Redis.
    #[error("not a URL of Redis: redis:// or rediss://, host, port and database")]
    Url,
    /// Another machine, without TLS, and nobody said that this is meant.
    #[error("a Redis on another machine is talked to over TLS: use rediss://")]
    WithoutTls,
    /// A password that is not UTF-8.
    #[error("the password of Redis is not UTF-8")]
    Password,
    /// Certificates for a connection without TLS.
    #[error("certificates are given for a connection without TLS: use rediss://")]
    CertificatesWithoutTls,
    /// Certificates that can't be read, or a client that can't be made of all this.
    #[error("the settings of Redis can't be used")]
    Unusable(#[source] redis::RedisError),
}

impl RedisConfig {
    /// Describes one server.
    pub fn server(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            cluster: false,
            dangerous_without_tls: false,
            user: None,
            password: None,
            ca_pem: None,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
        }
    }

    /// Describes a cluster by some of its nodes.
    pub fn cluster(urls: impl IntoIterator<Item = String>) -> Self {
        Self {
            urls: urls.into_iter().collect(),
            cluster: true,
            ..Self::server("")
        }
    }

    /// Reads the URLs, with user and password put where they belong.
    pub(super) fn connections(&self) -> Result<Vec<redis::ConnectionInfo>, RedisConfigError> {
        if self.urls.is_empty() || (!self.cluster && self.urls.len() > 1) {
            return Err(RedisConfigError::Urls);
        }
        self.urls.iter().map(|url| self.connection(url)).collect()
    }

    fn connection(&self, url: &str) -> Result<redis::ConnectionInfo, RedisConfigError> {
        // The library's error would quote the URL, and with it the password.
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        let tls = match scheme {
            Some("redis" | "valkey") => false,
            Some("rediss" | "valkeys") => true,
            _ => return Err(RedisConfigError::Url),
        };
        if url.contains('#') {
            // `#insecure` would switch off the check of certificates.
            return Err(RedisConfigError::Url);
        }
        if self.ca_pem.is_some() && !tls {
            return Err(RedisConfigError::CertificatesWithoutTls);
        }
        let info = url.into_connection_info().map_err(|_| RedisConfigError::Url)?;
        let elsewhere = match info.addr() {
            ConnectionAddr::Tcp(host, _) => !is_loopback(host),
            _ => false,
        };
        if elsewhere && !self.dangerous_without_tls {
            return Err(RedisConfigError::WithoutTls);
        }
        let mut settings = info.redis_settings().clone();
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            let password = std::str::from_utf8(password.expose_secret()).map_err(|_| RedisConfigError::Password)?;
            settings = settings.set_password(password);
        }
        Ok(info.set_redis_settings(settings))
    }
}

/// Whether a host is this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self
            .urls
            .iter()
            .map(|url| url.rsplit('@').next().unwrap_or(""))
            .collect();
        f.debug_struct("RedisConfig")
            .field("hosts", &hosts)
            .field("cluster", &self.cluster)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_of_redis_is_refused_without_quoting_it() {
        for wrong in [
            "",
            "localhost:6379",
            "http://user:hunter2@localhost",
            "redis://:hunter2@[",
            "rediss://:hunter2@h/#insecure",
        ] {
            let error = RedisConfig::server(wrong).connections().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{wrong}");
        }
        assert!(matches!(
            RedisConfig::cluster([]).connections(),
            Err(RedisConfigError::Urls)
        ));
    }

    #[test]
    fn a_password_is_not_printed() {
        let mut config = RedisConfig::server("redis://user:hunter2@localhost:6379/0");
        config.password = Some(SecretBytes::from_vec(b"hunter3".to_vec()));
        let printed = format!("{config:?}");
        assert!(
            printed.contains("localhost") && !printed.contains("hunter"),
            "{printed}"
        );
    }

    #[test]
    fn without_tls_a_password_stays_on_the_machine_unless_that_is_said() {
        for own in [
            "redis://127.0.0.1:6379",
            "valkey://localhost",
            "redis://[::1]:6379",
            "rediss://redis.example:6379",
        ] {
            assert!(RedisConfig::server(own).connections().is_ok(), "{own}");
        }
        for other in [
            "redis://:hunter2@redis.example:6379",
            "redis://10.0.0.7",
            "valkey://localhost.example",
        ] {
            let mut config = RedisConfig::server(other);
            let error = config.connections().unwrap_err();
            assert!(matches!(error, RedisConfigError::WithoutTls), "{other}");
            config.dangerous_without_tls = true;
            assert!(config.connections().is_ok(), "{other}");
        }
    }

    #[test]
    fn certificates_need_tls() {
        let mut config = RedisConfig::server("redis://localhost");
        config.ca_pem = Some(Vec::new());
        assert!(matches!(
            config.connections(),
            Err(RedisConfigError::CertificatesWithoutTls)
        ));
    }
}
