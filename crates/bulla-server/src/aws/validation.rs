//! The constraints of AWS's model, in AWS's words.

use std::fmt::Write;

use bulla_crypto::{Context, ContextError, SecretBytes};
use bulla_model::{DataKeySpec, EncryptionAlgorithm};

use super::json::{Blob, Flag, List, Number, Object, Pairs, Text};
use super::wire::Failure;

/// Says whether a string matches a pattern.
type Admits = fn(&str) -> bool;

/// What a string must satisfy; lengths in UTF-16 units, as Java counts.
#[derive(Debug)]
pub(super) struct Rule {
    /// Least length.
    pub(super) min: usize,
    /// Greatest length.
    pub(super) max: usize,
    /// The model's pattern, and what it admits.
    pub(super) pattern: Option<(&'static str, Admits)>,
}

/// `KeyIdType`.
pub(super) const KEY_ID: Rule = Rule {
    min: 1,
    max: 2048,
    pattern: None,
};
/// `AliasNameType`.
pub(super) const ALIAS_NAME: Rule = Rule {
    min: 1,
    max: 256,
    pattern: Some(("^[a-zA-Z0-9:/_-]+$", |text| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte))
    })),
};
/// `DescriptionType`.
pub(super) const DESCRIPTION: Rule = Rule {
    min: 0,
    max: 8192,
    pattern: None,
};
/// `MarkerType`.
pub(super) const MARKER: Rule = Rule {
    min: 1,
    max: 1024,
    pattern: Some(("[\\u0020-\\u00FF]*", |text| {
        text.chars().all(|c| ('\u{20}'..='\u{ff}').contains(&c))
    })),
};
/// `PolicyType`.
pub(super) const POLICY: Rule = Rule {
    min: 1,
    max: 131_072,
    pattern: Some(("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |text| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
    })),
};
/// `CustomKeyStoreIdType`.
pub(super) const CUSTOM_KEY_STORE_ID: Rule = Rule {
    min: 1,
    max: 64,
    pattern: None,
};
/// `XksKeyIdType`.
pub(super) const XKS_KEY_ID: Rule = Rule {
    min: 1,
    max: 128,
    pattern: Some(("^[a-zA-Z0-9-_.]+$", |text| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    })),
};
/// `TagKeyType`.
pub(super) const TAG_KEY: Rule = Rule {
    min: 1,
    max: 128,
    pattern: None,
};
/// `TagValueType`.
pub(super) const TAG_VALUE: Rule = Rule {
    min: 0,
    max: 256,
    pattern: None,
};

/// `EncryptionAlgorithmSpec`.
pub(super) const ENCRYPTION_ALGORITHMS: &[&str] =
    &["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"];
/// `DataKeySpec`.
pub(super) const DATA_KEY_SPECS: &[&str] = &["AES_256", "AES_128"];

/// `DryRunModifierType`.
pub(super) const DRY_RUN_MODIFIERS: &[&str] = &["IGNORE_CIPHERTEXT"];
/// `KeyUsageType`.
pub(super) const KEY_USAGES: &[&str] = &[
    "SIGN_VERIFY",
    "ENCRYPT_DECRYPT",
    "GENERATE_VERIFY_MAC",
    "KEY_AGREEMENT",
    "ENCAPSULATE_DECAPSULATE",
];
/// `OriginType`.
pub(super) const ORIGINS: &[&str] = &["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];
/// `KeySpec`.
pub(super) const KEY_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];
/// `CustomerMasterKeySpec`: what there was before it was renamed.
pub(super) const CUSTOMER_MASTER_KEY_SPECS: &[&str] = KEY_SPECS.split_at(13).0;

/// `PlaintextType`, in bytes.
pub(super) const MAX_PLAINTEXT: usize = 4096;
/// `CiphertextType`, in bytes.
pub(super) const MAX_CIPHERTEXT: usize = 6144;
const MAX_ATTESTATION_DOCUMENT: usize = 262_144;
const MAX_GRANT_TOKENS: usize = 10;
const MAX_GRANT_TOKEN: usize = 8192;

/// Collects every constraint that a request breaks. A member that breaks one is given an empty value, which [`finish`](Self::finish)
/// keeps from being used.
#[derive(Debug, Default)]
pub(super) struct Checks {
    failures: Vec<String>,
    refusal: Option<String>,
    not_built_yet: Option<String>,
}

impl Checks {
    /// Gives the request away if nothing is wrong with it.
    ///
    /// # Errors
    /// `ValidationException`, naming all that is wrong; else `UnsupportedOperationException` for what is right and not built.
    pub(super) fn finish<T>(self, request: T) -> Result<T, Failure> {
        match self.failures.len() {
            0 => match (self.refusal, self.not_built_yet) {
                (Some(message), _) => Err(Failure::validation(message)),
                (None, Some(message)) => Err(Failure::unsupported(message)),
                (None, None) => Ok(request),
            },
            1 => Err(Failure::validation(format!(
                "1 validation error detected: {}",
                self.failures[0]
            ))),
            count => Err(Failure::validation(format!(
                "{count} validation errors detected: {}",
                self.failures.join("; ")
            ))),
        }
    }

