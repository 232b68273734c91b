//! What is kept between fetches of one token: the bytes of `spec/token-vault.md`, *State of fetching*.

use bulla_crypto::SecretBytes;
use bulla_model::Timestamp;

use crate::content::{Reader, micros};
use crate::store::Lease;

const FORMAT: u8 = 1;
const NEEDS_AUTHORISATION: u8 = 1;
const INTENT: u8 = 2;
/// The longest refresh token, in bytes.
pub(crate) const MAX_REFRESH_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct FetchState {
    pub(crate) needs_authorisation: bool,
    /// Nobody asks the provider earlier.
    pub(crate) not_before: Option<Timestamp>,
    /// Failed fetches in a row.
    pub(crate) failures: u32,
    /// Who was about to ask the provider, and has not said what came of it.
    pub(crate) intent: Option<Intent>,
    /// The refresh token to use next.
    pub(crate) current: Option<SecretBytes>,
    /// The one that it replaced, kept until `current` has worked.
    pub(crate) previous: Option<SecretBytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) lease: u64,
    pub(crate) since: Timestamp,
}

impl Intent {
    pub(crate) fn new(lease: &Lease, since: Timestamp) -> Self {
        Self {
            lease: lease.number,
            since,
        }
    }
}

impl FetchState {
    /// Takes over the refresh token that a provider gave for `used`.
    pub(crate) fn succeed(&mut self, used: Option<&SecretBytes>, new: Option<&SecretBytes>) {
        self.needs_authorisation = false;
        self.not_before = None;
        self.failures = 0;
        self.intent = None;
        let Some(used) = used else { return };
        match new.filter(|new| new.expose_secret() != used.expose_secret()) {
            Some(new) => {
                self.previous = Some(copy(used));
                self.current = Some(copy(new));
            }
            // It worked, and stays: what it replaced is not needed any more.
            None => {
                self.current = Some(copy(used));
                self.previous = None;
            }
        }
    }

    /// Whether `used` is what the state says to use.
    pub(crate) fn uses(&self, used: Option<&SecretBytes>) -> bool {
        self.current.as_ref().map(SecretBytes::expose_secret) == used.map(SecretBytes::expose_secret)
    }

    pub(crate) fn encode(&self) -> SecretBytes {
        let tokens = [&self.current, &self.previous];
        let length = |token: &Option<SecretBytes>| token.as_ref().map_or(0, SecretBytes::len);
        let size = 38 + tokens.iter().map(|token| length(token)).sum::<usize>();
        let mut out = Vec::with_capacity(size);
        let flag = |holds: bool, bit: u8| if holds { bit } else { 0 };
        out.push(FORMAT);
        out.push(flag(self.needs_authorisation, NEEDS_AUTHORISATION) | flag(self.intent.is_some(), INTENT));
        out.extend_from_slice(&micros(self.not_before).to_be_bytes());
        out.extend_from_slice(&self.failures.to_be_bytes());
        out.extend_from_slice(&self.intent.map_or(0, |intent| intent.lease).to_be_bytes());
        out.extend_from_slice(&micros(self.intent.map(|intent| intent.since)).to_be_bytes());
        for token in tokens {
            out.extend_from_slice(&(length(token) as u32).to_be_bytes());
            out.extend_from_slice(token.as_ref().map_or(&[], SecretBytes::expose_secret));
        }
        SecretBytes::from_vec(out)
    }

    pub(crate) fn decode(content: &SecretBytes) -> Option<Self> {
        let mut reader = Reader(content.expose_secret());
        let (format, flags) = (reader.u8()?, reader.u8()?);
        if format != FORMAT || flags & !(NEEDS_AUTHORISATION | INTENT) != 0 {
            return None;
        }
        let not_before = time(reader.u64()?)?;
        let failures = reader.u32()?;
        let (lease, since) = (reader.u64()?, time(reader.u64()?)?);
        let intent = match flags & INTENT {
            // "0 where no intent is open".
            0 if lease == 0 && since.is_none() => None,
            0 => return None,
            _ => Some(Intent { lease, since: since? }),
        };
        let (current, previous) = (token(&mut reader)?, token(&mut reader)?);
        reader.0.is_empty().then_some(Self {
            needs_authorisation: flags & NEEDS_AUTHORISATION != 0,
            not_before,
            failures,
            intent,
            current,
            previous,
        })
    }
}

pub(crate) fn copy(secret: &SecretBytes) -> SecretBytes {
    SecretBytes::from_vec(secret.expose_secret().to_vec())
}

fn time(micros: u64) -> Option<Option<Timestamp>> {
    match i64::try_from(micros).ok()? {
        0 => Some(None),
        micros => Some(Some(Timestamp::from_micros(micros))),
    }
}

fn token(reader: &mut Reader<'_>) -> Option<Option<SecretBytes>> {
    let length = usize::try_from(reader.u32()?).ok()?;
    if length > MAX_REFRESH_BYTES {
        return None;
    }
    let bytes = reader.take(length)?;
    Some((!bytes.is_empty()).then(|| SecretBytes::from_vec(bytes.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::from_vec(text.as_bytes().to_vec())
    }

    fn shown(state: &FetchState) -> (Option<&[u8]>, Option<&[u8]>) {
        (
            state.current.as_ref().map(SecretBytes::expose_secret),
            state.previous.as_ref().map(SecretBytes::expose_secret),
        )
    }

    #[test]
    fn what_is_written_is_read_and_nothing_shorter_or_longer() {
        let state = FetchState {
            needs_authorisation: true,
            not_before: Some(Timestamp::from_micros(7)),
            failures: 3,
            intent: Some(Intent {
                lease: 9,
                since: Timestamp::from_micros(8),
            }),
            current: Some(secret("current")),
            previous: Some(secret("previous")),
        };
        let bytes = state.encode();
        let read = FetchState::decode(&bytes).unwrap();
        assert_eq!(shown(&read), shown(&state));
        assert_eq!(
            (read.intent, read.failures, read.not_before),
            (state.intent, 3, state.not_before)
        );
        for length in 0..bytes.len() {
            let cut = SecretBytes::from_vec(bytes.expose_secret()[..length].to_vec());
            assert!(FetchState::decode(&cut).is_none());
        }
        // Numbers of an intent, and none open.
        let mut closed = bytes.expose_secret().to_vec();
        closed[1] &= !INTENT;
        assert!(FetchState::decode(&SecretBytes::from_vec(closed)).is_none());
        let mut longer = bytes.expose_secret().to_vec();
        longer.push(0);
        assert!(FetchState::decode(&SecretBytes::from_vec(longer)).is_none());
        assert!(FetchState::decode(&FetchState::default().encode()).is_some());
    }

    #[test]
    fn the_previous_refresh_token_is_kept_until_the_new_one_has_worked() {
        let mut state = FetchState {
            current: Some(secret("one")),
            ..FetchState::default()
        };
        state.succeed(Some(&secret("one")), Some(&secret("two")));
        assert_eq!(shown(&state), (Some(&b"two"[..]), Some(&b"one"[..])));
        state.succeed(Some(&secret("two")), None);
        assert_eq!(shown(&state), (Some(&b"two"[..]), None));
    }
}
