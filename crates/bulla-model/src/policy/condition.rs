use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::evaluation::Evaluation;
use super::operator::{Base, Operator, Order, SetOperator};
use super::pattern::{ArnTemplate, Syntax, Template, arn_components};
use super::scalar::{Decimal, Network, parse_date};
use super::{Effect, RequestContext};

/// One operator on one key.
#[derive(Debug)]
pub(super) struct Condition {
    /// Index of the condition key among the policy's.
    key: usize,
    operator: Operator,
    wanted: Wanted,
}

/// What the policy compares with.
#[derive(Debug)]
enum Wanted {
    /// Texts without variables.
    Exactly(Box<[Box<str>]>),
    Equal(Box<[Template]>),
    EqualIgnoringCase(Box<[Template]>),
    Like(Box<[Template]>),
    Numbers(Order, Box<[Decimal]>),
    /// Microseconds since the epoch.
    Dates(Order, Box<[i64]>),
    /// Templates of `true` and `false`.
    Bools(Box<[Template]>),
    Bytes(Box<[Vec<u8>]>),
    Networks(Box<[Network]>),
    Arns(Box<[ArnTemplate]>),
    /// Whether the key is to be absent, present, or either.
    Absent {
        absent: bool,
        present: bool,
    },
}

/// Whether a value of the request is one of those that the policy names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    Yes,
    No,
    /// No; but a variable had no value.
    Unresolved,
}

