use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is as it should be: exit code 0.
    Done,
    /// The command worked and found something wrong, which it printed: exit code 1.
    Found,
}

/// What a command answers.
pub(crate) type CommandResult = Result<Outcome, anyhow::Error>;

/// Something that went wrong, and what to do about it; printed as `error:` and `hint:`.
#[derive(Debug)]
pub(crate) struct Explained {
    what: String,
    hint: Option<String>,
    misuse: bool,
}

impl Explained {
    /// Says what went wrong; exit code 1.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: None,
            misuse: false,
        }
    }

    /// Says how the command was called wrongly; exit code 2.
    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: None,
            misuse: true,
        }
    }

    /// Says what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Explained {}

/// Turns the result of a command into an exit code, and an error into its lines on stderr.
pub(crate) fn conclude(result: CommandResult) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Err(error) => {
            // Where stderr is closed there is nobody left to tell.
            drop(io::stderr().lock().write_all(render(&error).as_bytes()));
            let misuse = error
                .downcast_ref::<Explained>()
                .is_some_and(|explained| explained.misuse);
            ExitCode::from(if misuse { 2 } else { 1 })
        }
    }
}

/// Prints the chain of an error, each link once, and the outermost hint.
fn render(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut previous = String::new();
    for (depth, link) in error.chain().enumerate() {
        let line = tidy(&link.to_string());
        // Some libraries print their source inside themselves: once is enough.
        if line.is_empty() || previous.ends_with(&line) {
            continue;
        }
        text.push_str(if depth == 0 { "error: " } else { "caused by: " });
        text.push_str(&line);
        text.push('\n');
        previous = line;
    }
    if let Some(hint) = error
        .downcast_ref::<Explained>()
        .and_then(|explained| explained.hint.as_deref())
    {
        text.push_str("hint: ");
        text.push_str(hint);
        text.push('\n');
    }
    text
}

/// Lower case at the start unless the first word has other capitals (an acronym, a name of AWS's), one line, no full stop at the
/// end, no control characters.
fn tidy(text: &str) -> String {
    let flat: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let flat = flat.trim_end_matches('.');
    let word = flat.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut letters = flat.chars();
    match letters.next() {
        Some(first) if first.is_uppercase() && word.chars().skip(1).all(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => flat.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_is_printed_as_lines_of_lower_case_without_full_stops() {
        let error = Err::<(), _>(io::Error::other("Permission denied."))
            .context("reading the file")
            .context(Explained::new("the root key can't be read").hint("chmod 600 it"))
            .expect_err("an error");
        assert_eq!(
            render(&error),
            "error: the root key can't be read\ncaused by: reading the file\ncaused by: permission denied\nhint: chmod 600 it\n"
        );
    }

    #[test]
    fn acronyms_keep_their_capitals_and_control_characters_go() {
        assert_eq!(tidy("SQLite said\nno.\x1b[31m"), "SQLite said no. [31m");
        assert_eq!(tidy("AWS KMS refused."), "AWS KMS refused");
        assert_eq!(tidy("AccessDeniedException: No"), "AccessDeniedException: No");
    }

    #[test]
    fn a_source_that_its_error_printed_already_is_not_repeated() {
        let error = anyhow::anyhow!("disk full").context("write failed: disk full");
        assert_eq!(render(&error), "error: write failed: disk full\n");
    }
}
