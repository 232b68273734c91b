use std::time::Duration;

use bulla_crypto::{Context, SecretBytes};
use bulla_model::Timestamp;

/// The longest value of a token, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// A token to be kept.
#[derive(Debug)]
pub struct NewToken {
    /// The secret, 1 to 65,536 bytes of any kind.
    pub value: SecretBytes,
    /// How long it is valid from now on; `None` for ever.
    pub ttl: Option<Duration>,
    /// What kind of token it is, as `Bearer`; at most 256 bytes.
    pub token_type: String,
    /// What it is good for; at most 256 of at most 1,024 bytes each.
    pub scopes: Vec<String>,
    /// Pairs that are kept with it, sealed as it is; at most 8,192 bytes in all.
    pub metadata: Context,
}

impl NewToken {
    /// Makes a token that never expires, of no type, without scopes and metadata.
    pub fn new(value: SecretBytes) -> Self {
        Self {
            value,
            ttl: None,
            token_type: String::new(),
            scopes: Vec::new(),
            metadata: Context::empty(),
        }
    }

    /// Limits how long the token is valid.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

/// A token as it is kept.
#[derive(Debug)]
pub struct Token {
    /// The secret.
    pub value: SecretBytes,
    /// Which write of this token it is; grows with each.
    pub version: u64,
    /// What else is known of it.
    pub about: About,
}

/// What a token is, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// When it was put.
    pub created: Timestamp,
    /// From when on it is not given out any more; `None` for never.
    pub expires: Option<Timestamp>,
    /// What kind of token it is.
    pub token_type: String,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// What was kept with it.
    pub metadata: Context,
}

impl About {
    /// Tells whether the token is given out at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// How long the token is still valid at `now`; `None` for ever.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        let left = |expires: Timestamp| u64::try_from(expires.as_micros().saturating_sub(now.as_micros())).unwrap_or(0);
        self.expires.map(|expires| Duration::from_micros(left(expires)))
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The write's version.
    pub version: u64,
    /// The expiry that was sealed.
    pub expires: Option<Timestamp>,
}

/// A token in a listing: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which token.
    pub token: crate::TokenRef,
    /// Which write of it.
    pub version: u64,
    /// What is known of it.
    pub about: About,
}
