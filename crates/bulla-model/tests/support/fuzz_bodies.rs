//! What the fuzz targets check, shared by `fuzz/` (libFuzzer) and `tests/fuzz_targets.rs` (replay on stable).

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bulla_model::policy::{Policy, PolicyKind};
use bulla_model::{AccountId, AliasName, KeyId, KeyRef, MaterialId, PrincipalArn, PrincipalName, Region};

/// Policies: never a panic, whichever kind a document is read as.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for kind in [PolicyKind::Key, PolicyKind::Identity, PolicyKind::Trust] {
        if let Ok(policy) = Policy::parse(kind, text) {
            assert!(text.len() <= 32 * 1024);
            assert!(policy.sid(policy.len()).is_none());
        }
    }
}

/// Names of keys, aliases, principals, accounts, regions: one spelling each.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    one_spelling::<KeyId>(text);
    one_spelling::<AliasName>(text);
    one_spelling::<AccountId>(text);
    one_spelling::<Region>(text);
    one_spelling::<MaterialId>(text);
    one_spelling::<PrincipalName>(text);
    one_spelling::<PrincipalArn>(text);
    let region: Region = "eu-west-1".parse().expect("a region");
    if let Err(error) = KeyRef::parse(text, &region) {
        assert!(!error.to_string().is_empty());
    }
}

fn one_spelling<T: FromStr + Display + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text, "{value:?}");
    }
}
