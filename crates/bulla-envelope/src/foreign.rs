use std::sync::Arc;

use bulla_crypto::{Context, DataKey};
use tokio::time::Instant;

use crate::OpenError;
use crate::open::refusal;
use crate::sealer::Sealer;
use crate::unwrapped::{ForeignKey, Unwrapped, WrappedIdentity, hash_of_wrapped};

impl Sealer {
    /// Unwraps a data key of another format, under a resolved key of the key ring and exactly this context: for values that something
    /// else sealed. Nothing is added to the context.
    ///
    /// It is kept as the keys of records are: for the same time, polled and dropped with them. So hold what this gives for one value.
    /// With [`PerOpen`](crate::AccessRecord::PerOpen) none is kept, so that each use has its event.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn unwrap_data_key(
        &self,
        key: &str,
        wrapped: &[u8],
        context: &Context,
    ) -> Result<Arc<DataKey>, OpenError> {
        if let Some(kept) = self.try_unwrap_cached(key, wrapped, context) {
            return Ok(kept);
        }
        self.inner.check_key_ring(key).await?;
        let identity = identity(key, wrapped, context);
        let unwrapped = if self.inner.access.per_open().is_some() {
            self.inner.unwrap::<ForeignKey>(&identity, context).await.map(Arc::new)
        } else {
            let hash = hash_of_wrapped(wrapped);
            self.inner.obtain_unwrapped::<ForeignKey>(hash, identity, context).await
        };
        Ok(Arc::clone(&unwrapped.map_err(refusal)?.opening_key.0))
    }

    /// Finds a data key of another format that is kept; `None` if the provider would have to be asked.
    #[must_use]
    pub fn try_unwrap_cached(&self, key: &str, wrapped: &[u8], context: &Context) -> Option<Arc<DataKey>> {
        let identity = identity(key, wrapped, context);
        let is_it = |unwrapped: &Unwrapped<ForeignKey>| unwrapped.identity == identity;
        let take = |unwrapped: &Arc<Unwrapped<ForeignKey>>| {
            let usable = unwrapped.is_usable(Instant::now());
            usable.then(|| Arc::clone(&unwrapped.opening_key.0))
        };
        self.inner.foreign.shelf.with(hash_of_wrapped(wrapped), is_it, take)?
    }
}

fn identity(key: &str, wrapped: &[u8], context: &Context) -> WrappedIdentity {
    WrappedIdentity {
        caller: context.clone(),
        key: key.to_owned(),
        wrapped: wrapped.to_vec(),
    }
}
