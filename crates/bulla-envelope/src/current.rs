use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bulla_crypto::record::{Header, NONCE_BYTES, RecordKey};
use bulla_crypto::{Context, RandomError, SealError};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::known::Known;
use crate::lane::{Admission, Lanes, OneNonce};

/// A data key that seals: generated for one context by this Sealer, never one that came from unwrapping.
pub(crate) struct Current {
    pub(crate) serial: u64,
    /// The context as callers give it; the identity, with the Sealer's own pairs and provider constant beside it.
    pub(crate) caller: Context,
    /// The context that is bound: the caller's with the Sealer's own pairs.
    pub(crate) context: Context,
    /// The resolved key that wraps this one.
    pub(crate) key: String,
    pub(crate) created: Instant,
    pub(crate) renew_at: Instant,
    pub(crate) end: Instant,
    /// When it is taken out even if the provider can't be reached.
    pub(crate) removal: Instant,
    /// Until when the key that wraps it is known to be enabled; past that it is not used, by whichever thread.
    pub(crate) known: Arc<Known>,
    pub(crate) record_key: RecordKey,
    pub(crate) header: Header,
    pub(crate) budget: Arc<Budget>,
    pub(crate) marks: Marks,
}

/// What sealing leaves behind for the keeper: flags that are set once, so that later records only read them.
#[derive(Default)]
pub(crate) struct Marks {
    /// Sealed something after the calls that waited for its creation.
    pub(crate) used: AtomicBool,
    /// Runs out of messages or bytes.
    pub(crate) low: AtomicBool,
    /// Has run out for at least one record.
    pub(crate) exhausted: AtomicBool,
}

/// What became of one record. Errors are those of the record layer, which are small to move.
pub(crate) enum Sealed {
    Done(Result<Vec<u8>, SealError>),
    /// Done, and the keeper should fetch the next key.
    DoneAndLow(Result<Vec<u8>, SealError>),
    /// The key can't seal this.
    Exhausted,
}

impl Current {
    /// Tells whether new records may begin to use this key.
    #[inline]
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        now < self.end && self.known.holds(now) && !self.marks.exhausted.load(Ordering::Relaxed)
    }

    /// Tells whether this key may go on while the provider can't be reached.
    pub(crate) fn is_usable_in_outage(&self, now: Instant) -> bool {
        now < self.removal && self.known.holds(now) && !self.marks.exhausted.load(Ordering::Relaxed)
    }

    /// Seals one record against this key's budget.
    #[inline]
    pub(crate) fn seal(&self, lanes: &Lanes, binding: &[u8], plaintext: &[u8]) -> Sealed {
        let mut nonce = [0; NONCE_BYTES];
        let admission = lanes.admit(self.serial, &self.budget, plaintext.len(), &mut nonce);
        match admission {
            Admission::Admitted => Sealed::Done(self.seal_with(nonce, binding, plaintext)),
            Admission::AdmittedAndLow if self.marks.low.swap(true, Ordering::Relaxed) => {
                Sealed::Done(self.seal_with(nonce, binding, plaintext))
            }
            Admission::AdmittedAndLow => Sealed::DoneAndLow(self.seal_with(nonce, binding, plaintext)),
            Admission::Exhausted => {
                self.marks.exhausted.store(true, Ordering::Relaxed);
                Sealed::Exhausted
            }
            Admission::NoRandomness => Sealed::Done(Err(RandomError.into())),
        }
    }

    /// Seals one record with a nonce that was drawn for it.
    #[inline]
    pub(crate) fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        binding: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        self.record_key
            .seal(&self.header, &self.context, binding, &OneNonce::new(nonce), plaintext)
    }

    /// Marks the key as used, and tells whether this was the first to do so.
    #[inline]
    pub(crate) fn mark_used(&self) -> bool {
        !self.marks.used.load(Ordering::Relaxed) && !self.marks.used.swap(true, Ordering::Relaxed)
    }
}
