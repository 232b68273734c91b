use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use blahaj::{Share as Point, Sharks};
use bulla_crypto::{DataKey, Random, RandomError, sha256};
use rand::{TryCryptoRng, TryRng};
use zeroize::{Zeroize, Zeroizing};

use super::RecoveryKey;

const PREFIX: &str = "bulla-share-1";

/// How many shares there are, and how many of them bring the key back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split {
    /// Shares needed; 2 to `total`.
    pub(crate) threshold: u8,
    /// Shares made; at most 255.
    pub(crate) total: u8,
}

/// One share of a recovery key.
///
/// # Format, version 1 (`spec/key-files.md`)
/// ```text
/// bulla-share-1:<set: 16 hex digits>:<threshold>:<index>:<share: 64 hex digits>:<check: 8 hex digits>
/// ```
/// `threshold` and `index` are decimal, 2 to 255 and 1 to 255. The share is the value, byte by byte, of polynomials over GF(2^8)
/// (Shamir 1979; modulo x^8 + x^4 + x^3 + x^2 + 1) at `index`. The check is the first 4 bytes of SHA-256 of all before the last colon: it finds slips of the pen.
pub(crate) struct Share {
    set: String,
    threshold: u8,
    index: u8,
    value: Zeroizing<[u8; 32]>,
}

/// Shares that don't give a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShareError {
    /// Not the text of a share.
    #[error("that is not a recovery share: one begins with {PREFIX}: and has six fields")]
    Malformed,
    /// Mistyped.
    #[error("the checksum of share {index} is wrong: look for a mistyped character")]
    Checksum {
        /// Its index, as it was typed.
        index: String,
    },
    /// From two splits.
    #[error("the shares belong to different sets: {first} and {second}")]
    MixedSets {
        /// One set.
        first: String,
        /// Another.
        second: String,
    },
    /// Fewer than the threshold.
    #[error("{given} different shares were given, {needed} are needed")]
    TooFew {
        /// Different shares given.
        given: usize,
        /// The threshold.
        needed: u8,
    },
    /// One index, two values.
    #[error("share {index} was given twice with different contents")]
    Contradiction {
        /// The index.
        index: u8,
    },
    /// They fit together and give another key.
    #[error("the shares do not give the recovery key of set {set}: one of them was forged")]
    WrongKey {
        /// The set.
        set: String,
    },
}

/// Splits a recovery key into shares.
///
/// # Errors
/// There is no randomness.
pub(crate) fn split(key: &RecoveryKey, split: Split, random: &dyn Random) -> Result<Vec<Share>, RandomError> {
    let mut rng = Rng { random, failed: false };
    let points = Sharks(split.threshold).dealer_rng(key.key.expose_secret(), &mut rng);
    let points: Vec<Point> = points.take(usize::from(split.total)).collect();
    if rng.failed {
        return Err(RandomError);
    }
    let mut shares = Vec::with_capacity(points.len());
    for point in &points {
        let bytes = Zeroizing::new(Vec::from(point));
        let Some((index, value)) = bytes.split_first() else {
            return Err(RandomError);
        };
        let mut share = Share {
            set: key.set.clone(),
            threshold: split.threshold,
            index: *index,
            value: Zeroizing::new([0; 32]),
        };
        share.value.copy_from_slice(value);
        shares.push(share);
    }
    Ok(shares)
}

/// Puts shares together.
///
/// # Errors
/// They are too few, of different sets, or give another key than the one that was split.
pub(crate) fn combine(shares: &[Share]) -> Result<RecoveryKey, ShareError> {
    let first = shares.first().ok_or(ShareError::TooFew { given: 0, needed: 2 })?;
    let mut distinct: Vec<&Share> = Vec::new();
    for share in shares {
        if share.set != first.set || share.threshold != first.threshold {
            return Err(ShareError::MixedSets {
                first: first.set.clone(),
                second: share.set.clone(),
            });
        }
        match distinct.iter().find(|known| known.index == share.index) {
            None => distinct.push(share),
            Some(known) if known.value == share.value => {}
            Some(_) => return Err(ShareError::Contradiction { index: share.index }),
        }
    }
    if distinct.len() < usize::from(first.threshold) {
        return Err(ShareError::TooFew {
            given: distinct.len(),
            needed: first.threshold,
        });
    }
    let wrong = || ShareError::WrongKey { set: first.set.clone() };
    let points: Result<Vec<Point>, _> = distinct
        .iter()
        .map(|share| {
            let mut bytes = Zeroizing::new(vec![share.index]);
            bytes.extend_from_slice(share.value.as_slice());
            Point::try_from(bytes.as_slice())
        })
        .collect();
    let points = points.map_err(|_| wrong())?;
    let mut secret = Sharks(first.threshold).recover(&points).map_err(|_| wrong())?;
    let key = DataKey::from_slice(&secret);
    secret.zeroize();
    let key = RecoveryKey::from_key(key.ok_or_else(wrong)?);
    if key.set == first.set { Ok(key) } else { Err(wrong()) }
}

impl Share {
    /// The text to write down; a secret.
    pub(crate) fn dangerous_to_text(&self) -> Zeroizing<String> {
        let value = Zeroizing::new(hex::encode(self.value.as_slice()));
        let mut text = Zeroizing::new(format!(
            "{PREFIX}:{}:{}:{}:{}",
            self.set,
            self.threshold,
            self.index,
            value.as_str()
        ));
        let check = check(&text);
        text.push(':');
        text.push_str(&check);
        text
    }
}

