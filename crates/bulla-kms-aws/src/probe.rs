use aws_sdk_kms::types::{DataKeySpec, KeyMetadata, KeySpec, KeyUsageType};
use bulla_crypto::Context;
use bulla_kms::KeyState;
use bulla_kms::KmsErrorKind::{AccessDenied, Invalid, KeyDisabled, NotFound, Throttled, Unavailable};

use crate::error::Failure;
use crate::key_name::KeyName;
use crate::provider::{pairs, state_of};
use crate::regions::RegionClient;
use crate::{AwsFault, AwsProvider, FaultOrigin};

/// What [`AwsProvider::probe`] found in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Who AWS says is asking (`arn:aws:sts::…:assumed-role/…`); `None` where STS can't be asked, as behind a VPC endpoint for
    /// KMS alone, or at another Bulla.
    pub caller_arn: Option<String>,
    /// The key's ARN.
    pub key_arn: String,
    /// The region that answered.
    pub region: String,
    /// Whether the key is a multi-Region key.
    pub multi_region: bool,
}

/// What stands in the way of using a key.
#[derive(Debug, thiserror::Error)]
#[error("AWS KMS key {key}: {problem}")]
pub struct ProbeError {
    /// The key as it was named.
    pub key: String,
    /// What is wrong.
    pub problem: ProbeProblem,
    /// What AWS said.
    #[source]
    pub fault: Option<AwsFault>,
}

/// What is wrong, by who has to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeProblem {
    /// The key's name can't be one.
    #[error("this is not the name of a key")]
    MalformedKey,
    /// Neither the configuration nor the environment nor the key's name says a region.
    #[error("no region is set")]
    NoRegion,
    /// The whole credential chain gave nothing.
    #[error("there are no credentials")]
    NoCredentials,
    /// Credentials could not be had: a role, a token or a profile.
    #[error("credentials could not be obtained")]
    CredentialsNotObtained,
    /// AWS knows these credentials not, or no longer.
    #[error("the credentials were refused")]
    CredentialsRefused,
    /// Nothing answered, or not in time.
    #[error("{endpoint} could not be reached")]
    NotReached {
        /// The endpoint: the one configured, else AWS's in this region.
        endpoint: String,
    },
    /// AWS answered that it can't, now.
    #[error("AWS KMS in {region} can't answer now")]
    NotNow {
        /// The region asked.
        region: String,
    },
    /// No such key here.
    #[error("there is no such key in {region}")]
    KeyNotFound {
        /// The region asked.
        region: String,
    },
    /// The key's ARN is of another region than the endpoint that was asked.
    #[error("the key is in {key_region}, and the endpoint answers for another region")]
    WrongRegion {
        /// The region in the key's ARN.
        key_region: String,
    },
    /// The key exists and can't be used.
    #[error("the key is {}", match state {
        KeyState::Disabled => "disabled",
        KeyState::PendingDeletion => "pending deletion",
        KeyState::Enabled | KeyState::Unavailable => "not usable in its state",
    })]
    KeyUnusable {
        /// Its state.
        state: KeyState,
    },
    /// The key is not a symmetric encryption key.
    #[error("the key is {spec} for {usage}, and not SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT")]
    WrongUsage {
        /// What it is.
        spec: String,
        /// What it is for.
        usage: String,
    },
    /// The credentials are good, and may not do this with this key.
    #[error("{action} is not permitted")]
    NotPermitted {
        /// The action in IAM's words.
        action: &'static str,
    },
    /// The service refused the request itself.
    #[error("the request was refused")]
    Refused,
}

impl ProbeProblem {
    /// Says what to do about it, in one line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::MalformedKey => "name it aws-kms:///alias/app, aws-kms:///<key id> or aws-kms://<key ARN>",
            Self::NoRegion => {
                "set AWS_REGION, a region in the profile or in the configuration, or name the key by its ARN"
            }
            Self::NoCredentials => {
                "set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod or instance a role"
            }
            Self::CredentialsNotObtained => {
                "see the cause: the role's trust policy, its external id, the token file, or the profile"
            }
            Self::CredentialsRefused => "renew the credentials, and check this machine's clock",
            Self::NotReached { .. } => {
                "check the endpoint URL, the network and the proxy, and any VPC endpoint's policy"
            }
            Self::NotNow { .. } => "try again; name a replica's region to go on while one region fails",
            Self::KeyNotFound { .. } => "check the name, the account and the region; an alias belongs to one region",
            Self::WrongRegion { .. } => "set the region and the endpoint of the key's ARN",
            Self::KeyUnusable {
                state: KeyState::PendingDeletion,
            } => "aws kms cancel-key-deletion, then enable-key, while there is time",
            Self::KeyUnusable { .. } => "aws kms enable-key",
            Self::WrongUsage { .. } => "use a symmetric encryption key",
            Self::NotPermitted { .. } => {
                "allow it in the key policy or an identity policy; conditions on the encryption context count too"
            }
            Self::Refused => "see the cause",
        }
    }
}

