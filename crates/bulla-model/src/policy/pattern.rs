//! Texts with wildcards and variables. Matching costs a pass over the text, whatever the pattern.

use std::borrow::Cow;

use super::RequestContext;

/// A text of a policy: literal, with `*` and `?`, with variables.
#[derive(Debug, PartialEq)]
pub(super) struct Template {
    parts: Box<[Part]>,
    /// The pattern, where it has no variables.
    fixed: Option<Glob>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(Box<str>),
    /// `?`
    One,
    /// `*`
    Many,
    /// `${key}` or `${key, 'default'}`; the key in lower case.
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

/// What of the syntax a text may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    pub(super) wildcards: bool,
    pub(super) variables: bool,
}

impl Template {
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, &'static str> {
        let parts = parse_parts(text, syntax)?;
        let fixed = Glob::of(&parts);
        Ok(Self {
            parts: parts.into(),
            fixed,
        })
    }

    /// Whether the pattern matches; `None` where a variable has no value.
    pub(super) fn matches(&self, text: &str, context: &dyn RequestContext) -> Option<bool> {
        match &self.fixed {
            Some(glob) => Some(glob.matches(text)),
            None => Some(Glob::of(&resolve(&self.parts, context)?)?.matches(text)),
        }
    }

    /// The text, for operators without wildcards; `None` where a variable has no value.
    pub(super) fn text(&self, context: &dyn RequestContext) -> Option<Cow<'_, str>> {
        match &*self.parts {
            [] => return Some(Cow::Borrowed("")),
            [Part::Text(text)] => return Some(Cow::Borrowed(text)),
            _ => {}
        }
        let mut whole = String::new();
        for part in resolve(&self.parts, context)? {
            match part {
                Part::Text(text) => whole.push_str(&text),
                Part::One => whole.push('?'),
                Part::Many => whole.push('*'),
                Part::Variable { .. } => return None,
            }
        }
        Some(Cow::Owned(whole))
    }

    /// The text, where it is literal.
    pub(super) fn literal(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What matching may cost for each character of the text beyond the first: see [`Glob::cost`].
    pub(super) fn cost(&self) -> usize {
        match &self.fixed {
            Some(glob) => glob.cost(),
            None if self.parts.contains(&Part::One) && self.parts.contains(&Part::Many) => {
                // What a variable will hold is not known; AWS's values are at most 256 characters.
                let known: usize = self
                    .parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => text.len(),
                        Part::One => 1,
                        Part::Many => 0,
                        Part::Variable { .. } => 256,
                    })
                    .sum();
                known
            }
            None => usize::from(stars(&self.parts) > 1),
        }
    }
}

fn stars(parts: &[Part]) -> usize {
    parts.iter().filter(|part| **part == Part::Many).count()
}

/// The six components of an ARN, each with its own wildcards: a wildcard does not span components, but for the last.
#[derive(Debug, PartialEq)]
pub(super) struct ArnTemplate {
    parts: Box<[Part]>,
    fixed: Option<ArnGlob>,
    complete: bool,
}

#[derive(Debug, PartialEq)]
enum ArnGlob {
    /// `*`
    Any,
    Components(Box<[Glob; 6]>),
    /// Too few components: matches nothing.
    Nothing,
}

impl ArnTemplate {
    /// `complete`: an ARN that ends early is completed with `*`, as AWS does for `Resource`.
    pub(super) fn parse(text: &str, variables: bool, complete: bool) -> Result<Self, &'static str> {
        let syntax = Syntax {
            wildcards: true,
            variables,
        };
        let parts = parse_parts(text, syntax)?;
        let has_variables = parts.iter().any(|part| matches!(part, Part::Variable { .. }));
        let fixed = if has_variables {
            None
        } else {
            let glob = ArnGlob::of(&parts, complete);
            if glob == ArnGlob::Nothing {
                return Err("not an ARN");
            }
            Some(glob)
        };
        Ok(Self {
            parts: parts.into(),
            fixed,
            complete,
        })
    }

    /// Whether the pattern matches the components of an ARN; `None` where a variable has no value.
    pub(super) fn matches(&self, arn: &[&str; 6], context: &dyn RequestContext) -> Option<bool> {
        match &self.fixed {
            Some(glob) => Some(glob.matches(arn)),
            None => Some(ArnGlob::of(&resolve(&self.parts, context)?, self.complete).matches(arn)),
        }
    }

    /// Whether every variable has a value.
    pub(super) fn is_resolved(&self, context: &dyn RequestContext) -> bool {
        self.fixed.is_some() || resolve(&self.parts, context).is_some()
    }

    pub(super) fn cost(&self) -> usize {
        match &self.fixed {
            Some(ArnGlob::Components(components)) => components.iter().map(Glob::cost).sum(),
            Some(_) => 0,
            None if self.parts.contains(&Part::One) && self.parts.contains(&Part::Many) => 256,
            None => usize::from(stars(&self.parts) > 1),
        }
    }
}

