use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bulla_crypto::Random;

const IDS_PER_DRAW: usize = 64;
const ID_BYTES: usize = 16;

/// Makes request ids: version 4 UUIDs, drawn 64 at a time.
pub(crate) struct RequestIds {
    random: Arc<dyn Random>,
    drawn: Mutex<Drawn>,
}

struct Drawn {
    bytes: [u8; IDS_PER_DRAW * ID_BYTES],
    used: usize,
}

impl RequestIds {
    /// Draws from `random`.
    pub(crate) fn new(random: Arc<dyn Random>) -> Self {
        let drawn = Drawn {
            bytes: [0; IDS_PER_DRAW * ID_BYTES],
            used: IDS_PER_DRAW,
        };
        Self {
            random,
            drawn: Mutex::new(drawn),
        }
    }

    /// Makes the next id; all zeros where the random generator fails, which the service then says of itself.
    pub(crate) fn next(&self) -> Arc<str> {
        let mut bytes = [0; ID_BYTES];
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.used < IDS_PER_DRAW || self.random.fill(&mut drawn.bytes).is_ok() {
            drawn.used %= IDS_PER_DRAW;
            let at = drawn.used * ID_BYTES;
            bytes.copy_from_slice(&drawn.bytes[at..at + ID_BYTES]);
            drawn.used += 1;
        }
        drop(drawn);
        format(bytes)
    }
}

/// Writes the UUID (RFC 9562 §5.4).
fn format(mut bytes: [u8; ID_BYTES]) -> Arc<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    std::str::from_utf8(&text).unwrap_or_default().into()
}

impl fmt::Debug for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestIds")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bulla_crypto::SystemRandom;

    use super::*;

    #[test]
    fn ids_are_version_4_uuids_and_differ() {
        assert_eq!(&*format([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let ids = RequestIds::new(Arc::new(SystemRandom));
        let made: HashSet<Arc<str>> = (0..1000).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 1000);
    }
}