    /// A string that need not be there.
    pub(super) fn text(&mut self, member: &str, value: Option<Text>, rule: &Rule) -> Option<String> {
        let Text(text) = value?;
        let length = if text.is_ascii() {
            text.len()
        } else {
            text.encode_utf16().count()
        };
        if let Some((words, _)) = rule.pattern.as_ref().filter(|(_, admits)| !admits(&text)) {
            self.fail(
                member,
                &format!(" '{text}'"),
                &format!("Member must satisfy regular expression pattern: {words}"),
            );
        }
        if length < rule.min {
            let words = format!("Member must have length greater than or equal to {}", rule.min);
            self.fail(member, &format!(" '{text}'"), &words);
        }
        if length > rule.max {
            let words = format!("Member must have length less than or equal to {}", rule.max);
            self.fail(member, &format!(" '{text}'"), &words);
        }
        Some(text)
    }

    /// A string that must be there.
    pub(super) fn required_text(&mut self, member: &str, value: Option<Text>, rule: &Rule) -> String {
        if value.is_none() {
            self.fail(member, " null", "Member must not be null");
        }
        self.text(member, value, rule).unwrap_or_default()
    }

    /// A string out of a set.
    pub(super) fn choice(&mut self, member: &str, value: Option<Text>, values: &[&str]) -> Option<String> {
        let Text(text) = value?;
        if !values.contains(&text.as_str()) {
            let words = format!("Member must satisfy enum value set: [{}]", values.join(", "));
            self.fail(member, &format!(" '{text}'"), &words);
        }
        Some(text)
    }

    /// A list of strings out of a set.
    pub(super) fn choices(&mut self, member: &str, value: Option<List<Text>>, values: &[&str]) -> Vec<String> {
        let list = value.map(|list| list.0).unwrap_or_default();
        let texts: Vec<String> = list
            .into_iter()
            .map(|element| element.map_or("null".to_owned(), |text| text.0))
            .collect();
        if texts.iter().any(|text| !values.contains(&text.as_str())) {
            let words = format!(
                "Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
                values.join(", ")
            );
            self.fail(member, &format!(" '[{}]'", texts.join(", ")), &words);
        }
        texts
    }

    /// How many members a list has, where it is there; to be called before [`choices`](Self::choices) takes it.
    pub(super) fn count(&mut self, member: &str, list: Option<&List<Text>>, min: usize, max: usize) {
        let Some(List(list)) = list else { return };
        let words = match list.len() {
            count if count < min => format!("Member must have length greater than or equal to {min}"),
            count if count > max => format!("Member must have length less than or equal to {max}"),
            _ => return,
        };
        let texts: Vec<&str> = list
            .iter()
            .map(|element| element.as_ref().map_or("null", |text| text.0.as_str()))
            .collect();
        self.fail(member, &format!(" '[{}]'", texts.join(", ")), &words);
    }

    /// A whole number from `min` to `max`.
    pub(super) fn number(&mut self, member: &str, value: Option<Number>, min: u32, max: u32) -> Option<u32> {
        let Number(number) = value?;
        if number < i64::from(min) {
            let words = format!("Member must have value greater than or equal to {min}");
            self.fail(member, &format!(" '{number}'"), &words);
        }
        if number > i64::from(max) {
            let words = format!("Member must have value less than or equal to {max}");
            self.fail(member, &format!(" '{number}'"), &words);
        }
        Some(u32::try_from(number).unwrap_or_default())
    }

    /// A whole number that must be there. (AWS leaves the size of `GenerateRandom` out of its model, and refuses its absence.)
    pub(super) fn required_number(&mut self, member: &str, value: Option<Number>, min: u32, max: u32) -> u32 {
        if value.is_none() {
            self.fail(member, " null", "Member must not be null");
        }
        self.number(member, value, min, max).unwrap_or_default()
    }

    /// A boolean, `false` when absent.
    pub(super) fn flag(&mut self, value: Option<Flag>) -> bool {
        value.is_some_and(|flag| flag.0)
    }

    /// Bytes, 1 to `max` of them. Their value is never shown.
    pub(super) fn blob(&mut self, member: &str, value: Option<Blob>, max: usize) -> Option<SecretBytes> {
        let Blob(mut bytes) = value?;
        if bytes.is_empty() {
            self.fail(member, "", "Member must have length greater than or equal to 1");
        }
        if bytes.len() > max {
            self.fail(
                member,
                "",
                &format!("Member must have length less than or equal to {max}"),
            );
        }
        Some(SecretBytes::from_vec(std::mem::take(&mut *bytes)))
    }

    /// Bytes that must be there.
    pub(super) fn required_blob(&mut self, member: &str, value: Option<Blob>, max: usize) -> SecretBytes {
        if value.is_none() {
            self.fail(member, " null", "Member must not be null");
        }
        self.blob(member, value, max).unwrap_or_default()
    }

