use std::collections::BTreeMap;

use serde_json::Value;

/// Principals counted by themselves; the rest are counted together.
const MAX_PRINCIPALS: usize = 10_000;

/// Counts accesses by who made them; takes memory for 10,000 principals at most.
#[derive(Debug, Clone, Default)]
pub struct Principals {
    counted: BTreeMap<String, PrincipalAccesses>,
    /// Accesses of principals beyond those.
    others: u64,
}

/// How often a principal accessed something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrincipalAccesses {
    /// The principal's ARN.
    pub principal: String,
    /// Accesses, refused ones too.
    pub accesses: u64,
    /// Those that were denied or failed.
    pub failed: u64,
    /// The time of the first, as the event has it.
    pub first: String,
    /// The time of the last.
    pub last: String,
}

impl Principals {
    /// Counts an event.
    pub fn count(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let principal = text(&event["userIdentity"]["arn"]);
        if !self.counted.contains_key(&principal) && self.counted.len() >= MAX_PRINCIPALS {
            self.others += 1;
            return;
        }
        let time = text(&event["eventTime"]);
        let row = self.counted.entry(principal.clone()).or_default();
        if row.accesses == 0 {
            row.principal = principal;
            row.first.clone_from(&time);
        }
        row.accesses += 1;
        row.failed += u64::from(event["errorCode"].is_string());
        row.last = time;
    }

    /// All who were counted, who made most first; and how many accesses were made by others.
    pub fn finish(self) -> (Vec<PrincipalAccesses>, u64) {
        let mut rows: Vec<_> = self.counted.into_values().collect();
        rows.sort_by(|one, other| {
            let by_count = other.accesses.cmp(&one.accesses);
            by_count.then_with(|| one.principal.cmp(&other.principal))
        });
        (rows, self.others)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_made_most_comes_first_and_memory_is_bounded() {
        let mut principals = Principals::default();
        let mut count = |arn: &str, failed: bool| {
            let mut event = json!({"userIdentity": {"arn": arn}, "eventTime": "t"});
            if failed {
                event["errorCode"] = "AccessDeniedException".into();
            }
            principals.count(&event);
        };
        for (arn, failed) in [("a", false), ("b", false), ("b", true)] {
            count(arn, failed);
        }
        for other in 0..MAX_PRINCIPALS {
            count(&format!("c{other}"), false);
        }
        let (rows, others) = principals.finish();
        assert_eq!((rows.len(), others), (MAX_PRINCIPALS, 2));
        assert_eq!(
            (rows[0].principal.as_str(), rows[0].accesses, rows[0].failed),
            ("b", 2, 1)
        );
        assert_eq!(rows[1].principal, "a");
    }
}
