use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;

use crate::AwsConfigError;
use crate::key_name::is_region;

/// How to reach AWS KMS, and as whom.
///
/// The default is what AWS's own tools do: credentials and region from their environment, `AWS_ENDPOINT_URL`,
/// `AWS_ENDPOINT_URL_KMS` and `AWS_ENDPOINT_URL_STS` honoured.
#[derive(Debug, Clone)]
pub struct AwsConfig {
    /// Regions in the order in which they are tried; the first is where aliases and bare key ids are looked up. Empty: the
    /// region of the environment or the profile. Later ones serve multi-Region keys (`mrk-…`) while an earlier one fails.
    pub regions: Vec<AwsRegion>,
    /// The profile of AWS's configuration files; `None` is the environment's, else `default`.
    pub profile: Option<String>,
    /// Where KMS and STS are, for an emulator or another Bulla: `http://127.0.0.1:4599`. Reaches every STS call too: roles
    /// named here, web identity, and the roles of a profile.
    pub endpoint_url: Option<String>,
    /// Credentials given outright instead of the chain.
    pub credentials: Option<StaticCredentials>,
    /// Roles to assume, each with the session of the one before it.
    pub roles: Vec<AssumeRole>,
    /// Bounds a connection being made; 2 s by default.
    pub connect_timeout: Duration,
    /// Bounds one attempt; 4 s by default.
    pub attempt_timeout: Duration,
    /// Bounds one call with all attempts in one region; 4.5 s by default, less than a Sealer waits for an attempt, so that the
    /// next region is reached by the same call.
    pub operation_timeout: Duration,
    /// Attempts in one region, the first included; 3 by default, backing off with jitter between them.
    pub max_attempts: u32,
    /// How long a region that failed is tried last; 10 s by default.
    pub region_penalty: Duration,
    /// A session is renewed while this to twice this of it is left (at random, to spread many hosts); 60 s by default.
    pub session_renewal_margin: Duration,
}

/// A region, and where its KMS is if not where AWS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsRegion {
    /// `eu-central-1`.
    pub name: String,
    /// A VPC endpoint, or an emulator's; `None` is [`AwsConfig::endpoint_url`], else AWS's own.
    pub endpoint_url: Option<String>,
}

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// `arn:aws:iam::123456789012:role/name`.
    pub role_arn: String,
    /// What the role's owner demands besides, 2 to 1,224 characters. No secret.
    pub external_id: Option<String>,
    /// The session's name in CloudTrail, 2 to 64 of `A-Za-z0-9_+=,.@-`; `bulla` by default.
    pub session_name: String,
    /// How long a session lasts, 15 min to 12 h; 1 h by default, and at most that for a role assumed from another role.
    pub duration: Duration,
}

/// An access key given outright.
#[derive(Clone)]
pub struct StaticCredentials(pub(crate) Credentials);

impl Default for AwsConfig {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            profile: None,
            endpoint_url: None,
            credentials: None,
            roles: Vec::new(),
            connect_timeout: Duration::from_secs(2),
            attempt_timeout: Duration::from_secs(4),
            operation_timeout: Duration::from_millis(4_500),
            max_attempts: 3,
            region_penalty: Duration::from_secs(10),
            session_renewal_margin: Duration::from_secs(60),
        }
    }
}

impl AwsRegion {
    /// Names a region by itself (`eu-central-1`) or by a replica there (`arn:aws:kms:eu-central-1:…:key/mrk-…`).
    ///
    /// # Errors
    /// `Region` where it is neither, or where an ARN is not a multi-Region key's.
    pub fn parse(text: &str) -> Result<Self, AwsConfigError> {
        let refused = || AwsConfigError::Region {
            region: text.to_owned(),
        };
        let name = match text.strip_prefix("arn:") {
            None => text,
            Some(rest) => {
                let fields: Vec<_> = rest.splitn(5, ':').collect();
                match fields[..] {
                    [_, "kms", region, _, resource] if resource.starts_with("key/mrk-") => region,
                    _ => return Err(refused()),
                }
            }
        };
        let region = Self {
            name: name.to_owned(),
            endpoint_url: None,
        };
        region.validate().map(|()| region)
    }

    fn validate(&self) -> Result<(), AwsConfigError> {
        if !is_region(&self.name) {
            return Err(AwsConfigError::Region {
                region: self.name.clone(),
            });
        }
        self.endpoint_url.as_deref().map_or(Ok(()), validate_endpoint)
    }
}

impl AssumeRole {
    /// A role with a session named `bulla`, of one hour, without external id.
    pub fn new(role_arn: impl Into<String>) -> Self {
        Self {
            role_arn: role_arn.into(),
            external_id: None,
            session_name: "bulla".to_owned(),
            duration: Duration::from_secs(3600),
        }
    }

    fn validate(&self, position: usize) -> Result<(), AwsConfigError> {
        let wrong = |what| {
            Err(AwsConfigError::Role {
                role_arn: self.role_arn.clone(),
                what,
            })
        };
        let fields: Vec<_> = self.role_arn.splitn(6, ':').collect();
        if !matches!(fields[..], ["arn", _, "iam", "", _, resource] if resource.starts_with("role/")) {
            return wrong("a role is named by its ARN, arn:aws:iam::123456789012:role/name");
        }
        let name_character = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if !(2..=64).contains(&self.session_name.len()) || !self.session_name.bytes().all(name_character) {
            return wrong("a session name is 2 to 64 of A-Za-z0-9_+=,.@-");
        }
        if self
            .external_id
            .as_ref()
            .is_some_and(|id| !(2..=1224).contains(&id.len()))
        {
            return wrong("an external id has 2 to 1,224 characters");
        }
        let longest = if position == 0 { 12 * 3600 } else { 3600 };
        if !(900..=longest).contains(&self.duration.as_secs()) {
            return wrong(
                "a session lasts 15 minutes to 12 hours, and at most one hour for a role assumed from a role",
            );
        }
        Ok(())
    }
}

