use std::collections::{HashMap, HashSet};

use super::condition::Condition;
use super::json::{self, Json};
use super::operator::{Operator, SetOperator};
use super::pattern::{Syntax, Template};
use super::principal::{Named, Principals};
use super::resource::{ResourcePattern, Resources};
use super::statement::{About, Statement};
use super::{Effect, MAX_DOCUMENT_BYTES, MAX_STATEMENTS, Policy, PolicyError, PolicyKind};

/// What matching may cost altogether, in comparisons for each character of a value: patterns with `*` and `?`, or with two stars, are not
/// free.
const MAX_COST: usize = 1024;

const OVERLY_PERMISSIVE: &str = "OverlyPermissiveCondition:EncryptionContext: Using the ForAllValues set operator with a single-valued \
    condition key matches requests without the specified encryption context or with an unspecified encryption context. To fix, remove \
    ForAllValues.";

pub(super) fn parse(kind: PolicyKind, document: &str) -> Result<Policy, PolicyError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(PolicyError::whole(format!(
            "The document has more than {MAX_DOCUMENT_BYTES} bytes"
        )));
    }
    let Json::Object(members) = json::read(document)? else {
        return Err(PolicyError::at("", "A policy is a JSON object"));
    };
    let mut reader = Reader {
        kind,
        variables: false,
        cost: 0,
        keys: HashMap::new(),
        actions: Vec::new(),
    };
    let mut statements = None;
    for (name, value) in &members {
        let place = format!("/{name}");
        match name.as_str() {
            "Version" => match value {
                Json::String(version) if version == "2012-10-17" => reader.variables = true,
                Json::String(version) if version == "2008-10-17" => {}
                _ => {
                    return Err(PolicyError::at(
                        &place,
                        "The version is neither 2012-10-17 nor 2008-10-17",
                    ));
                }
            },
            "Id" if kind != PolicyKind::Identity => {
                text(value, &place)?;
            }
            "Statement" => statements = Some(value),
            _ => return Err(unknown(name, "")),
        }
    }
    let statements = match statements {
        None => return Err(PolicyError::at("", "Missing required field Statement")),
        Some(Json::Array(items)) if items.len() > MAX_STATEMENTS => {
            return Err(PolicyError::at(
                "/Statement",
                format!("A policy has at most {MAX_STATEMENTS} statements"),
            ));
        }
        Some(Json::Array(items)) => {
            let items = items.iter().enumerate();
            let read = items.map(|(at, item)| reader.statement(item, &format!("/Statement/{at}")));
            read.collect::<Result<Vec<_>, _>>()?
        }
        Some(one) => vec![reader.statement(one, "/Statement")?],
    };
    if statements.is_empty() {
        return Err(PolicyError::at("/Statement", "A policy has at least one statement"));
    }
    if kind == PolicyKind::Identity {
        let mut sids = HashSet::new();
        for (at, statement) in statements.iter().enumerate() {
            if statement.sid.as_ref().is_some_and(|sid| !sids.insert(sid.clone())) {
                let place = format!("/Statement/{at}/Sid");
                return Err(PolicyError::at(
                    &place,
                    "Statement IDs (SID) in a single policy must be unique.",
                ));
            }
        }
    }
    let mut keys: Vec<(Box<str>, usize)> = reader.keys.into_iter().collect();
    keys.sort_unstable_by_key(|(_, at)| *at);
    Ok(Policy {
        statements: statements.into(),
        keys: keys.into_iter().map(|(key, _)| key).collect(),
        actions: reader.actions.into(),
    })
}

struct Reader {
    kind: PolicyKind,
    variables: bool,
    cost: usize,
    /// The condition keys so far, in lower case, each with its index.
    keys: HashMap<Box<str>, usize>,
    /// The different lists of actions so far.
    actions: Vec<Box<[Template]>>,
}