    /// Bytes that must be there and are no secret, as ciphertexts.
    pub(super) fn required_public_blob(&mut self, member: &str, value: Option<Blob>, max: usize) -> Vec<u8> {
        self.required_blob(member, value, max).dangerous_into_vec()
    }

    /// An encryption algorithm, `SYMMETRIC_DEFAULT` when absent.
    pub(super) fn algorithm(&mut self, member: &str, value: Option<Text>) -> EncryptionAlgorithm {
        let name = self.choice(member, value, ENCRYPTION_ALGORITHMS);
        name.and_then(|name| name.parse().ok())
            .unwrap_or(EncryptionAlgorithm::SymmetricDefault)
    }

    /// The spec of a data key.
    pub(super) fn data_key_spec(&mut self, member: &str, value: Option<Text>) -> Option<DataKeySpec> {
        self.choice(member, value, DATA_KEY_SPECS)?.parse().ok()
    }

    /// A value of AWS's set, as the model knows it; what the model does not know is not built.
    pub(super) fn built<T: std::str::FromStr>(&mut self, value: Option<String>, default: T, what: &str) -> T {
        let Some(value) = value else { return default };
        value.parse().unwrap_or_else(|_| {
            self.not_built_yet(&format!("The {what} {value} is not built yet."));
            default
        })
    }

    /// An encryption context; empty when absent.
    pub(super) fn context(&mut self, member: &str, value: Option<Pairs>) -> Context {
        let Some(Pairs(pairs)) = value else {
            return Context::empty();
        };
        if pairs.iter().any(|(_, value)| value.is_none()) {
            self.fail(
                member,
                "",
                "Map value must satisfy constraint: [Member must not be null]",
            );
        }
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| (key, value.map(|text| text.0).unwrap_or_default()));
        match Context::from_pairs(pairs) {
            Ok(context) => context,
            Err(ContextError::TooLong) => {
                self.fail(member, "", "Member must have length less than or equal to 8192");
                Context::empty()
            }
            Err(_) => {
                self.fail(member, "", "Map keys must be unique");
                Context::empty()
            }
        }
    }

    /// Grant tokens. Their values are never shown.
    pub(super) fn grant_tokens(&mut self, value: Option<List<Text>>) -> Vec<String> {
        let list = value.map(|list| list.0).unwrap_or_default();
        if list.len() > MAX_GRANT_TOKENS {
            self.fail(
                "grantTokens",
                "",
                &format!("Member must have length less than or equal to {MAX_GRANT_TOKENS}"),
            );
        }
        let legal = |token: &Option<Text>| {
            token
                .as_ref()
                .is_some_and(|Text(text)| (1..=MAX_GRANT_TOKEN).contains(&text.encode_utf16().count()))
        };
        if !list.iter().all(legal) {
            let words = format!(
                "Member must satisfy constraint: [Member must have length less than or equal to {MAX_GRANT_TOKEN}, \
                 Member must have length greater than or equal to 1]"
            );
            self.fail("grantTokens", "", &words);
        }
        list.into_iter().flatten().map(|text| text.0).collect()
    }

    /// A list out of a set, none of which is built.
    pub(super) fn not_built_yet_choices(&mut self, member: &str, value: Option<List<Text>>, values: &[&str]) {
        if !self.choices(member, value, values).is_empty() {
            self.not_built_yet(&format!("{} are not built yet.", values.join(", ")));
        }
    }

    /// Notes members that are right and that the service can't serve yet.
    pub(super) fn not_built_yet(&mut self, message: &str) {
        self.not_built_yet.get_or_insert_with(|| message.to_owned());
    }

    /// Notes a rule that is not one of the model's.
    pub(super) fn refuse(&mut self, message: &str) {
        self.refusal.get_or_insert_with(|| message.to_owned());
    }

    /// What an enclave attests; not built.
    pub(super) fn recipient(&mut self, value: Option<Object<Recipient>>) {
        let Some(Object(recipient)) = value else { return };
        self.choice(
            "recipient.keyEncryptionAlgorithm",
            recipient.key_encryption_algorithm,
            &["RSAES_OAEP_SHA_256"],
        );
        self.blob(
            "recipient.attestationDocument",
            recipient.attestation_document,
            MAX_ATTESTATION_DOCUMENT,
        );
        self.not_built_yet("Recipient is not built yet.");
    }

    /// Notes a member that breaks a constraint; `value` is printed as it is, with its space.
    pub(super) fn fail(&mut self, member: &str, value: &str, constraint: &str) {
        let mut text = String::with_capacity(64 + member.len() + value.len() + constraint.len());
        let _ = write!(
            text,
            "Value{value} at '{member}' failed to satisfy constraint: {constraint}"
        );
        self.failures.push(text);
    }
}

/// `RecipientInfo`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Recipient {
    key_encryption_algorithm: Option<Text>,
    attestation_document: Option<Blob>,
}

#[cfg(test)]
mod tests;
