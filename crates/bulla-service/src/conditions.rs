//! What policies may ask of a request: AWS's condition keys, found only when a condition asks.

use std::borrow::Cow;
use std::net::IpAddr;

use bulla_model::policy::{RequestContext, Values, same_key};
use serde_json::{Map, Value};

use crate::decision::Decision;
use crate::entry::KeyEntry;
use crate::oidc::WebIdentity;

/// The condition keys of one request on one resource.
///
/// Keys of the request itself come from the parameters that its event shows, so that what was decided by is what was recorded.
pub(crate) struct Conditions<'d> {
    pub(crate) decision: &'d Decision<'d>,
    pub(crate) action: &'d str,
    /// The key that is asked for, where one is.
    pub(crate) key: Option<&'d KeyEntry>,
    /// The key's aliases, where a policy asks for them.
    pub(crate) aliases: &'d [String],
}

/// Condition keys that are members of requests, in lower case, each with the member's name in the event.
const OF_THE_REQUEST: [(&str, &str); 20] = [
    ("kms:datakeypairspec", "keyPairSpec"),
    ("kms:expirationmodel", "expirationModel"),
    ("kms:granteeprincipal", "granteePrincipal"),
    ("kms:grantoperations", "operations"),
    ("kms:keyagreementalgorithm", "keyAgreementAlgorithm"),
    ("kms:keyorigin", "origin"),
    ("kms:keyspec", "keySpec"),
    ("kms:keyusage", "keyUsage"),
    ("kms:macalgorithm", "macAlgorithm"),
    ("kms:multiregion", "multiRegion"),
    ("kms:primaryregion", "primaryRegion"),
    ("kms:replicaregion", "replicaRegion"),
    ("kms:retiringprincipal", "retiringPrincipal"),
    ("kms:signingalgorithm", "signingAlgorithm"),
    ("kms:wrappingalgorithm", "wrappingAlgorithm"),
    ("kms:wrappingkeyspec", "wrappingKeySpec"),
    ("sts:externalid", "externalId"),
    ("sts:rolesessionname", "roleSessionName"),
    ("sts:sourceidentity", "sourceIdentity"),
    ("sts:transitivetagkeys", "transitiveTagKeys"),
];

impl RequestContext for Conditions<'_> {
    fn values(&self, key: &str) -> Values<'_> {
        if let Some(name) = key.strip_prefix("kms:encryptioncontext:") {
            return self.encryption_context(name);
        }
        if let Some(name) = key.strip_prefix("aws:resourcetag/") {
            let tags = self.key.into_iter().flat_map(|key| &key.body.tags);
            let of_name = tags.filter(|tag| same_key(name, &tag.key));
            return Values::Many(of_name.map(|tag| Cow::Borrowed(tag.value.as_str())).collect());
        }
        if let Some(name) = key.strip_prefix("aws:requesttag/") {
            let of_name = self.request_tags().filter(|(key, _)| same_key(name, key));
            return Values::Many(of_name.map(|(_, value)| Cow::Borrowed(value)).collect());
        }
        if let Some(identity) = self.decision.web_identity()
            && let Some((issuer, claim)) = key.rsplit_once(':')
            && same_key(issuer, &identity.issuer)
        {
            return of_the_token(identity, claim);
        }
        if let Some(name) = key.strip_prefix("aws:principaltag/") {
            return self.principal_tag(name);
        }
        let of_caller = self.of_the_caller(key);
        if of_caller != Values::None {
            return of_caller;
        }
        let of_key = self.key.map_or(Values::None, |entry| of_the_key(entry, key));
        if of_key != Values::None {
            return of_key;
        }
        self.of_the_request(key)
    }
}

