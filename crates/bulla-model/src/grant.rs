use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::policy::same_key;
use crate::{GrantOperation, KeySpec, KeyUsage, ParseError};

/// What the encryption context must be for a grant to permit an operation; both parts where both are there.
///
/// "In a grant constraint, the key in each key-value pair is not case sensitive, but the value is case sensitive."
///
/// Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html>.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantConstraints {
    /// `EncryptionContextEquals`: exactly these pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<BTreeMap<String, String>>,
    /// `EncryptionContextSubset`: these pairs and any others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<BTreeMap<String, String>>,
}

impl GrantConstraints {
    /// Whether there is no constraint at all.
    pub fn is_empty(&self) -> bool {
        self.equals.is_none() && self.subset.is_none()
    }

    /// Whether an encryption context satisfies the constraints. Pairs whose keys differ by case only are all of one key, and must all
    /// have the wanted value.
    pub fn admit<'a>(&self, context: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> bool {
        let has = |(key, value): (&String, &String)| {
            let lower = key.to_lowercase();
            let mut same = context.clone().filter(|(found, _)| same_key(&lower, found)).peekable();
            same.peek().is_some() && same.all(|(_, found)| found == value)
        };
        let has_all = |pairs: &BTreeMap<String, String>| pairs.iter().all(has);
        let equals = self
            .equals
            .as_ref()
            .is_none_or(|wanted| has_all(wanted) && context.clone().count() == wanted.len());
        equals && self.subset.as_ref().is_none_or(has_all)
    }

    /// Whether every context that these admit is admitted by `parent`, so that a grant with these may follow from one with those.
    pub fn are_within(&self, parent: &GrantConstraints) -> bool {
        let pairs = |own: &BTreeMap<String, String>| {
            let pairs: Vec<(String, String)> = own.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            pairs
        };
        match (&self.equals, &self.subset) {
            // One context is admitted: the parent admits it or not.
            (Some(equals), _) => {
                let pairs = pairs(equals);
                parent.admit(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
            }
            (None, Some(subset)) if parent.equals.is_none() => {
                let pairs = pairs(subset);
                let wanted = GrantConstraints {
                    equals: None,
                    subset: parent.subset.clone(),
                };
                wanted.admit(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
            }
            _ => parent.is_empty(),
        }
    }
}

impl GrantOperation {
    /// Finds the operation of a policy's action, `kms:Decrypt`.
    pub fn of_action(action: &str) -> Option<Self> {
        action.strip_prefix("kms:")?.parse().ok()
    }

    /// Whether the operation has an encryption context on keys of this kind, so that constraints apply to it.
    pub fn has_context(self, spec: KeySpec) -> bool {
        use GrantOperation as O;
        spec == KeySpec::SymmetricDefault
            && matches!(
                self,
                O::Decrypt
                    | O::Encrypt
                    | O::GenerateDataKey
                    | O::GenerateDataKeyWithoutPlaintext
                    | O::GenerateDataKeyPair
                    | O::GenerateDataKeyPairWithoutPlaintext
                    | O::ReEncryptFrom
                    | O::ReEncryptTo
            )
    }

    /// Whether a grant on keys of this kind can have the operation.
    ///
    /// Source: the table of grant operations at <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>.
    pub fn is_of(self, usage: KeyUsage, spec: KeySpec) -> bool {
        use GrantOperation as O;
        let symmetric = spec == KeySpec::SymmetricDefault;
        match self {
            O::CreateGrant | O::RetireGrant | O::DescribeKey => true,
            O::Encrypt | O::Decrypt | O::ReEncryptFrom | O::ReEncryptTo => usage == KeyUsage::EncryptDecrypt,
            O::GenerateDataKey
            | O::GenerateDataKeyWithoutPlaintext
            | O::GenerateDataKeyPair
            | O::GenerateDataKeyPairWithoutPlaintext => symmetric && usage == KeyUsage::EncryptDecrypt,
            O::Sign | O::Verify => usage == KeyUsage::SignVerify,
            O::GetPublicKey => !symmetric && usage != KeyUsage::GenerateVerifyMac,
            O::GenerateMac | O::VerifyMac => usage == KeyUsage::GenerateVerifyMac,
            O::DeriveSharedSecret => usage == KeyUsage::KeyAgreement,
            O::Encapsulate | O::Decapsulate => usage == KeyUsage::EncapsulateDecapsulate,
        }
    }
}

/// Reads who is named as grantee or retiring principal: the ARN of an account's root, a user, a role, a role's session or a federated
/// user; an account's 12 digits become its root's ARN.
///
/// # Errors
/// For anything else.
pub fn grant_principal(text: &str) -> Result<String, ParseError> {
    let wrong = ParseError {
        what: "principal that a grant can name",
    };
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if is_account(text) {
        return Ok(format!("arn:aws:iam::{text}:root"));
    }
    let rest = text.strip_prefix("arn:aws:").ok_or(wrong)?;
    let (service, rest) = rest.split_once("::").ok_or(wrong)?;
    let (account, resource) = rest.split_once(':').ok_or(wrong)?;
    let named = |prefix: &str| resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    let known = match service {
        "iam" => resource == "root" || named("user/") || named("role/"),
        "sts" => named("assumed-role/") || named("federated-user/"),
        _ => false,
    };
    if known && is_account(account) && !text.contains(['*', '?']) {
        Ok(text.to_owned())
    } else {
        Err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Some(pairs.collect())
    }

    fn equals(pairs: &[(&str, &str)]) -> GrantConstraints {
        GrantConstraints {
            equals: map(pairs),
            subset: None,
        }
    }

    fn subset(pairs: &[(&str, &str)]) -> GrantConstraints {
        GrantConstraints {
            equals: None,
            subset: map(pairs),
        }
    }

    #[test]
    fn constraints_compare_values_exactly_and_keys_without_case() {
        let none = GrantConstraints::default();
        let it = [("Department", "IT")];
        let more = [("Department", "IT"), ("Stage", "test")];
        for (constraints, context, admitted) in [
            (&none, &[][..], true),
            (&none, &more, true),
            (&equals(&it), &it, true),
            (&equals(&it), &[("department", "IT")], true),
            (&equals(&it), &[("Department", "it")], false),
            (&equals(&it), &more, false),
            (&equals(&it), &[], false),
            (&equals(&[]), &[], true),
            (&equals(&[]), &it, false),
            (&subset(&it), &more, true),
            (&subset(&it), &[("DEPARTMENT", "IT"), ("x", "y")], true),
            (&subset(&it), &[("Stage", "test")], false),
            (&subset(&more), &it, false),
            (&subset(&it), &[("Department", "IT"), ("department", "HR")], false),
            (&equals(&it), &[("Department", "IT"), ("department", "IT")], false),
        ] {
            assert_eq!(
                constraints.admit(context.iter().copied()),
                admitted,
                "{constraints:?} {context:?}"
            );
        }
        let both = GrantConstraints {
            equals: map(&more),
            subset: map(&it),
        };
        assert!(both.admit(more.into_iter()));
        assert!(!both.admit(it.into_iter()));
    }

    #[test]
    fn what_follows_from_a_grant_is_as_strict_or_stricter() {
        let none = GrantConstraints::default();
        let (one, two) = (&[("a", "1")][..], &[("a", "1"), ("b", "2")][..]);
        for (child, parent, within) in [
            (&none, &none, true),
            (&subset(one), &none, true),
            (&none, &subset(one), false),
            (&subset(one), &subset(one), true),
            (&subset(two), &subset(one), true),
            (&subset(one), &subset(two), false),
            (&equals(two), &subset(one), true),
            (&equals(one), &subset(two), false),
            (&equals(one), &equals(one), true),
            (&subset(one), &equals(one), false),
            (&equals(two), &equals(one), false),
        ] {
            assert_eq!(child.are_within(parent), within, "{child:?} under {parent:?}");
        }
    }

    #[test]
    fn a_grant_has_operations_of_its_key_only() {
        use GrantOperation as O;
        let all = |usage, spec| -> Vec<O> {
            let of_key = O::ALL.iter().copied().filter(|operation| operation.is_of(usage, spec));
            of_key.collect()
        };
        let symmetric = all(KeyUsage::EncryptDecrypt, KeySpec::SymmetricDefault);
        assert!(symmetric.contains(&O::GenerateDataKeyPair) && !symmetric.contains(&O::Sign));
        assert!(!symmetric.contains(&O::GetPublicKey));
        let rsa = all(KeyUsage::EncryptDecrypt, KeySpec::Rsa2048);
        assert!(rsa.contains(&O::GetPublicKey) && !rsa.contains(&O::GenerateDataKey));
        assert!(!O::Encrypt.has_context(KeySpec::Rsa2048) && O::Encrypt.has_context(KeySpec::SymmetricDefault));
        assert!(!O::DescribeKey.has_context(KeySpec::SymmetricDefault));
        assert_eq!(O::of_action("kms:Decrypt"), Some(O::Decrypt));
        assert_eq!(O::of_action("kms:DeleteAlias"), None);
        assert_eq!(O::of_action("bulla:Decrypt"), None);
    }

    #[test]
    fn a_grant_names_a_principal_by_its_arn() {
        assert_eq!(
            grant_principal("111122223333").as_deref(),
            Ok("arn:aws:iam::111122223333:root")
        );
        for right in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/a/b",
            "arn:aws:iam::111122223333:role/r",
            "arn:aws:sts::111122223333:assumed-role/r/s",
        ] {
            assert_eq!(grant_principal(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "*",
            "alice",
            "arn:aws:iam::1:user/a",
            "arn:aws:iam::111122223333:group/g",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:user/*",
            "arn:aws:kms:us-east-1:111122223333:key/x",
            "1111222233333",
        ] {
            assert!(grant_principal(wrong).is_err(), "{wrong}");
        }
    }
}
