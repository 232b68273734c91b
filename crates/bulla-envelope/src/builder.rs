use std::fmt;
use std::sync::Arc;

use bulla_crypto::Random;
use bulla_kms::KeyProvider;

use crate::{AccessRecord, BuildError, KeyRing, Sealer, Settings};

/// Collects what a [`Sealer`] is made of; begun by [`Sealer::builder`].
#[must_use]
pub struct SealerBuilder {
    pub(crate) provider: Arc<dyn KeyProvider>,
    pub(crate) key: String,
    pub(crate) access: AccessRecord,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) own: Vec<(String, String)>,
    pub(crate) ring: KeyRing,
    pub(crate) settings: Settings,
}

impl SealerBuilder {
    pub(crate) fn new(
        provider: Arc<dyn KeyProvider>,
        key: String,
        access: AccessRecord,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            provider,
            key,
            access,
            random,
            own: Vec::new(),
            ring: KeyRing::default(),
            settings: Settings::default(),
        }
    }

    /// Binds every value to a purpose, as the context pair `bulla:purpose`.
    pub fn purpose(self, purpose: &str) -> Self {
        self.own_pair("bulla:purpose", purpose)
    }

    /// Binds every value to a pair of Bulla's own, whose key begins with `bulla:`.
    pub fn own_pair(mut self, key: &str, value: &str) -> Self {
        self.own.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Says whose records are opened; [`KeyRing::same_account`] unless said.
    pub fn key_ring(mut self, ring: KeyRing) -> Self {
        self.ring = ring;
        self
    }

    /// Says how to cache and call; [`Settings::default`] unless said.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Builds the Sealer. Nothing is called until the first value comes.
    ///
    /// # Errors
    /// [`BuildError`] where a setting is out of range or an own pair is refused.
    pub fn build(self) -> Result<Sealer, BuildError> {
        Sealer::from_builder(self)
    }
}

impl fmt::Debug for SealerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealerBuilder")
            .field("key", &self.key)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
