use aws_sdk_kms::operation::describe_key::DescribeKeyOutput;
use aws_sdk_kms::types::KeyMetadata;
use bulla_kms::KmsError;
use bulla_kms::KmsErrorKind::{Invalid, Unavailable};

use crate::AwsProvider;
use crate::error::Failure;
use crate::regions::RegionClient;
use crate::report::cannot_rotate;

impl AwsProvider {
    /// Rotates on demand what can be rotated; what can't is refused with the reason, and AWS is not asked to.
    pub(crate) async fn rotate_there(&self, key: &str) -> Result<(), KmsError> {
        const OPERATION: &str = "rotate";
        let (metadata, arn) = self.metadata_of(OPERATION, key).await?;
        let refused = |reason: String| Err(KmsError::new(Invalid, OPERATION, key).with_source(reason));
        if let Some(reason) = cannot_rotate(&metadata) {
            return refused(reason);
        }
        let configuration = metadata.multi_region_configuration();
        if let Some(primary) = configuration
            .and_then(|all| all.primary_key())
            .and_then(|key| key.arn())
            && primary != arn
        {
            return refused(format!("it is a replica; it is rotated with its primary key {primary}"));
        }
        let region = self.regions().of(arn.split(':').nth(3).unwrap_or_default());
        let done = region.client.rotate_key_on_demand().key_id(&arn).send().await;
        done.map(drop).map_err(|error| {
            let failure = Failure::read(&region.region, &error);
            KmsError::new(failure.kind, OPERATION, key).with_source(failure.fault)
        })
    }

    /// What AWS says of a key, and its ARN.
    pub(crate) async fn metadata_of(
        &self,
        operation: &'static str,
        key: &str,
    ) -> Result<(KeyMetadata, String), KmsError> {
        let call = |region: &RegionClient, key_id: String| {
            let request = region.client.describe_key().key_id(key_id);
            async move {
                let DescribeKeyOutput { key_metadata, .. } = request.send().await?;
                let arn = key_metadata.as_ref().and_then(|metadata| metadata.arn.clone());
                Ok((key_metadata, arn))
            }
        };
        let (metadata, arn) = self.in_regions(operation, key, call).await?;
        let nothing = || KmsError::new(Unavailable, operation, key).with_source("the answer describes no key");
        Ok((metadata.ok_or_else(nothing)?, arn))
    }
}
