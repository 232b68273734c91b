//! The constraints of AWS's model, in AWS's words.

mod rules;
mod sets;
mod tags;
mod xks;

use std::fmt::Write;
use std::str::FromStr;

use bulla_crypto::{Context, ContextError, SecretBytes};
use bulla_model::{DataKeySpec, EncryptionAlgorithm, Region, Timestamp};
use bulla_service::ServiceError;

pub(in crate::aws) use self::rules::*;
pub use self::rules::{RULES, Rule};
pub(in crate::aws) use self::sets::*;
pub use self::sets::{CHOICES, Choices};
pub(in crate::aws) use self::tags::TagInput;
pub(in crate::aws) use self::xks::XksCredential;
use super::json::{Blob, Flag, List, Moment, Number, Object, Pairs, Text};
use super::wire::Failure;

/// `PlaintextType`, in bytes.
pub(super) const MAX_PLAINTEXT: usize = 4096;
/// `CiphertextType`, in bytes.
pub(super) const MAX_CIPHERTEXT: usize = 6144;
/// `PublicKeyType`, in bytes.
pub(super) const MAX_PUBLIC_KEY: usize = 8192;
const MAX_ATTESTATION_DOCUMENT: usize = 262_144;
const MAX_GRANT_TOKENS: usize = 10;
const NOT_NULL: &str = "Member must not be null";

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
        for words in broken(&text, rule) {
            let shown = if rule.sensitive {
                String::new()
            } else {
                format!(" '{text}'")
            };
            self.fail(member, &shown, &words);
        }
        Some(text)
    }

    /// A string that must be there.
    pub(super) fn required_text(&mut self, member: &str, value: Option<Text>, rule: &Rule) -> String {
        if value.is_none() {
            self.fail(member, if rule.sensitive { "" } else { " null" }, NOT_NULL);
        }
        self.text(member, value, rule).unwrap_or_default()
    }

    /// A list of strings, all of one kind.
    pub(super) fn texts(&mut self, member: &str, value: Option<List<Text>>, rule: &Rule) -> Vec<String> {
        let list = value.map(|list| list.0).unwrap_or_default();
        if !list
            .iter()
            .all(|element| element.as_ref().is_some_and(|Text(text)| broken(text, rule).is_empty()))
        {
            let mut words = format!(
                "Member must satisfy constraint: [Member must have length less than or equal to {}, Member must have length greater than \
                 or equal to {}",
                rule.max, rule.min
            );
            if let Some(pattern) = rule.pattern {
                let _ = write!(words, ", Member must satisfy regular expression pattern: {pattern}");
            }
            words.push(']');
            let shown = if rule.sensitive {
                String::new()
            } else {
                shown_list(&list)
            };
            self.fail(member, &shown, &words);
        }
        list.into_iter().flatten().map(|text| text.0).collect()
    }

    /// A list of strings that must be there.
    pub(super) fn required_texts(&mut self, member: &str, value: Option<List<Text>>, rule: &Rule) -> Vec<String> {
        self.require(member, value.is_none());
        self.texts(member, value, rule)
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

    /// A value of a set that the model knows, that must be there; `unused` stands in for what is refused.
    pub(super) fn required_value<T: FromStr>(
        &mut self,
        member: &str,
        value: Option<Text>,
        values: &[&str],
        unused: T,
    ) -> T {
        self.required_choice(member, value, values).parse().unwrap_or(unused)
    }

    /// A string out of a set, that must be there.
    pub(super) fn required_choice(&mut self, member: &str, value: Option<Text>, values: &[&str]) -> String {
        self.require(member, value.is_none());
        self.choice(member, value, values).unwrap_or_default()
    }

    /// A region that must be there; to be taken only once [`finish`](Self::finish) has found nothing wrong.
    pub(super) fn required_region(&mut self, member: &str, value: Option<Text>) -> Result<Region, Failure> {
        let region = self.required_text(member, value, &REGION);
        let parsed = region.parse();
        parsed.map_err(|_| ServiceError::Internal("a region of AWS's form that is none of the model's").into())
    }

    /// A list of strings out of a set.
    pub(super) fn choices(&mut self, member: &str, value: Option<List<Text>>, values: &[&str]) -> Vec<String> {
        let list = value.map(|list| list.0).unwrap_or_default();
        let legal = |text: &Text| values.contains(&text.0.as_str());
        if !list.iter().all(|element| element.as_ref().is_some_and(legal)) {
            let words = format!(
                "Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
                values.join(", ")
            );
            self.fail(member, &shown_list(&list), &words);
        }
        list.into_iter().flatten().map(|text| text.0).collect()
    }

    /// A list of strings out of a set, that must be there.
    pub(super) fn required_choices(&mut self, member: &str, value: Option<List<Text>>, values: &[&str]) -> Vec<String> {
        self.require(member, value.is_none());
        self.choices(member, value, values)
    }

    /// How many members a list has, where it is there; to be called before [`choices`](Self::choices) takes it.
    pub(super) fn count(&mut self, member: &str, list: Option<&List<Text>>, min: usize, max: usize) {
        let Some(List(list)) = list else { return };
        let words = match list.len() {
            count if count < min => format!("Member must have length greater than or equal to {min}"),
            count if count > max => format!("Member must have length less than or equal to {max}"),
            _ => return,
        };
        self.fail(member, &shown_list(list), &words);
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
        self.require(member, value.is_none());
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

    /// Bytes that must be there and may be secret: AWS's answer does not even say `null` where they are not.
    pub(super) fn required_blob(&mut self, member: &str, value: Option<Blob>, max: usize) -> SecretBytes {
        if value.is_none() {
            self.fail(member, "", NOT_NULL);
        }
        self.blob(member, value, max).unwrap_or_default()
    }

    /// Bytes that must be there and are no secret, as ciphertexts.
    pub(super) fn required_public_blob(&mut self, member: &str, value: Option<Blob>, max: usize) -> Vec<u8> {
        self.require(member, value.is_none());
        self.blob(member, value, max).unwrap_or_default().dangerous_into_vec()
    }

    /// A moment, to the millisecond as AWS keeps it.
    pub(super) fn moment(&mut self, value: Option<Moment>) -> Option<Timestamp> {
        value.map(|Moment(milliseconds)| Timestamp::from_micros(milliseconds.saturating_mul(1000)))
    }

    /// Notes a member that must be there and is not.
    pub(super) fn require(&mut self, member: &str, is_missing: bool) {
        if is_missing {
            self.fail(member, " null", NOT_NULL);
        }
    }

    /// An encryption algorithm, `SYMMETRIC_DEFAULT` when absent.
    pub(super) fn algorithm(&mut self, member: &str, value: Option<Text>) -> EncryptionAlgorithm {
        let name = self.choice(member, value, ENCRYPTION_ALGORITHMS);
        name.and_then(|name| name.parse().ok())
            .unwrap_or(EncryptionAlgorithm::SymmetricDefault)
    }

    /// The spec of a data key. AWS lists the specs of keys where it refuses one, though it takes none of them.
    pub(super) fn data_key_spec(&mut self, member: &str, value: Option<Text>) -> Option<DataKeySpec> {
        let Text(text) = value?;
        if DATA_KEY_SPECS.contains(&text.as_str()) {
            return text.parse().ok();
        }
        let words = format!("Member must satisfy enum value set: [{}]", KEY_SPECS.join(", "));
        self.fail(member, &format!(" '{text}'"), &words);
        None
    }

    /// A value of a set that the model knows; `default` when absent.
    pub(super) fn value<T: FromStr>(&mut self, member: &str, value: Option<Text>, values: &[&str], default: T) -> T {
        let value = self.choice(member, value, values);
        value.and_then(|name| name.parse().ok()).unwrap_or(default)
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
        self.texts("grantTokens", Some(List(list)), &GRANT_TOKEN)
    }

    /// A ciphertext, "required in all cases except when DryRun is true and DryRunModifiers is set to IGNORE_CIPHERTEXT": empty then.
    pub(super) fn ciphertext(
        &mut self,
        value: Option<Blob>,
        max: usize,
        dry_run: bool,
        modifiers: Option<List<Text>>,
    ) -> Vec<u8> {
        let mut named = modifiers.iter().flat_map(|list| list.0.iter().flatten());
        let ignored = dry_run && named.any(|modifier| modifier.0 == "IGNORE_CIPHERTEXT");
        self.require("ciphertextBlob", value.is_none() && !ignored);
        let ciphertext = self.blob("ciphertextBlob", value, max).unwrap_or_default();
        self.choices("dryRunModifiers", modifiers, DRY_RUN_MODIFIERS);
        if ignored {
            Vec::new()
        } else {
            ciphertext.dangerous_into_vec()
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
            KEY_ENCRYPTION_MECHANISMS,
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

/// What AWS says of the constraints that a string breaks, in AWS's order.
fn broken(text: &str, rule: &Rule) -> Vec<String> {
    let length = if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    };
    let mut said = Vec::new();
    if length < rule.min {
        said.push(format!("Member must have length greater than or equal to {}", rule.min));
    }
    if length > rule.max {
        said.push(format!("Member must have length less than or equal to {}", rule.max));
    }
    if let Some(pattern) = rule.pattern.filter(|_| !rule.admits(text)) {
        said.push(format!("Member must satisfy regular expression pattern: {pattern}"));
    }
    said
}

/// A list as AWS shows it.
fn shown_list(list: &[Option<Text>]) -> String {
    let texts: Vec<&str> = list
        .iter()
        .map(|element| element.as_ref().map_or("null", |text| text.0.as_str()))
        .collect();
    format!(" '[{}]'", texts.join(", "))
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
