use std::sync::atomic::{AtomicU64, Ordering};

/// What a vault has done since it was made; counters only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VaultStats {
    /// Gets that found a token.
    pub hits: u64,
    /// Gets that found none, or one that had expired.
    pub misses: u64,
    /// Gets that refused what they found: moved, replayed, changed, or under another key.
    pub refused: u64,
    /// Tokens written.
    pub puts: u64,
    /// Tokens deleted, without those of a revocation.
    pub deletes: u64,
    /// Times that a provider was asked for a token.
    pub fetches: u64,
    /// Times that it gave none.
    pub fetch_failures: u64,
    /// Calls to key services, by all clients.
    pub kms_calls: u64,
    /// Opens and seals that needed no call.
    pub kms_calls_saved: u64,
    /// Clients whose keys are held.
    pub clients: usize,
    /// Age in seconds of the oldest data key held for opening.
    pub oldest_key_seconds: u64,
}

/// What a key service asks for calls: `0.03 USD` for 10,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPrice {
    /// Millionths of the currency's unit, for 10,000 calls.
    micros: u64,
    currency: String,
}

/// A price that is not an amount and a currency of three letters, as `0.03 USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a price of 10,000 calls is an amount with at most six decimals and a currency of three letters, as \"0.03 USD\""
)]
pub struct CallPriceError;

impl Default for CallPrice {
    /// What AWS KMS asks for symmetric requests at the time of writing.
    fn default() -> Self {
        Self {
            micros: 30_000,
            currency: "USD".to_owned(),
        }
    }
}

impl std::str::FromStr for CallPrice {
    type Err = CallPriceError;

    fn from_str(text: &str) -> Result<Self, CallPriceError> {
        let (amount, currency) = text.split_once(' ').ok_or(CallPriceError)?;
        let (whole, decimals) = amount.split_once('.').unwrap_or((amount, "0"));
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        if !digits(whole, 9) || !digits(decimals, 6) || !is_currency {
            return Err(CallPriceError);
        }
        let micros = format!("{whole}{decimals:0<6}").parse().map_err(|_| CallPriceError)?;
        Ok(Self {
            micros,
            currency: currency.to_owned(),
        })
    }
}

impl CallPrice {
    /// Prices calls, with six decimals: `0.300000 USD`.
    pub fn of(&self, calls: u64) -> String {
        let micros = u128::from(calls) * u128::from(self.micros) / 10_000;
        format!("{}.{:06} {}", micros / 1_000_000, micros % 1_000_000, self.currency)
    }
}

impl VaultStats {
    /// Says in one line what the caches saved.
    pub fn cost_line(&self, price: &CallPrice) -> String {
        format!(
            "{} calls to key services ({}), {} saved by caches ({})",
            self.kms_calls,
            price.of(self.kms_calls),
            self.kms_calls_saved,
            price.of(self.kms_calls_saved)
        )
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) puts: AtomicU64,
    pub(crate) deletes: AtomicU64,
    pub(crate) fetches: AtomicU64,
    pub(crate) fetch_failures: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> VaultStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        VaultStats {
            hits: read(&self.hits),
            misses: read(&self.misses),
            refused: read(&self.refused),
            puts: read(&self.puts),
            deletes: read(&self.deletes),
            fetches: read(&self.fetches),
            fetch_failures: read(&self.fetch_failures),
            ..VaultStats::default()
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_priced_as_the_setting_says() {
        let stats = VaultStats {
            kms_calls: 7,
            kms_calls_saved: 1_000_000,
            ..VaultStats::default()
        };
        assert_eq!(
            stats.cost_line(&CallPrice::default()),
            "7 calls to key services (0.000021 USD), 1000000 saved by caches (3.000000 USD)"
        );
        assert_eq!("0.03 USD".parse(), Ok(CallPrice::default()));
        let other: CallPrice = "12 EUR".parse().unwrap();
        assert_eq!(other.of(15_000), "18.000000 EUR");
        for wrong in [
            "",
            "0.03",
            "x USD",
            "-1 USD",
            "0.0000001 USD",
            "1 usd",
            "1. USD",
            "1 US",
            "9999999999 USD",
        ] {
            assert_eq!(wrong.parse::<CallPrice>(), Err(CallPriceError), "{wrong}");
        }
    }
}