impl Condition {
    pub(super) fn compile(
        operator: Operator,
        key: usize,
        values: &[String],
        variables: bool,
    ) -> Result<Self, &'static str> {
        let templates = |wildcards| -> Result<Box<[Template]>, &'static str> {
            let syntax = Syntax { wildcards, variables };
            values.iter().map(|value| Template::parse(value, syntax)).collect()
        };
        let wanted = match operator.base {
            Base::StringEquals => {
                let templates = templates(false)?;
                let literals = templates.iter().map(|template| template.literal().map(Into::into));
                match literals.collect() {
                    Some(literals) => Wanted::Exactly(literals),
                    None => Wanted::Equal(templates),
                }
            }
            Base::StringEqualsIgnoreCase => Wanted::EqualIgnoringCase(templates(false)?),
            Base::StringLike => Wanted::Like(templates(true)?),
            Base::Numeric(order) => Wanted::Numbers(order, each(values, Decimal::parse, "not a number")?),
            Base::Date(order) => Wanted::Dates(order, each(values, parse_date, "not a date")?),
            Base::Bool => {
                let templates = templates(false)?;
                let legal = |template: &Template| template.literal().is_none_or(|text| parse_bool(text).is_some());
                if !templates.iter().all(legal) {
                    return Err("neither true nor false");
                }
                Wanted::Bools(templates)
            }
            Base::Binary => Wanted::Bytes(each(values, |text| STANDARD.decode(text).ok(), "not base64")?),
            Base::IpAddress => Wanted::Networks(each(values, Network::parse, "not an IP address or range")?),
            Base::Arn => {
                let arns = values.iter().map(|value| ArnTemplate::parse(value, variables, false));
                Wanted::Arns(arns.collect::<Result<_, _>>()?)
            }
            Base::Null => {
                let bools = each(values, parse_bool, "neither true nor false")?;
                Wanted::Absent {
                    absent: bools.contains(&true),
                    present: bools.contains(&false),
                }
            }
        };
        Ok(Self { key, operator, wanted })
    }

    /// Whether the condition is met. `effect` is the statement's: what AWS's pages leave open is read against the asker.
    pub(super) fn is_met(&self, effect: Effect, evaluation: &Evaluation<'_>) -> bool {
        let context = evaluation.request.context;
        let values = evaluation.values(self.key).as_slice();
        if let Wanted::Absent { absent, present } = self.wanted {
            return if values.is_empty() { absent } else { present };
        }
        let negated = self.operator.negated;
        let meets = |value: &std::borrow::Cow<'_, str>| match self.hit(value, context) {
            Hit::Yes => !negated,
            Hit::No => negated,
            Hit::Unresolved => negated && effect == Effect::Deny,
        };
        match self.operator.set {
            // "If the key values in the request resolve to an empty data set (for example, an empty string) …"
            SetOperator::ForAllValues => values.iter().all(|value| value.is_empty()) || values.iter().all(meets),
            SetOperator::ForAnyValue => !values.iter().all(|value| value.is_empty()) && values.iter().any(meets),
            SetOperator::None if values.is_empty() => self.operator.if_exists || negated,
            SetOperator::None => match effect {
                Effect::Allow => values.iter().all(meets),
                Effect::Deny => values.iter().any(meets),
            },
        }
    }

    fn hit(&self, value: &str, context: &dyn RequestContext) -> Hit {
        let plain = |hit: bool| if hit { Hit::Yes } else { Hit::No };
        match &self.wanted {
            Wanted::Exactly(literals) => plain(literals.iter().any(|wanted| **wanted == *value)),
            Wanted::Equal(templates) => each_text(templates, context, |wanted| wanted == value),
            Wanted::EqualIgnoringCase(templates) => {
                each_text(templates, context, |wanted| same_ignoring_case(wanted, value))
            }
            Wanted::Like(templates) => any(templates.iter().map(|template| template.matches(value, context))),
            Wanted::Numbers(order, limits) => {
                let number = Decimal::parse(value);
                plain(number.is_some_and(|number| limits.iter().any(|limit| order.holds(&number, limit))))
            }
            Wanted::Dates(order, limits) => {
                let date = parse_date(value);
                plain(date.is_some_and(|date| limits.iter().any(|limit| order.holds(&date, limit))))
            }
            Wanted::Bools(templates) => {
                let value = parse_bool(value);
                each_text(templates, context, |wanted| {
                    value.is_some() && parse_bool(wanted) == value
                })
            }
            Wanted::Bytes(wanted) => {
                let bytes = STANDARD.decode(value).ok();
                plain(bytes.is_some_and(|bytes| wanted.contains(&bytes)))
            }
            Wanted::Networks(networks) => {
                let address = value.parse::<IpAddr>().ok();
                plain(address.is_some_and(|address| networks.iter().any(|network| network.contains(address))))
            }
            Wanted::Arns(templates) => match arn_components(value) {
                Some(arn) => any(templates.iter().map(|template| template.matches(&arn, context))),
                None => any(templates
                    .iter()
                    .map(|template| template.is_resolved(context).then_some(false))),
            },
            Wanted::Absent { .. } => Hit::No,
        }
    }

    /// See [`Template::cost`].
    pub(super) fn cost(&self) -> usize {
        match &self.wanted {
            Wanted::Like(templates) => templates.iter().map(Template::cost).sum(),
            Wanted::Arns(templates) => templates.iter().map(ArnTemplate::cost).sum(),
            _ => 0,
        }
    }
}

fn each<T>(
    values: &[String],
    parse: impl Fn(&str) -> Option<T>,
    wrong: &'static str,
) -> Result<Box<[T]>, &'static str> {
    let parsed = values.iter().map(|value| parse(value).ok_or(wrong));
    parsed.collect()
}

fn each_text(templates: &[Template], context: &dyn RequestContext, is_wanted: impl Fn(&str) -> bool) -> Hit {
    any(templates
        .iter()
        .map(|template| template.text(context).map(|text| is_wanted(&text))))
}

fn any(hits: impl Iterator<Item = Option<bool>>) -> Hit {
    let mut outcome = Hit::No;
    for hit in hits {
        match hit {
            Some(true) => return Hit::Yes,
            Some(false) => {}
            None => outcome = Hit::Unresolved,
        }
    }
    outcome
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn same_ignoring_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    let lower = |text: &str| text.to_lowercase();
    lower(one) == lower(other)
}