impl StaticCredentials {
    /// Takes an access key, with a session token if it is a temporary one.
    pub fn new(access_key_id: &str, secret_access_key: &str, session_token: Option<String>) -> Self {
        Self(Credentials::new(
            access_key_id,
            secret_access_key,
            session_token,
            None,
            "bulla configuration",
        ))
    }
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticCredentials({}, redacted)", self.0.access_key_id())
    }
}

impl AwsConfig {
    /// Checks every setting by itself.
    ///
    /// # Errors
    /// `Region`, `Endpoint`, `Role` or `Time`, naming the setting.
    pub fn validate(&self) -> Result<(), AwsConfigError> {
        self.regions.iter().try_for_each(AwsRegion::validate)?;
        self.endpoint_url.as_deref().map_or(Ok(()), validate_endpoint)?;
        self.roles
            .iter()
            .enumerate()
            .try_for_each(|(position, role)| role.validate(position))?;
        let times = [self.connect_timeout, self.attempt_timeout, self.operation_timeout];
        if self.max_attempts == 0
            || times.iter().any(Duration::is_zero)
            || self.attempt_timeout > self.operation_timeout
        {
            return Err(AwsConfigError::Time);
        }
        Ok(())
    }

    /// Everything that decides what a key name means; no secret.
    pub(crate) fn instance(&self, region: Option<&str>) -> String {
        let regions: Vec<_> = self.regions.iter().map(AwsRegion::to_string).collect();
        let roles: Vec<_> = self
            .roles
            .iter()
            .map(|r| format!("{}#{}", r.role_arn, r.session_name))
            .collect();
        let credentials = self.credentials.as_ref().map_or("chain", |c| c.0.access_key_id());
        format!(
            "aws-kms:endpoint={};region={};regions={};profile={};credentials={credentials};roles={}",
            self.endpoint_url.as_deref().unwrap_or_default(),
            region.unwrap_or_default(),
            regions.join(","),
            self.profile.as_deref().unwrap_or_default(),
            roles.join(","),
        )
    }
}

impl fmt::Display for AwsRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.endpoint_url.as_ref().map_or(Ok(()), |url| write!(f, "@{url}"))
    }
}

fn validate_endpoint(url: &str) -> Result<(), AwsConfigError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let well_formed = !authority.is_empty() && !authority.contains('@') && url.bytes().all(|b| b.is_ascii_graphic());
    if well_formed && !url.contains(['?', '#']) {
        Ok(())
    } else {
        Err(AwsConfigError::Endpoint { url: url.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_named_by_itself_or_by_a_replica() {
        assert_eq!(
            AwsRegion::parse("eu-central-1").map(|r| r.name),
            Ok("eu-central-1".to_owned())
        );
        let replica = "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab";
        assert_eq!(AwsRegion::parse(replica).map(|r| r.name), Ok("cn-north-1".to_owned()));
        let single = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        for text in [
            "",
            "EU-WEST-1",
            "eu west",
            "eu.evil.example",
            single,
            "arn:aws:s3:eu-west-1:1:key/mrk-1",
            "arn:",
        ] {
            assert!(AwsRegion::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let role = |change: fn(&mut AssumeRole)| {
            let mut role = AssumeRole::new("arn:aws:iam::123456789012:role/bulla");
            change(&mut role);
            AwsConfig {
                roles: vec![role.clone(), role],
                ..AwsConfig::default()
            }
            .validate()
        };
        assert_eq!(role(|_| ()), Ok(()));
        for change in [
            (|r| r.role_arn = "bulla".into()) as fn(&mut AssumeRole),
            |r| r.role_arn = "arn:aws:iam::123456789012:user/bulla".into(),
            |r| r.session_name = "a b".into(),
            |r| r.session_name = "a".into(),
            |r| r.external_id = Some("x".into()),
            |r| r.duration = Duration::from_secs(899),
            |r| r.duration = Duration::from_secs(7200),
        ] {
            assert!(matches!(role(change), Err(AwsConfigError::Role { .. })));
        }
        for url in [
            "127.0.0.1:4599",
            "ftp://x",
            "http://",
            "http://user:pass@host",
            "http://host/?q",
            "http://ho st",
        ] {
            let config = AwsConfig {
                endpoint_url: Some(url.into()),
                ..AwsConfig::default()
            };
            assert!(
                matches!(config.validate(), Err(AwsConfigError::Endpoint { .. })),
                "{url}"
            );
        }
        let config = AwsConfig {
            attempt_timeout: Duration::from_secs(60),
            ..AwsConfig::default()
        };
        assert_eq!(config.validate(), Err(AwsConfigError::Time));
    }

    #[test]
    fn a_single_role_may_last_twelve_hours() {
        let mut role = AssumeRole::new("arn:aws:iam::123456789012:role/bulla");
        role.duration = Duration::from_secs(12 * 3600);
        assert_eq!(
            AwsConfig {
                roles: vec![role],
                ..AwsConfig::default()
            }
            .validate(),
            Ok(())
        );
    }

    #[test]
    fn neither_debug_nor_instance_show_the_secret() {
        let credentials = StaticCredentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", Some("session-token".into()));
        let config = AwsConfig {
            credentials: Some(credentials),
            ..AwsConfig::default()
        };
        let told = format!("{config:?} {config:#?} {}", config.instance(Some("eu-west-1")));
        assert!(told.contains("AKIDEXAMPLE"));
        assert!(!told.contains("wJalrXUtnFEMI") && !told.contains("session-token"));
    }
}
