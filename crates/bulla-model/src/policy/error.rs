use std::fmt;

/// Why a document is no policy, and where; the text of AWS's `MalformedPolicyDocumentException`.
///
/// AWS's own texts are used where they are known; the others are Bulla's, and all but AWS's end with the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    problem: String,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// RFC 6901.
    Pointer(String),
    Text {
        line: usize,
        column: usize,
    },
    Document,
}

impl PolicyError {
    /// The text without the place.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The JSON pointer of what is wrong; `None` where the text is no JSON or the whole document is meant.
    pub fn pointer(&self) -> Option<&str> {
        match &self.place {
            Place::Pointer(pointer) => Some(pointer),
            _ => None,
        }
    }

    pub(super) fn at(pointer: &str, problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            place: Place::Pointer(pointer.to_owned()),
        }
    }

    pub(super) fn whole(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            place: Place::Document,
        }
    }

    pub(super) fn syntax(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // serde_json's texts end with their place.
        let problem = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(problem, _)| problem);
        Self {
            problem: format!("Syntax error: {problem}"),
            place: Place::Text {
                line: error.line(),
                column: error.column(),
            },
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match &self.place {
            Place::Pointer(pointer) if !pointer.is_empty() => write!(f, " (at {pointer})"),
            Place::Text { line, column } => write!(f, " (at line {line}, column {column})"),
            Place::Pointer(_) | Place::Document => Ok(()),
        }
    }
}
