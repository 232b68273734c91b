use std::sync::Mutex;

use bulla_crypto::{Random, RandomError};

/// Hands out the given bytes, once, and then fails.
pub(crate) struct Replay(Mutex<Vec<u8>>);

impl Replay {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Mutex::new(bytes.to_vec()))
    }
}

impl Random for Replay {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut bytes = self.0.lock().map_err(|_| RandomError)?;
        if bytes.len() < out.len() {
            return Err(RandomError);
        }
        out.copy_from_slice(&bytes[..out.len()]);
        bytes.drain(..out.len());
        Ok(())
    }
}