impl Reader {
    fn statement(&mut self, value: &Json, place: &str) -> Result<Statement, PolicyError> {
        let Json::Object(members) = value else {
            return Err(PolicyError::at(place, "A statement is a JSON object"));
        };
        let (mut sid, mut effect, mut principals, mut actions, mut resources) = (None, None, None, None, None);
        let mut condition = None;
        let once = |taken: bool, pair: &str, place: &str| {
            if taken {
                Err(PolicyError::at(
                    place,
                    format!("A statement has one of {pair}, not both"),
                ))
            } else {
                Ok(())
            }
        };
        for (name, value) in members {
            let here = format!("{place}/{}", escape(name));
            match name.as_str() {
                "Sid" => sid = Some(self.sid(value, &here)?),
                "Effect" => {
                    effect = Some(match value {
                        Json::String(text) if text == "Allow" => Effect::Allow,
                        Json::String(text) if text == "Deny" => Effect::Deny,
                        _ => return Err(PolicyError::at(&here, "The effect is neither Allow nor Deny")),
                    });
                }
                "Principal" | "NotPrincipal" if self.kind != PolicyKind::Identity => {
                    once(principals.is_some(), "Principal and NotPrincipal", &here)?;
                    let named = self.principals(value, &here)?;
                    principals = Some(match name.as_str() {
                        "Principal" => Principals::These(named),
                        _ => Principals::AllBut(named),
                    });
                }
                "Action" | "NotAction" => {
                    once(actions.is_some(), "Action and NotAction", &here)?;
                    actions = Some((name == "NotAction", self.actions(value, &here)?));
                }
                "Resource" | "NotResource" if self.kind != PolicyKind::Trust => {
                    once(resources.is_some(), "Resource and NotResource", &here)?;
                    resources = Some(self.resources(name == "NotResource", value, &here)?);
                }
                "Principal" | "NotPrincipal" | "Resource" | "NotResource" => {
                    return Err(PolicyError::at(place, format!("Has prohibited field {name}")));
                }
                "Condition" => condition = Some((value, here)),
                _ => return Err(unknown(name, place)),
            }
        }
        let missing = |name: &str| PolicyError::at(place, format!("Missing required field {name}"));
        if principals.is_none() && self.kind != PolicyKind::Identity {
            return Err(missing("Principal"));
        }
        let (not_actions, actions) = actions.ok_or_else(|| missing("Action"))?;
        let effect = effect.ok_or_else(|| missing("Effect"))?;
        let conditions = match condition {
            Some((value, here)) => self.conditions(value, &here)?,
            None => Vec::new(),
        };
        Ok(Statement {
            sid,
            effect,
            principals,
            not_actions,
            actions,
            resources: match (resources, self.kind) {
                (Some(resources), _) => About::Resources(resources),
                (None, PolicyKind::Trust) => About::Everything,
                (None, PolicyKind::Key) => About::Nothing,
                (None, PolicyKind::Identity) => return Err(missing("Resource")),
            },
            conditions: conditions.into(),
        })
    }

    fn sid(&self, value: &Json, place: &str) -> Result<Box<str>, PolicyError> {
        let sid = text(value, place)?;
        let legal = match self.kind {
            PolicyKind::Identity => sid.bytes().all(|b| b.is_ascii_alphanumeric()),
            PolicyKind::Key | PolicyKind::Trust => !sid.chars().any(char::is_control),
        };
        if legal {
            Ok(sid.into())
        } else {
            Err(PolicyError::at(place, "A Sid has characters that are not allowed"))
        }
    }

    fn principals(&self, value: &Json, place: &str) -> Result<Box<[Named]>, PolicyError> {
        let invalid =
            |here: &str| PolicyError::at(here, "Policy contains a statement with one or more invalid principals.");
        let members = match value {
            Json::String(text) if text == "*" => return Ok(Box::new([Named::Everyone])),
            Json::Object(members) if !members.is_empty() => members,
            _ => return Err(invalid(place)),
        };
        let mut named = Vec::new();
        for (kind, value) in members {
            let here = format!("{place}/{}", escape(kind));
            for (text, here) in texts(value, &here)? {
                named.push(Named::parse(kind, text).ok_or_else(|| invalid(&here))?);
            }
        }
        Ok(named.into())
    }

