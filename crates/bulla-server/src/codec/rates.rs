use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// How many requests each principal may make: so many a second, and as many at once.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: f64,
    buckets: Mutex<HashMap<Arc<str>, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// Principals that are remembered; one that is forgotten begins with a full bucket.
const MOST: usize = 10_000;

impl Rates {
    /// Zero is no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second: per_second.into(),
            buckets: Mutex::default(),
        }
    }

    /// Counts one request; `false` where it is one too many.
    pub(crate) fn admit(&self, principal: &Arc<str>) -> bool {
        self.per_second == 0.0 || self.admit_at(principal, Instant::now())
    }

    pub(super) fn admit_at(&self, principal: &Arc<str>, now: Instant) -> bool {
        let full = Bucket {
            left: self.per_second,
            at: now,
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(principal) {
            buckets.retain(|_, bucket| now.duration_since(bucket.at).as_secs() < 1);
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(Arc::clone(principal)).or_insert(full);
        let refilled = bucket.left + now.duration_since(bucket.at).as_secs_f64() * self.per_second;
        *bucket = Bucket {
            left: refilled.min(self.per_second),
            at: now,
        };
        let admitted = bucket.left >= 1.0;
        if admitted {
            bucket.left -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_principal_has_a_rate_of_his_own_that_fills_up_again() {
        let rates = Rates::new(3);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let began = Instant::now();
        let admitted = |who: &Arc<str>, after_ms: u64| {
            let now = began + Duration::from_millis(after_ms);
            (0..5).filter(|_| rates.admit_at(who, now)).count()
        };
        assert_eq!(admitted(&a, 0), 3);
        assert_eq!(admitted(&b, 0), 3);
        assert_eq!(admitted(&a, 700), 2);
        assert_eq!(admitted(&a, 60_700), 3);
        assert!((0..100).all(|_| Rates::new(0).admit(&a)));
    }

    #[test]
    fn more_principals_than_fit_are_forgotten_and_not_kept() {
        let rates = Rates::new(1);
        for index in 0..MOST + 10 {
            assert!(rates.admit(&index.to_string().into()));
        }
        assert!(rates.buckets.lock().unwrap().len() <= MOST);
    }
}
