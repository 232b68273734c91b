use bulla_crypto::SecretBytes;
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{self, members};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GenerateRandom` is asked.
#[derive(Debug, Clone)]
pub struct GenerateRandomRequest {
    /// 1 to 1,024.
    pub number_of_bytes: u32,
}

/// What `GenerateRandom` answers.
#[derive(Debug)]
pub struct GenerateRandomResponse {
    /// Random bytes.
    pub plaintext: SecretBytes,
}

impl Service {
    /// Draws random bytes.
    ///
    /// # Errors
    /// `Validation`, `AccessDenied`.
    pub async fn generate_random(
        &self,
        call: &Call,
        request: GenerateRandomRequest,
    ) -> Result<GenerateRandomResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GenerateRandomRequest {
    type Response = GenerateRandomResponse;

    const EVENT: EventKind = EventKind {
        name: "GenerateRandom",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("numberOfBytes", self.number_of_bytes.into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::range("numberOfBytes", self.number_of_bytes, 1, 1024)?;
        decision.authorise("kms:GenerateRandom", "*")?;
        let plaintext = decision.core.draw_secret(self.number_of_bytes as usize)?;
        Ok(GenerateRandomResponse { plaintext })
    }
}