impl<'d> Conditions<'d> {
    fn parameters(&self) -> &'d Map<String, Value> {
        self.decision.parameters()
    }

    fn of_the_caller(&self, key: &str) -> Values<'d> {
        let call = self.decision.call;
        let arn = call.caller.arn();
        let session = self.decision.session();
        if let Some(identity) = self.decision.web_identity() {
            match key {
                "aws:federatedprovider" => return Values::one(identity.provider.as_str()),
                "aws:userid" | "aws:username" | "kms:calleraccount" => return Values::None,
                key if key.starts_with("aws:principal") => return Values::None,
                _ => {}
            }
        }
        match key {
            // Of a session, the role's, which a policy can name before there is a session.
            "aws:principalarn" => Values::one(session.map_or(arn.as_str(), |session| session.role.as_str())),
            "aws:principaltype" if session.is_some() => Values::one("AssumedRole"),
            "aws:sourceidentity" => Values::optional(session.and_then(|session| session.source_identity.as_deref())),
            "aws:tokenissuetime" => {
                let of_token = call.caller.shown().and_then(|identity| identity.issued);
                let issued = session.map(|session| session.issued).or(of_token);
                Values::optional(issued.map(|issued| issued.rounded_to_second().to_string()))
            }
            "aws:userid" => Values::optional(self.decision.principal_id()),
            "aws:username" if session.is_some() => Values::None,
            "aws:principalaccount" | "kms:calleraccount" => Values::one(call.caller.account().as_str()),
            "aws:principaltype" => Values::one(if arn.name() == "root" { "Account" } else { "User" }),
            "aws:username" if arn.name() != "root" => Values::one(arn.name()),
            "aws:sourceip" => {
                Values::optional(call.source_ip.parse::<IpAddr>().ok().map(|address| address.to_string()))
            }
            "aws:securetransport" => Values::bool(call.secure_transport),
            "aws:useragent" => Values::one(&*call.user_agent),
            "aws:requestedregion" => {
                Values::one(self.decision.requested_region.as_ref().unwrap_or(&call.region).as_str())
            }
            "aws:currenttime" => Values::one(self.decision.now.to_string()),
            "aws:epochtime" => Values::one((self.decision.now.as_micros().div_euclid(1_000_000)).to_string()),
            _ => Values::None,
        }
    }

    /// A tag of who asks: the session's, else his own or his role's.
    fn principal_tag(&self, name: &str) -> Values<'d> {
        let of_session = self.decision.session().into_iter().flat_map(|session| &session.tags);
        let of_user = self.decision.principal.iter().flat_map(|user| &user.body.tags);
        let of_role = self.decision.assumed.iter().flat_map(|role| &role.body.tags);
        let mut all = of_session.chain(of_user).chain(of_role);
        let found = all.find(|(key, _)| same_key(name, key));
        Values::optional(found.map(|(_, value)| value.as_str()))
    }

    fn of_the_request(&self, key: &str) -> Values<'_> {
        match key {
            "kms:encryptioncontextkeys" => {
                let keys = self.context_pairs().map(|(key, _)| Cow::Borrowed(key));
                Values::Many(keys.collect())
            }
            "kms:encryptionalgorithm" => match self.action {
                "kms:ReEncryptFrom" => self.member("sourceEncryptionAlgorithm"),
                "kms:ReEncryptTo" => self.member("destinationEncryptionAlgorithm"),
                action if action.starts_with("kms:GenerateDataKey") => Values::one("SYMMETRIC_DEFAULT"),
                _ => self.member("encryptionAlgorithm"),
            },
            "kms:requestalias" => Values::optional(self.decision.request_alias.as_deref()),
            "kms:resourcealiases" => Values::Many(self.aliases.iter().map(|alias| alias.as_str().into()).collect()),
            "kms:reencryptonsamekey" => self.decision.re_encrypt_on_same_key.map_or(Values::None, Values::bool),
            // A grant is for an AWS resource where a service of AWS asks for it; none does here.
            "kms:grantisforawsresource" if self.action.ends_with("Grant") || self.action == "kms:ListGrants" => {
                Values::bool(false)
            }
            "kms:grantconstrainttype" => {
                let constraints = self.parameters().get("constraints").and_then(Value::as_object);
                let types = constraints.into_iter().flat_map(|constraints| constraints.keys());
                let types = types.filter_map(|name| match name.as_str() {
                    "encryptionContextEquals" => Some(Cow::Borrowed("EncryptionContextEquals")),
                    "encryptionContextSubset" => Some(Cow::Borrowed("EncryptionContextSubset")),
                    _ => None,
                });
                Values::Many(types.collect())
            }
            "kms:validto" => self.member("validTo"),
            // What a request leaves out is what AWS does then.
            "kms:schedulekeydeletionpendingwindowindays" if self.action == "kms:ScheduleKeyDeletion" => {
                self.member_or("pendingWindowInDays", "30")
            }
            "kms:rotationperiodindays" if self.action == "kms:EnableKeyRotation" => {
                self.member_or("rotationPeriodInDays", "365")
            }
            "kms:policyname" if self.action.ends_with("KeyPolicy") => self.member_or("policyName", "default"),
            "kms:messagetype" if matches!(self.action, "kms:Sign" | "kms:Verify") => {
                self.member_or("messageType", "RAW")
            }
            "kms:bypasspolicylockoutsafetycheck"
                if matches!(self.action, "kms:CreateKey" | "kms:PutKeyPolicy" | "kms:ReplicateKey") =>
            {
                self.member_or("bypassPolicyLockoutSafetyCheck", "false")
            }
            "aws:tagkeys" => {
                let tags = self.request_tags().map(|(key, _)| Cow::Borrowed(key));
                let keys = self.parameters().get("tagKeys").and_then(Value::as_array);
                let keys = keys.into_iter().flatten().filter_map(Value::as_str).map(Cow::Borrowed);
                Values::Many(tags.chain(keys).collect())
            }
            _ => OF_THE_REQUEST
                .iter()
                .find(|(name, _)| *name == key)
                .map_or(Values::None, |(_, member)| self.member(member)),
        }
    }

    /// A member of the request, as its event shows it.
    fn member(&self, name: &str) -> Values<'d> {
        let one = |value: &'d Value| match value {
            Value::String(text) => Some(Cow::Borrowed(text.as_str())),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            _ => None,
        };
        match self.parameters().get(name) {
            Some(Value::Array(values)) => Values::Many(values.iter().filter_map(one).collect()),
            Some(value) => Values::optional(one(value)),
            None => Values::None,
        }
    }

    fn member_or(&self, name: &str, default: &'static str) -> Values<'d> {
        match self.member(name) {
            Values::None => Values::one(default),
            there => there,
        }
    }

    /// The pairs of the encryption context that this action is about; those of the constraints, where a grant is made.
    pub(crate) fn context_pairs(&self) -> impl Iterator<Item = (&'d str, &'d str)> + Clone + use<'d> {
        let parameters = self.parameters();
        let constraints = parameters.get("constraints");
        let maps = match self.action {
            "kms:ReEncryptFrom" => [parameters.get("sourceEncryptionContext"), None],
            "kms:ReEncryptTo" => [parameters.get("destinationEncryptionContext"), None],
            "kms:CreateGrant" => ["encryptionContextEquals", "encryptionContextSubset"]
                .map(|name| constraints.and_then(|constraints| constraints.get(name))),
            _ => [parameters.get("encryptionContext"), None],
        };
        let pairs = maps.into_iter().flatten().filter_map(Value::as_object).flatten();
        pairs.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    fn encryption_context(&self, name: &str) -> Values<'d> {
        let of_name = self.context_pairs().filter(|(key, _)| same_key(name, key));
        Values::Many(of_name.map(|(_, value)| Cow::Borrowed(value)).collect())
    }

    fn request_tags(&self) -> impl Iterator<Item = (&'d str, &'d str)> + use<'d> {
        let tags = self.parameters().get("tags").and_then(Value::as_array);
        tags.into_iter().flatten().filter_map(|tag| {
            let member = |of_kms, of_sts| tag.get(of_kms).or_else(|| tag.get(of_sts))?.as_str();
            Some((member("tagKey", "key")?, member("tagValue", "value")?))
        })
    }
}