impl AwsProvider {
    /// Checks credentials and key with AWS, and says what is wrong with whichever is.
    ///
    /// In the first of the key's regions: asks STS who is calling, describes the key, and makes a data key under `context` that is thrown away, since policies may
    /// demand pairs of a context. Needs `kms:GenerateDataKeyWithoutPlaintext`; `kms:DescribeKey` may be denied.
    ///
    /// # Errors
    /// The first problem found, with AWS's words as its source.
    pub async fn probe(&self, key: &str, context: &Context) -> Result<ProbeReport, ProbeError> {
        let problem = |problem, fault| ProbeError {
            key: key.to_owned(),
            problem,
            fault,
        };
        let name = KeyName::parse(key).ok_or_else(|| problem(ProbeProblem::MalformedKey, None))?;
        let region = self.regions().candidates(&name);
        let region = region.first().ok_or_else(|| problem(ProbeProblem::NoRegion, None))?;
        let failed = |failure: Failure, action| {
            let told = self.explain(&failure, &name, region, action);
            problem(told, Some(failure.fault))
        };
        let caller_arn = self
            .caller(region)
            .await
            .map_err(|failure| failed(failure, "sts:GetCallerIdentity"))?;
        match self.metadata(&name, region).await {
            Ok(metadata) => check(&metadata).map_err(|found| problem(found, None))?,
            // The permission to describe is not needed to work; whether there is one to use is seen below.
            Err(failure)
                if failure.kind == AccessDenied
                    && failure.fault.origin == FaultOrigin::Service
                    && !is_of_the_caller(&failure) => {}
            Err(failure) => return Err(failed(failure, "kms:DescribeKey")),
        }
        let made = region
            .client
            .generate_data_key_without_plaintext()
            .key_id(name.in_region(&region.region))
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(pairs(context))
            .send()
            .await
            .map_err(|error| {
                failed(
                    Failure::read(&region.region, &error),
                    "kms:GenerateDataKeyWithoutPlaintext",
                )
            })?;
        let key_arn = made.key_id.unwrap_or_default();
        let multi_region = key_arn.contains(":key/mrk-");
        Ok(ProbeReport {
            caller_arn,
            key_arn,
            region: region.region.clone(),
            multi_region,
        })
    }

    /// Asks STS who is calling. That STS is not there, or does not know the question, is no problem: KMS checks as well.
    async fn caller(&self, region: &RegionClient) -> Result<Option<String>, Failure> {
        let config = aws_sdk_sts::config::Builder::from(self.regions().sdk())
            .region(aws_config::Region::new(region.region.clone()))
            .build();
        match aws_sdk_sts::Client::from_conf(config)
            .get_caller_identity()
            .send()
            .await
        {
            Ok(answer) => Ok(answer.arn),
            Err(error) => {
                let failure = Failure::read(&region.region, &error);
                let of_credentials = failure.fault.origin == FaultOrigin::NoCredentials
                    || failure.fault.origin == FaultOrigin::Credentials
                    || failure.kind == AccessDenied && failure.fault.code.is_some();
                if of_credentials { Err(failure) } else { Ok(None) }
            }
        }
    }

    async fn metadata(&self, name: &KeyName<'_>, region: &RegionClient) -> Result<KeyMetadata, Failure> {
        let answer = region
            .client
            .describe_key()
            .key_id(name.in_region(&region.region))
            .send()
            .await;
        let metadata = answer
            .map_err(|error| Failure::read(&region.region, &error))?
            .key_metadata;
        metadata.ok_or_else(|| Failure::new(Unavailable, &region.region, "the answer describes no key"))
    }

    fn explain(
        &self,
        failure: &Failure,
        name: &KeyName<'_>,
        region: &RegionClient,
        action: &'static str,
    ) -> ProbeProblem {
        let region_name = region.region.clone();
        match (failure.fault.origin, failure.kind) {
            (FaultOrigin::NoCredentials, _) => ProbeProblem::NoCredentials,
            (FaultOrigin::Credentials, _) => ProbeProblem::CredentialsNotObtained,
            (FaultOrigin::Transport, _) => ProbeProblem::NotReached {
                endpoint: self.endpoint(&region_name),
            },
            (FaultOrigin::Service, Throttled | Unavailable) => ProbeProblem::NotNow { region: region_name },
            (FaultOrigin::Service, KeyDisabled) => ProbeProblem::KeyUnusable {
                state: KeyState::Unavailable,
            },
            // "Invalid arn eu-west-1" is KMS's way of saying that it is another region's.
            (FaultOrigin::Service, NotFound | Invalid)
                if name.region().is_some() && failure.fault.text.to_ascii_lowercase().contains("invalid arn") =>
            {
                ProbeProblem::WrongRegion {
                    key_region: name.region().unwrap_or_default().to_owned(),
                }
            }
            (FaultOrigin::Service, NotFound) => ProbeProblem::KeyNotFound { region: region_name },
            (FaultOrigin::Service, AccessDenied) if is_of_the_caller(failure) || action.starts_with("sts:") => {
                ProbeProblem::CredentialsRefused
            }
            (FaultOrigin::Service, AccessDenied) => ProbeProblem::NotPermitted { action },
            (FaultOrigin::Service, _) => ProbeProblem::Refused,
        }
    }

    fn endpoint(&self, region: &str) -> String {
        match self.regions().endpoint(region) {
            Some(url) => url,
            None => format!("AWS KMS in {region}"),
        }
    }
}

/// Tells whether the credentials themselves were refused, and not what they may do.
fn is_of_the_caller(failure: &Failure) -> bool {
    !matches!(
        failure.fault.code.as_deref(),
        Some("AccessDeniedException" | "AccessDenied") | None
    )
}

fn check(metadata: &KeyMetadata) -> Result<(), ProbeProblem> {
    let state = state_of(metadata);
    if state != KeyState::Enabled {
        return Err(ProbeProblem::KeyUnusable { state });
    }
    let (spec, usage) = (metadata.key_spec(), metadata.key_usage());
    let good = spec.is_none_or(|spec| *spec == KeySpec::SymmetricDefault)
        && usage.is_none_or(|usage| *usage == KeyUsageType::EncryptDecrypt);
    if good {
        return Ok(());
    }
    Err(ProbeProblem::WrongUsage {
        spec: spec.map_or("?", KeySpec::as_str).to_owned(),
        usage: usage.map_or("?", KeyUsageType::as_str).to_owned(),
    })
}
