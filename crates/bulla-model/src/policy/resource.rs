use super::Request;
use super::pattern::ArnTemplate;

/// What a statement is about.
#[derive(Debug)]
pub(super) struct Resources {
    /// `NotResource`.
    pub(super) negated: bool,
    pub(super) patterns: Box<[ResourcePattern]>,
}

#[derive(Debug)]
pub(super) enum ResourcePattern {
    /// `*`
    All,
    Arn(ArnTemplate),
}

impl Resources {
    /// `None` where that depends on a variable that has no value.
    pub(super) fn include(&self, request: &Request<'_>) -> Option<bool> {
        let mut unresolved = false;
        for pattern in &self.patterns {
            let pattern = match pattern {
                ResourcePattern::All => return Some(!self.negated),
                ResourcePattern::Arn(pattern) => pattern,
            };
            for arn in request.arns() {
                match pattern.matches(arn, request.context) {
                    Some(true) => return Some(!self.negated),
                    Some(false) => {}
                    None => unresolved = true,
                }
            }
        }
        if unresolved && self.negated {
            None
        } else {
            Some(self.negated)
        }
    }
}

impl ResourcePattern {
    pub(super) fn parse(text: &str, variables: bool) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::All);
        }
        if !text.starts_with("arn:") {
            return Err("a resource that is neither an ARN nor *");
        }
        // "You can use a policy variable in the Resource element, but only in the resource portion of the ARN."
        let before = text.find("${").map_or(text, |at| &text[..at]);
        if variables && before.len() < text.len() && before.matches(':').count() < 5 {
            return Err("a variable before the last part of an ARN");
        }
        Ok(Self::Arn(ArnTemplate::parse(text, variables, true)?))
    }

    pub(super) fn cost(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Arn(template) => template.cost(),
        }
    }
}
