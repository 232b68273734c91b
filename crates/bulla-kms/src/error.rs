use std::error::Error;

/// A call to a key provider that failed.
///
/// `Display` says what failed and for which key, without its source and without a secret.
#[derive(Debug, thiserror::Error)]
#[error("{operation} with key {key}: {kind}")]
pub struct KmsError {
    /// What the caller should do about it.
    pub kind: KmsErrorKind,
    /// The provider's method, in its own words: `unwrap`, `generate data key`.
    pub operation: &'static str,
    /// The key as the caller named it, made fit for a log: at most 256 characters, control characters replaced.
    pub key: String,
    /// What the provider or its client said.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl KmsError {
    /// Makes an error without a source.
    pub fn new(kind: KmsErrorKind, operation: &'static str, key: impl AsRef<str>) -> Self {
        let key = key
            .as_ref()
            .chars()
            .take(256)
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        Self {
            kind,
            operation,
            key: key.collect(),
            source: None,
        }
    }

    /// Adds what the provider said.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Tells whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

/// Why a provider refused; closed, so that callers decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum KmsErrorKind {
    /// No such key.
    #[error("no such key")]
    NotFound,
    /// These credentials may not do this, or there are none.
    #[error("access denied")]
    AccessDenied,
    /// The key is disabled, pending deletion or pending import.
    #[error("the key can't be used in its state")]
    KeyDisabled,
    /// The wrapped bytes do not authenticate under this key and context.
    #[error("the wrapped key does not belong to this key and context")]
    WrongContext,
    /// Too many calls; later.
    #[error("throttled")]
    Throttled,
    /// Not reached, timed out, or broken on its side; later.
    #[error("unavailable")]
    Unavailable,
    /// The call itself is wrong, and stays so.
    #[error("invalid request")]
    Invalid,
    /// The provider can't do this at all.
    #[error("not supported by this provider")]
    Unsupported,
}

impl KmsErrorKind {
    /// Tells whether the same call may succeed later.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_operation_key_and_kind_but_not_its_source() {
        let error = KmsError::new(KmsErrorKind::Throttled, "unwrap", "alias/app").with_source("slow down");
        assert_eq!(error.to_string(), "unwrap with key alias/app: throttled");
        assert_eq!(error.source().map(ToString::to_string), Some("slow down".to_owned()));
    }

    #[test]
    fn a_key_name_reaches_the_log_short_and_on_one_line() {
        let error = KmsError::new(
            KmsErrorKind::Invalid,
            "wrap",
            format!("a\r\n\u{1b}[2J{}", "k".repeat(5_000)),
        );
        assert_eq!(error.key.chars().count(), 256);
        assert!(error.key.starts_with("a\u{fffd}\u{fffd}\u{fffd}[2Jkkk"));
    }

    #[test]
    fn only_throttled_and_unavailable_may_succeed_later() {
        use KmsErrorKind::*;
        for kind in [
            NotFound,
            AccessDenied,
            KeyDisabled,
            WrongContext,
            Throttled,
            Unavailable,
            Invalid,
            Unsupported,
        ] {
            assert_eq!(kind.is_retryable(), matches!(kind, Throttled | Unavailable), "{kind:?}");
        }
    }
}
