use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Caller;

/// Requests that wait at once.
const MOST: usize = 1024;
/// Of one account, so that the others can wait, too.
const MOST_OF_ACCOUNT: usize = 512;
/// Of one principal.
const MOST_OF_PRINCIPAL: usize = 256;

/// Who waits for changes.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<HashMap<String, usize>>);

/// One who waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'w> {
    waiters: &'w Waiters,
    /// What it counts for: everybody, an account, a principal.
    counted: [String; 3],
}

impl Waiters {
    /// Lets a caller wait; `None` where too many do.
    pub(super) fn admit(&self, caller: &Caller) -> Option<Waiting<'_>> {
        let counted = ["", caller.account().as_str(), caller.arn().as_str()].map(str::to_owned);
        let mut counts = self.counts();
        let most = [MOST, MOST_OF_ACCOUNT, MOST_OF_PRINCIPAL];
        let is_full = |(of, most)| counts.get(of).is_some_and(|count| *count >= most);
        if counted.iter().zip(most).any(is_full) {
            return None;
        }
        for of in &counted {
            *counts.entry(of.clone()).or_default() += 1;
        }
        drop(counts);
        Some(Waiting { waiters: self, counted })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut counts = self.waiters.counts();
        for of in &self.counted {
            match counts.get_mut(of) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(counts.remove(of)),
            }
        }
    }
}
