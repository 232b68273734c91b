use std::sync::atomic::{AtomicU64, Ordering};

use bulla_crypto::{Random, RandomError};

/// A random source that gives the same bytes for the same seed; for tests only.
///
/// SplitMix64, eight bytes a step. Draws from one thread are reproducible; draws from several threads are distinct, in whatever order
/// the threads came.
#[derive(Debug)]
pub struct SeededRandom {
    state: AtomicU64,
}

impl SeededRandom {
    /// Starts the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }

    fn next(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        for chunk in out.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            let (bytes, _) = word.split_at(chunk.len());
            chunk.copy_from_slice(bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(random: &SeededRandom) -> [u8; 21] {
        let mut out = [0; 21];
        random.fill(&mut out).unwrap();
        out
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
        assert_eq!(draw(&SeededRandom::new(7)), draw(&SeededRandom::new(7)));
        assert_ne!(draw(&SeededRandom::new(7)), draw(&SeededRandom::new(8)));
    }

    #[test]
    fn a_stream_does_not_repeat_itself() {
        let random = SeededRandom::new(7);
        assert_ne!(draw(&random), draw(&random));
    }
}