/// A claim of a token, by the name that trust policies use.
fn of_the_token<'d>(identity: &'d WebIdentity, claim: &str) -> Values<'d> {
    let all = |values: &'d [String]| Values::Many(values.iter().map(|value| value.as_str().into()).collect());
    match claim {
        "sub" => Values::one(identity.subject.as_str()),
        "aud" => all(&identity.audiences),
        "amr" => all(&identity.amr),
        _ => Values::None,
    }
}

fn of_the_key<'d>(entry: &'d KeyEntry, key: &str) -> Values<'d> {
    match key {
        "kms:keyspec" | "kms:customermasterkeyspec" => Values::one(entry.body.spec.as_str()),
        "kms:keyusage" | "kms:customermasterkeyusage" => Values::one(entry.body.usage.as_str()),
        "kms:keyorigin" => Values::one(entry.body.origin.as_str()),
        "kms:multiregion" => Values::bool(entry.body.multi_region.is_some()),
        "kms:multiregionkeytype" => Values::optional(entry.body.multi_region.as_ref().map(|regions| {
            let is_primary = entry.arn.as_str().split(':').nth(3) == Some(regions.primary.as_str());
            if is_primary { "PRIMARY" } else { "REPLICA" }
        })),
        "aws:resourceaccount" => Values::optional(entry.arn.as_str().split(':').nth(4)),
        _ => Values::None,
    }
}
