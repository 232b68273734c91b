use std::collections::{BTreeMap, HashMap};

/// Addresses that are counted at once.
const TRACKED: usize = 1024;
/// Addresses that an event names.
const NAMED: usize = 20;
/// Longest text of an address, with room; the edge makes the texts itself.
const ADDRESS_BYTES: usize = 64;

/// How many failures came from which address, in bounded memory (Misra and Gries, "Finding repeated elements", 1982).
///
/// When one address too many comes, every counted one gives one up to the remainder. So who sends from more addresses than are counted
/// does not push out one that sent more than a 1,024th of all, each number is a lower bound, and numbers and remainder add up.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    counts: HashMap<Box<str>, u64>,
    others: u64,
}

impl Sources {
    pub(crate) fn count(&mut self, address: &str) {
        if let Some(count) = self.counts.get_mut(address) {
            *count += 1;
        } else if address.len() > ADDRESS_BYTES {
            self.others += 1;
        } else if self.counts.len() < TRACKED {
            self.counts.insert(address.into(), 1);
        } else {
            self.others += 1 + self.counts.len() as u64;
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    pub(crate) fn add(&mut self, other: Sources) {
        self.others += other.others;
        for (address, count) in other.counts {
            if let Some(known) = self.counts.get_mut(&address) {
                *known += count;
            } else if self.counts.len() < TRACKED {
                self.counts.insert(address, count);
            } else {
                self.others += count;
            }
        }
    }

    /// The addresses that sent most, and how many failures came from all others.
    pub(crate) fn greatest(&self) -> (BTreeMap<String, u64>, u64) {
        let mut all: Vec<(&str, u64)> = self
            .counts
            .iter()
            .map(|(address, count)| (&**address, *count))
            .collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let rest = all.iter().skip(NAMED).map(|(_, count)| count).sum::<u64>();
        let named = all.into_iter().take(NAMED);
        (
            named.map(|(address, count)| (address.to_owned(), count)).collect(),
            self.others + rest,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_addresses_are_counted_exactly() {
        let mut sources = Sources::default();
        for address in ["192.0.2.1", "2001:db8::1", "192.0.2.1"] {
            sources.count(address);
        }
        let expected = [("192.0.2.1".to_owned(), 2), ("2001:db8::1".to_owned(), 1)];
        assert_eq!(sources.greatest(), (BTreeMap::from(expected), 0));
    }

    #[test]
    fn who_sends_most_is_named_however_many_addresses_there_are() {
        let mut sources = Sources::default();
        for number in 0..100_000_u32 {
            sources.count(&std::net::Ipv4Addr::from(number).to_string());
            if number % 10 == 0 {
                sources.count("2001:db8::bad");
            }
        }
        let (named, others) = sources.greatest();
        assert_eq!(named.len(), NAMED);
        assert!(named["2001:db8::bad"] > 9_000, "{named:?}");
        assert_eq!(named.values().sum::<u64>() + others, 110_000);
        assert!(sources.counts.len() <= TRACKED);
    }

    #[test]
    fn counts_that_are_put_back_are_not_lost() {
        let (mut now, mut earlier) = (Sources::default(), Sources::default());
        for number in 0..TRACKED {
            earlier.count(&format!("a{number}"));
            now.count(&format!("b{number}"));
        }
        now.count("a0");
        earlier.count(&"x".repeat(ADDRESS_BYTES + 1));
        now.add(earlier);
        let (named, others) = now.greatest();
        assert_eq!(named.values().sum::<u64>() + others, 2 * TRACKED as u64 + 2);
        assert!(now.counts.len() <= TRACKED);
    }
}
