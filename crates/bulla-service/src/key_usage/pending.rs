use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Used;

const SHARDS: usize = 16;

type Shard = HashMap<Arc<str>, Option<Used>>;

/// Uses that are not written down yet, by the key's ARN; none for a key that was deleted.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    shards: [Mutex<Shard>; SHARDS],
}

impl Pending {
    /// Notes a use, unless a later one is known.
    pub(crate) fn used(&self, arn: &Arc<str>, used: Used) {
        match self.shard(arn).get_mut(arn) {
            Some(Some(last)) if last.time > used.time => return,
            Some(last) => {
                *last = Some(used);
                return;
            }
            None => {}
        }
        self.shard(arn).insert(arn.clone(), Some(used));
    }

    pub(crate) fn forget(&self, arn: &str) {
        self.shard(arn).insert(arn.into(), None);
    }

    pub(crate) fn last(&self, arn: &str) -> Option<Used> {
        self.shard(arn).get(arn).cloned().flatten()
    }

    pub(crate) fn keys(&self) -> Vec<Arc<str>> {
        let shards = self.shards.iter().map(lock);
        shards
            .flat_map(|shard| shard.keys().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// What is to be written of these keys.
    pub(crate) fn of(&self, keys: &[Arc<str>]) -> Vec<(Arc<str>, Option<Used>)> {
        let of = |key: &Arc<str>| Some((key.clone(), self.shard(key).get(key)?.clone()));
        keys.iter().filter_map(of).collect()
    }

    /// Drops what was written, where nothing newer came meanwhile.
    pub(crate) fn written(&self, uses: &[(Arc<str>, Option<Used>)]) {
        let event = |used: &Option<Used>| used.as_ref().map(|used| used.event_id.clone());
        for (arn, used) in uses {
            let mut shard = self.shard(arn);
            if shard.get(arn).is_some_and(|now| event(now) == event(used)) {
                shard.remove(arn);
            }
        }
    }

    /// The last characters of an ARN are those of a random key id.
    fn shard(&self, arn: &str) -> MutexGuard<'_, Shard> {
        let last = arn.as_bytes().last().copied().unwrap_or_default();
        lock(&self.shards[usize::from(last) % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bulla_model::Timestamp;

    use super::*;

    fn used(event_id: &str, micros: i64) -> Used {
        Used {
            operation: "Encrypt",
            time: Timestamp::from_micros(micros),
            event_id: event_id.to_owned(),
            request_id: "r".into(),
        }
    }

    #[test]
    fn the_latest_use_is_kept_and_what_came_while_it_was_written_is_not_lost() {
        let pending = Pending::default();
        let (a, b): (Arc<str>, Arc<str>) = ("arn/a".into(), "arn/b".into());
        pending.used(&a, used("e2", 2));
        pending.used(&a, used("e1", 1));
        pending.used(&b, used("e3", 3));
        assert_eq!(pending.last("arn/a").map(|used| used.event_id).as_deref(), Some("e2"));
        let writing = pending.of(&pending.keys());
        assert_eq!(writing.len(), 2);
        pending.used(&a, used("e4", 4));
        pending.written(&writing);
        assert_eq!(pending.keys(), std::slice::from_ref(&a));
        pending.forget(&a);
        assert!(pending.last("arn/a").is_none());
        let forgotten = pending.of(&[a]);
        assert!(forgotten[0].1.is_none());
        pending.written(&forgotten);
        assert!(pending.keys().is_empty());
    }
}
