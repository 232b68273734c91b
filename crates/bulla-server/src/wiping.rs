//! Buffers that are overwritten before their memory is given back.

use std::ops::Deref;
use std::{fmt, io};

use bytes::Bytes;

use crate::body::Share;

/// Bytes that are wiped when they are dropped, over the whole capacity, at the speed of `memset`: `Zeroizing` writes byte by byte.
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    /// Takes bytes over.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Wiped {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.resize(self.0.capacity(), 0);
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wiped({} bytes)", self.0.len())
    }
}

fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Keeps the compiler from seeing that nobody reads the zeros.
    zeroize::optimization_barrier(bytes);
}

/// Writes into memory that is wiped: when it grows, the old buffer; when it is dropped, all of it.
#[derive(Debug)]
pub(crate) struct WipingWriter(Wiped);

impl WipingWriter {
    /// Makes room for `capacity_bytes`, so that it seldom grows.
    pub(crate) fn with_capacity(capacity_bytes: usize) -> Self {
        Self(Wiped(Vec::with_capacity(capacity_bytes)))
    }

    /// Gives the bytes to the connection, which drops and so wipes them once they are written.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self.0)
    }

    /// What was appended so far.
    pub(crate) fn written(&self) -> &[u8] {
        &self.0.0
    }

    /// Appends bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let written = &mut self.0.0;
        let needed = written.len() + bytes.len();
        if needed > written.capacity() {
            let mut larger = Vec::with_capacity(needed * 2);
            larger.extend_from_slice(written);
            drop(Wiped(std::mem::replace(written, larger)));
        }
        written.extend_from_slice(bytes);
    }
}

impl io::Write for WipingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body of a request.
///
/// # Security
/// A body that arrived in one piece is read where hyper received it, without a copy. That buffer belongs to the connection: it is
/// wiped here if nothing else holds it, else the connection's next request overwrites it, or its end frees it unwiped.
/// Bodies in several pieces are put together in memory of our own, which is wiped.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// As received.
    Whole(Bytes),
    /// Put together, with the share of the memory for bodies that it holds, if it is large.
    Joined { bytes: WipingWriter, share: Option<Share> },
}

impl RequestBody {
    /// Gives its share of the memory for bodies back, before what is worked on takes one.
    pub(crate) fn give_share_back(&mut self) {
        if let Self::Joined { share, .. } = self {
            *share = None;
        }
    }
}

impl Deref for RequestBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Joined { bytes, .. } => bytes.0.as_ref(),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Self::Whole(bytes) = self
            && let Ok(mut bytes) = std::mem::take(bytes).try_into_mut()
        {
            wipe(bytes.as_mut());
        }
    }
}
