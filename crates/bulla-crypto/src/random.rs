/// Supplies random bytes to whatever seals, generates or encrypts.
///
/// # Contract
/// - Bytes are unpredictable and never repeat: nonces and data keys come from here. An implementation that serves from a buffer
///   hands each byte out once, also across threads, forks and restored snapshots as far as it says so.
/// - `fill` is called on hot paths from any number of threads; it neither blocks long nor takes a lock that is shared.
pub trait Random: Send + Sync {
    /// Fills all of `out`.
    ///
    /// # Errors
    /// [`RandomError`] where no randomness can be had; the contents of `out` are then not to be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// Randomness could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random generator failed")]
pub struct RandomError;

/// Draws from the library's own generator (AWS-LC's per-thread DRBG, seeded by the operating system).
///
/// AWS-LC re-seeds after a fork, and after a restored VM snapshot where the kernel offers SysGenID. This crate never uses it on
/// its own; the edges construct it and pass it in.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        aws_lc_rs::rand::fill(out).map_err(|_| RandomError)
    }
}

impl<R: Random + ?Sized> Random for std::sync::Arc<R> {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        (**self).fill(out)
    }
}
