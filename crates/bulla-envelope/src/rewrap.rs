use bulla_crypto::record::{Record, RecordKey};
use bulla_crypto::{Context, constant_time_eq};
use std::sync::Arc;

use crate::access::AccessOperation;
use crate::open::refusal;
use crate::sealer::Sealer;
use crate::{DataKeyError, OpenError, RewrapError};

impl Sealer {
    /// Wraps a record's data key under the sealing key as it is now; the sealed value stays as it is, and is not decrypted.
    ///
    /// Two provider calls, and no cache: a rewrap is for retiring a key. The record's own key must be in the key ring.
    ///
    /// # Errors
    /// [`RewrapError`]; then the old record stands.
    pub async fn rewrap(&self, record: &[u8], context: &Context) -> Result<Vec<u8>, RewrapError> {
        let inner = &self.inner;
        let record = Record::parse(record).map_err(OpenError::Format)?;
        let context = inner.bind(context).map_err(OpenError::from)?;
        inner.check_key_ring(record.key()).await?;
        let data_key = inner
            .unwrap_data_key(record.key(), record.wrapped_key(), &context)
            .await
            .map_err(refusal)?;
        // The data key is here: whatever it turns out to be, that is recorded first.
        inner
            .record_data_key(AccessOperation::Rewrap, record.key(), &context)
            .await
            .map_err(unusable)?;
        let derived = RecordKey::derive(&data_key).map_err(|error| unusable(DataKeyError::Answer(Arc::new(error))))?;
        if !constant_time_eq(derived.commitment(), record.commitment()) {
            return Err(OpenError::Refused.into());
        }
        let ask = || inner.provider.wrap(&inner.key, &data_key, &context);
        let wrapped = inner.call("wrap", &inner.key, ask).await.map_err(unusable)?;
        let rewrapped = record
            .rewrap(&wrapped.key, &wrapped.bytes)
            .map_err(RewrapError::Format)?;
        inner.add_anchor(&wrapped.key);
        Ok(rewrapped)
    }
}

fn unusable(error: DataKeyError) -> RewrapError {
    RewrapError::Open(OpenError::DataKey(error))
}