fn check(text: &str) -> String {
    hex::encode(sha256(text.as_bytes()).get(..4).unwrap_or_default())
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        // Case and spaces are what people add when they type.
        let text = Zeroizing::new(text.split_whitespace().collect::<String>().to_ascii_lowercase());
        let (body, said) = text.rsplit_once(':').ok_or(ShareError::Malformed)?;
        let fields: Vec<&str> = body.split(':').collect();
        let [PREFIX, set, threshold, index, value] = fields.as_slice() else {
            return Err(ShareError::Malformed);
        };
        if check(body) != said {
            return Err(ShareError::Checksum {
                index: (*index).to_owned(),
            });
        }
        let number = |text: &str, least: u8| {
            text.parse::<u8>()
                .ok()
                .filter(|number| *number >= least)
                .ok_or(ShareError::Malformed)
        };
        if set.len() != 16 || value.len() != 64 {
            return Err(ShareError::Malformed);
        }
        let mut share = Share {
            set: (*set).to_owned(),
            threshold: number(threshold, 2)?,
            index: number(index, 1)?,
            value: Zeroizing::new([0; 32]),
        };
        hex::decode_to_slice(value, share.value.as_mut_slice()).map_err(|_| ShareError::Malformed)?;
        Ok(share)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("set", &self.set)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (threshold, total) = text.split_once('/')?;
            let split = Split {
                threshold: threshold.parse().ok()?,
                total: total.parse().ok()?,
            };
            (2 <= split.threshold && split.threshold <= split.total).then_some(split)
        };
        parse().ok_or_else(|| "write how many shares are needed of how many, as in 3/5; at least 2, at most 255".into())
    }
}

/// The random source as the sharing library wants it, which knows no failure: so a failure is remembered.
struct Rng<'a> {
    random: &'a dyn Random,
    failed: bool,
}

impl TryRng for Rng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.failed |= self.random.fill(out).is_err();
        Ok(())
    }
}

impl TryCryptoRng for Rng<'_> {}

#[cfg(test)]
mod tests {
    use bulla_testkit::SeededRandom;

    use super::*;

    bulla_testkit::assert_not_impl!([Share, RecoveryKey]: Clone, Copy, std::fmt::Display, PartialEq);

    const THREE_OF_FIVE: Split = Split { threshold: 3, total: 5 };

    fn shares(seed: u64) -> (RecoveryKey, Vec<Share>) {
        let random = SeededRandom::new(seed);
        let key = RecoveryKey::generate(&random).unwrap();
        let shares = split(&key, THREE_OF_FIVE, &random).unwrap();
        (key, shares)
    }

    fn reread(shares: &[&Share]) -> Vec<Share> {
        shares
            .iter()
            .map(|share| share.dangerous_to_text().parse().unwrap())
            .collect()
    }

    #[test]
    fn any_three_of_five_bring_the_key_back_and_two_do_not() {
        let (key, all) = shares(1);
        for (a, b, c) in [(0, 1, 2), (4, 2, 0), (1, 3, 4)] {
            let found = combine(&reread(&[&all[a], &all[b], &all[c]])).unwrap();
            assert_eq!(found.key.expose_secret(), key.key.expose_secret());
        }
        let two = reread(&[&all[0], &all[1], &all[0]]);
        assert_eq!(
            combine(&two).map(|_| ()),
            Err(ShareError::TooFew { given: 2, needed: 3 })
        );
    }

    #[test]
    fn the_text_is_frozen_and_says_set_threshold_and_index() {
        let (key, all) = shares(1);
        let text = all[1].dangerous_to_text();
        assert!(
            text.starts_with(&format!("bulla-share-1:{}:3:2:", key.set())),
            "{}",
            text.as_str()
        );
        // Opens forever; made by another implementation, from the format above alone, of the key that the seed 1 gives.
        let frozen = include_str!("../../tests/frozen/recovery-shares-1.txt");
        let frozen: Vec<Share> = frozen.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(combine(&frozen).unwrap().key.expose_secret(), key.key.expose_secret());
    }

    #[test]
    fn every_mistyped_character_is_noticed() {
        let (_, all) = shares(1);
        let text = all[0].dangerous_to_text();
        for at in 0..text.len() {
            let mut typed = text.as_bytes().to_vec();
            typed[at] = if typed[at] == b'7' { b'8' } else { b'7' };
            assert!(
                String::from_utf8(typed).unwrap().parse::<Share>().is_err(),
                "character {at}"
            );
        }
        assert!(text.to_uppercase().replace(':', " : ").parse::<Share>().is_ok());
    }

    #[test]
    fn shares_of_two_sets_and_forged_shares_are_refused() {
        let ((_, ours), (_, others)) = (shares(1), shares(2));
        let mixed = reread(&[&ours[0], &ours[1], &others[2]]);
        assert!(matches!(combine(&mixed), Err(ShareError::MixedSets { .. })));
        let mut forged = reread(&[&ours[0], &ours[1], &ours[2]]);
        forged[1].value[7] ^= 1;
        assert!(matches!(combine(&forged), Err(ShareError::WrongKey { .. })));
        forged.extend(reread(&[&ours[1]]));
        assert_eq!(
            combine(&forged).map(|_| ()),
            Err(ShareError::Contradiction { index: 2 })
        );
    }

    #[test]
    fn a_split_is_two_numbers_of_which_the_first_is_two_or_more() {
        assert_eq!("3/5".parse(), Ok(THREE_OF_FIVE));
        for wrong in ["", "3", "1/5", "6/5", "3/256", "0/0", "-1/2"] {
            assert!(wrong.parse::<Split>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let (_, all) = shares(1);
        let secret = hex::encode(&all[0].value[..4]);
        assert!(!format!("{:?}", all[0]).contains(&secret));
    }
}
