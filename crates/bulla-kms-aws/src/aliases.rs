use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key_name::KeyName;

/// Where aliases led in the region where they are looked up.
///
/// An alias is of one region: under the same name another region may have any other key. So elsewhere it stands for nothing but the
/// replica of the key that it leads to at home, asked for by its ARN.
#[derive(Default)]
pub(crate) struct Aliases(Mutex<HashMap<String, String>>);

/// Aliases that are remembered at most; beyond it all are asked for anew.
const MOST: usize = 1024;

impl Aliases {
    /// Notes the ARN of the key that answered for `alias` at home.
    pub(crate) fn note(&self, alias: &str, arn: &str) {
        let mut known = self.known();
        if known.get(alias).is_some_and(|before| before == arn) {
            return;
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(alias.to_owned(), arn.to_owned());
    }

    /// The ARN of the replica in `region`, or why there is none.
    pub(crate) fn replica(&self, alias: &str, region: &str) -> Result<String, &'static str> {
        let known = self.known();
        let arn = known
            .get(alias)
            .ok_or("the alias's own region has not yet said which key it leads to")?;
        let name = KeyName::parse(arn).filter(KeyName::may_have_replicas);
        let name = name.ok_or("the alias leads to a single-Region key")?;
        Ok(name.in_region(region).into_owned())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