    /// The index of the list of actions.
    fn actions(&mut self, value: &Json, place: &str) -> Result<usize, PolicyError> {
        let mut actions = Vec::new();
        for (text, here) in texts(value, place)? {
            let legal = |part: &str, more: &[u8]| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
            };
            let known = text == "*"
                || text
                    .split_once(':')
                    .is_some_and(|(service, action)| legal(service, b"-") && legal(action, b"*?"));
            if !known {
                return Err(PolicyError::at(
                    &here,
                    "An action is * or a service, a colon and an action's name",
                ));
            }
            let syntax = Syntax {
                wildcards: true,
                variables: false,
            };
            let template = Template::parse(&text.to_ascii_lowercase(), syntax);
            let template = template.map_err(|problem| PolicyError::at(&here, problem))?;
            self.spend(template.cost(), &here)?;
            actions.push(template);
        }
        let known = self.actions.iter().position(|list| **list == *actions);
        Ok(known.unwrap_or_else(|| {
            self.actions.push(actions.into());
            self.actions.len() - 1
        }))
    }

    fn resources(&mut self, negated: bool, value: &Json, place: &str) -> Result<Resources, PolicyError> {
        let mut patterns = Vec::new();
        for (text, here) in texts(value, place)? {
            let pattern = ResourcePattern::parse(text, self.variables);
            let pattern = pattern.map_err(|problem| PolicyError::at(&here, format!("The resource is {problem}")))?;
            self.spend(pattern.cost(), &here)?;
            patterns.push(pattern);
        }
        Ok(Resources {
            negated,
            patterns: patterns.into(),
        })
    }

    fn conditions(&mut self, value: &Json, place: &str) -> Result<Vec<Condition>, PolicyError> {
        let Json::Object(operators) = value else {
            return Err(PolicyError::at(place, "Condition is a JSON object of operators"));
        };
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let here = format!("{place}/{}", escape(name));
            let Some(operator) = Operator::parse(name) else {
                return Err(PolicyError::at(&here, format!("Invalid Condition type : {name}.")));
            };
            let Json::Object(keys) = keys else {
                return Err(PolicyError::at(&here, "An operator is a JSON object of condition keys"));
            };
            let mut seen = HashSet::new();
            for (key, value) in keys {
                let here = format!("{here}/{}", escape(key));
                self.check_key(operator, key, &here)?;
                let lower = key.to_lowercase();
                let next = self.keys.len();
                let at = *self.keys.entry(lower.as_str().into()).or_insert(next);
                if !seen.insert(lower) {
                    return Err(PolicyError::at(&here, "The condition key is there twice"));
                }
                let values = values(value, &here)?;
                let condition = Condition::compile(operator, at, &values, self.variables);
                let condition =
                    condition.map_err(|problem| PolicyError::at(&here, format!("The value is {problem}")))?;
                self.spend(condition.cost(), &here)?;
                conditions.push(condition);
            }
        }
        Ok(conditions)
    }

    fn check_key(&self, operator: Operator, key: &str, place: &str) -> Result<(), PolicyError> {
        let legal = key
            .split_once(':')
            .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
        if !legal || key.chars().any(char::is_control) {
            return Err(PolicyError::at(
                place,
                "A condition key is a service, a colon and a name",
            ));
        }
        let of_context = key.to_lowercase().starts_with("kms:encryptioncontext:");
        if of_context && operator.set == SetOperator::ForAllValues && self.kind == PolicyKind::Key {
            return Err(PolicyError::whole(OVERLY_PERMISSIVE));
        }
        Ok(())
    }

    fn spend(&mut self, cost: usize, place: &str) -> Result<(), PolicyError> {
        self.cost += cost;
        if self.cost > MAX_COST {
            return Err(PolicyError::at(
                place,
                "The policy has too many or too long patterns with wildcards",
            ));
        }
        Ok(())
    }
}

fn unknown(name: &str, place: &str) -> PolicyError {
    let shown: String = name.chars().take(64).collect();
    PolicyError::at(&format!("{place}/{}", escape(&shown)), "Unknown element")
}

fn text<'a>(value: &'a Json, place: &str) -> Result<&'a str, PolicyError> {
    match value {
        Json::String(text) => Ok(text),
        _ => Err(PolicyError::at(place, "Not a string")),
    }
}

/// One string or a list of at least one, each with its place.
fn texts<'a>(value: &'a Json, place: &str) -> Result<Vec<(&'a str, String)>, PolicyError> {
    match value {
        Json::Array(items) if !items.is_empty() => {
            let items = items
                .iter()
                .enumerate()
                .map(|(at, item)| (item, format!("{place}/{at}")));
            items.map(|(item, here)| Ok((text(item, &here)?, here))).collect()
        }
        Json::Array(_) => Err(PolicyError::at(place, "An empty list")),
        one => Ok(vec![(text(one, place)?, place.to_owned())]),
    }
}

/// The values of a condition: strings, numbers, booleans.
fn values(value: &Json, place: &str) -> Result<Vec<String>, PolicyError> {
    let one = |value: &Json, place: &str| match value {
        Json::String(text) | Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        _ => Err(PolicyError::at(
            place,
            "The value is neither a string nor a number nor a boolean",
        )),
    };
    match value {
        Json::Array(items) if !items.is_empty() => {
            let items = items.iter().enumerate();
            items.map(|(at, item)| one(item, &format!("{place}/{at}"))).collect()
        }
        Json::Array(_) => Err(PolicyError::at(place, "An empty list")),
        value => Ok(vec![one(value, place)?]),
    }
}

/// RFC 6901: `~` and `/` of a member's name.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