impl ArnGlob {
    fn of(parts: &[Part], complete: bool) -> Self {
        if parts == [Part::Many] {
            return Self::Any;
        }
        let mut components: Vec<Vec<Part>> = vec![Vec::new()];
        for part in parts {
            let Part::Text(text) = part else {
                if let Some(last) = components.last_mut() {
                    last.push(part.clone());
                }
                continue;
            };
            let mut rest: &str = text;
            while components.len() < 6
                && let Some((before, after)) = rest.split_once(':')
            {
                push_text(components.last_mut(), before);
                components.push(Vec::new());
                rest = after;
            }
            push_text(components.last_mut(), rest);
        }
        if complete {
            while components.len() < 6 {
                components.push(vec![Part::Many]);
            }
        }
        let globs: Option<Vec<Glob>> = components.iter().map(|parts| Glob::of(parts)).collect();
        match globs.and_then(|globs| <[Glob; 6]>::try_from(globs).ok()) {
            Some(components) => Self::Components(Box::new(components)),
            None => Self::Nothing,
        }
    }

    fn matches(&self, arn: &[&str; 6]) -> bool {
        match self {
            Self::Any => true,
            // The last components differ most.
            Self::Components(globs) => globs.iter().zip(arn).rev().all(|(glob, text)| glob.matches(text)),
            Self::Nothing => false,
        }
    }
}

fn push_text(parts: Option<&mut Vec<Part>>, text: &str) {
    if let Some(parts) = parts
        && !text.is_empty()
    {
        parts.push(Part::Text(text.into()));
    }
}

/// Takes an ARN apart at its first five colons.
pub(super) fn arn_components(arn: &str) -> Option<[&str; 6]> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    Some([next()?, next()?, next()?, next()?, next()?, next()?])
}

fn parse_parts(text: &str, syntax: Syntax) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if syntax.variables
            && let Some(after) = rest.strip_prefix("${")
        {
            let end = after.find('}').ok_or("a variable without its closing brace")?;
            let inner = after[..end].trim();
            rest = &after[end + 1..];
            match inner {
                "*" | "?" | "$" => literal.push_str(inner),
                _ => {
                    push_text(Some(&mut parts), &literal);
                    literal.clear();
                    parts.push(parse_variable(inner)?);
                }
            }
            continue;
        }
        rest = &rest[next.len_utf8()..];
        let wildcard = match next {
            '*' if syntax.wildcards => Part::Many,
            '?' if syntax.wildcards => Part::One,
            other => {
                literal.push(other);
                continue;
            }
        };
        push_text(Some(&mut parts), &literal);
        literal.clear();
        if wildcard != Part::Many || parts.last() != Some(&Part::Many) {
            parts.push(wildcard);
        }
    }
    push_text(Some(&mut parts), &literal);
    Ok(parts)
}

fn parse_variable(inner: &str) -> Result<Part, &'static str> {
    let (key, default) = match inner.split_once(',') {
        None => (inner, None),
        Some((key, default)) => {
            let default = default
                .trim()
                .strip_prefix('\'')
                .and_then(|rest| rest.strip_suffix('\''))
                .ok_or("a variable's default that is not in single quotes")?;
            (key.trim_end(), Some(default.into()))
        }
    };
    let legal = !key.is_empty() && !key.contains(['$', '{', '\'', '*', '?']) && !key.contains(char::is_whitespace);
    if !legal {
        return Err("a variable without a legal name");
    }
    Ok(Part::Variable {
        key: key.to_lowercase().into(),
        default,
    })
}

