use serde_json::{Value, json};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Good to know.
    Note,
    /// Works, and should not stay so.
    Warning,
    /// Does not work.
    Error,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

macro_rules! findings {
    ($($(#[$doc:meta])* $name:ident = $id:literal $severity:ident),* $(,)?) => {
        /// Everything that `doctor` can find; each has a heading of its id in `docs/troubleshooting.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind { $($(#[$doc])* $name),* }

        impl Kind {
            /// Every kind.
            #[cfg(test)]
            pub(super) const ALL: &'static [Kind] = &[$(Kind::$name),*];

            /// The heading's anchor.
            pub(super) fn id(self) -> &'static str {
                match self { $(Kind::$name => $id),* }
            }

            /// How bad it is.
            pub(super) fn severity(self) -> Severity {
                match self { $(Kind::$name => Severity::$severity),* }
            }
        }
    };
}

findings! {
    /// A settings file or variable can't be read.
    SettingsInvalid = "settings-invalid" Error,
    /// A `BULLA_*` variable that sets nothing.
    UnknownVariable = "unknown-variable" Warning,
    /// A variable of a replaced system.
    LegacyVariable = "legacy-variable" Warning,
    /// Nothing there.
    NoDataDirectory = "no-data-directory" Error,
    /// Killed during `init`.
    UnfinishedDataDirectory = "unfinished-data-directory" Error,
    /// Somebody else's files.
    ForeignDirectory = "foreign-directory" Error,
    /// Others may enter.
    DataDirectoryPermissions = "data-directory-permissions" Error,
    /// Everybody is the administrator.
    DevelopmentDirectory = "development-directory" Note,
    /// The file is gone.
    RootKeyMissing = "root-key-missing" Error,
    /// The file or the KMS key can't be used.
    RootKeyUnusable = "root-key-unusable" Error,
    /// Another store's root key.
    RootKeyWrong = "root-key-wrong" Error,
    /// One loss loses everything.
    NoSecondRoot = "no-second-root" Warning,
    /// Both roots are files on one machine.
    SecondRootBeside = "second-root-beside" Warning,
    /// One disk image has both.
    RootBesideDatabase = "root-beside-database" Warning,
    /// Not reached.
    DatabaseUnreachable = "database-unreachable" Error,
    /// Loses commits.
    DatabaseNotDurable = "database-not-durable" Error,
    /// Newer than this program.
    DatabaseSchema = "database-schema" Error,
    /// No service in it.
    DatabaseEmpty = "database-empty" Error,
    /// Changed by something else.
    TamperedStore = "tampered-store" Error,
    /// Another reason.
    ServiceDoesNotOpen = "service-does-not-open" Error,
    /// Off loopback without TLS.
    ListenerExposed = "listener-exposed" Error,
    /// Certificate or key can't be read.
    TlsUnusable = "tls-unusable" Error,
    /// The machine's clock is behind the log's.
    ClockBehind = "clock-behind" Error,
    /// The checkpoint that was kept elsewhere is of another log.
    CheckpointForeign = "checkpoint-foreign" Error,
    /// The checkpoint that was kept elsewhere is old.
    CheckpointOld = "checkpoint-old" Warning,
}

/// One thing that `doctor` found.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// What, without a secret.
    pub(super) what: String,
    /// What to do.
    pub(super) hint: String,
}

impl Finding {
    pub(super) fn new(kind: Kind, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub(super) fn anchor(&self) -> String {
        format!("docs/troubleshooting.md#{}", self.kind.id())
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "Id": self.kind.id(),
            "Severity": self.kind.severity().name(),
            "What": self.what,
            "Hint": self.hint,
            "Anchor": self.anchor(),
        })
    }

    pub(super) fn to_text(&self) -> String {
        let text = format!(
            "{}: {}\n  hint: {}\n  see {}",
            self.kind.severity().name(),
            self.what,
            self.hint,
            self.anchor()
        );
        text.chars()
            .map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_its_heading_and_every_heading_its_finding() {
        let document = include_str!("../../../../docs/troubleshooting.md");
        let headings: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let ids: Vec<&str> = Kind::ALL.iter().map(|kind| kind.id()).collect();
        assert_eq!(
            headings, ids,
            "docs/troubleshooting.md has one ### heading for each id, in the same order"
        );
    }
}