/// Puts values in the places of variables. What comes from a request is literal: a `*` in it is no wildcard.
fn resolve(parts: &[Part], context: &dyn RequestContext) -> Option<Vec<Part>> {
    let mut resolved: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        let Part::Variable { key, default } = part else {
            resolved.push(part.clone());
            continue;
        };
        let values = context.values(key);
        let value = match values.as_slice() {
            [one] => Some(&**one),
            _ => default.as_deref(),
        };
        push_text(Some(&mut resolved), value?);
    }
    Some(resolved)
}

/// A pattern with `*` and `?`, taken apart at its stars.
#[derive(Debug, PartialEq)]
struct Glob {
    /// One, without any star; else what stands before, between and after the stars.
    segments: Box<[Segment]>,
}

/// What stands between two stars.
#[derive(Debug, PartialEq)]
enum Segment {
    Literal(Box<str>),
    /// With at least one `?` (`None`).
    Holed(Box<[Option<char>]>),
}

impl Glob {
    /// `None` where there is a variable.
    fn of(parts: &[Part]) -> Option<Self> {
        let mut segments = Vec::new();
        let mut units: Vec<Option<char>> = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => units.extend(text.chars().map(Some)),
                Part::One => units.push(None),
                Part::Many => segments.push(Segment::of(std::mem::take(&mut units))),
                Part::Variable { .. } => return None,
            }
        }
        segments.push(Segment::of(units));
        Some(Self {
            segments: segments.into(),
        })
    }

    fn matches(&self, text: &str) -> bool {
        match &*self.segments {
            [] => text.is_empty(),
            [whole] => whole.prefix_of(text) == Some(text.len()),
            [first, middle @ .., last] => {
                let Some(mut at) = first.prefix_of(text) else {
                    return false;
                };
                for segment in middle {
                    match segment.find_in(&text[at..]) {
                        Some(end) => at += end,
                        None => return false,
                    }
                }
                last.suffix_of(&text[at..])
            }
        }
    }

    /// How often each character of the text may be compared: the length of the segments that are searched for and have a `?`, and once
    /// for all others that are.
    fn cost(&self) -> usize {
        let searched = self.segments.len().saturating_sub(2);
        let lengths = self
            .segments
            .iter()
            .skip(1)
            .take(searched)
            .map(|segment| match segment {
                Segment::Literal(_) => 0,
                Segment::Holed(units) => units.len(),
            });
        lengths.sum::<usize>() + usize::from(searched > 0)
    }
}

impl Segment {
    fn of(units: Vec<Option<char>>) -> Self {
        match units.iter().copied().collect::<Option<String>>() {
            Some(literal) => Self::Literal(literal.into()),
            None => Self::Holed(units.into()),
        }
    }

    /// Bytes of `text` that the segment covers from its beginning.
    fn prefix_of(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(literal) => text.starts_with(&**literal).then_some(literal.len()),
            Self::Holed(units) => {
                let mut chars = text.chars();
                for unit in units {
                    let next = chars.next()?;
                    if unit.is_some_and(|wanted| wanted != next) {
                        return None;
                    }
                }
                Some(text.len() - chars.as_str().len())
            }
        }
    }

    fn suffix_of(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => text.ends_with(&**literal),
            Self::Holed(units) => {
                let mut chars = text.chars().rev();
                let fits = |unit: &Option<char>| {
                    chars
                        .next()
                        .is_some_and(|next| unit.is_none_or(|wanted| wanted == next))
                };
                units.iter().rev().all(fits)
            }
        }
    }

    /// The end of the segment's first occurrence.
    fn find_in(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(literal) => text.find(&**literal).map(|at| at + literal.len()),
            Self::Holed(_) => {
                let mut places = text.char_indices().map(|(at, _)| at);
                places.find_map(|at| self.prefix_of(&text[at..]).map(|length| at + length))
            }
        }
    }
}
