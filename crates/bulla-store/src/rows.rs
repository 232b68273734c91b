/// A table of rows that decide; all have the same shape, [`Row`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// What the service is: mode, log origin, format. One row, id `service`.
    Settings,
    /// Wrapped versions of the store key; id is the version, ten digits.
    StoreKeys,
    /// Audit signing keys: public half, wrapped seed; id is the key's number, ten digits.
    AuditKeys,
    /// Users and the roles they hold; id is the ARN, owner the account.
    Principals,
    /// Access keys; id is the access key id, owner the principal's ARN.
    AccessKeys,
    /// KMS keys; id is `account/region/key id`, owner `account/region`.
    Keys,
    /// Key material; id is `account/region/material id in hex`, owner the key's row id.
    KeyVersions,
    /// Aliases; id is `account/region/alias/name`, owner the target key's row id.
    Aliases,
    /// Grants; id is `account/region/key id/grant id`, owner the key's row id.
    Grants,
    /// API tokens; id is the token's id, owner the principal's ARN.
    ApiTokens,
    /// Batches of events that clients asserted; id is the bringer's ARN and the batch's name, owner his ARN.
    AuditBatches,
    /// Which versions of tokens are too old; id is `account/client/place`, both as digests, or `account/client/epoch`.
    TokenMarks,
    /// Roles; id is the ARN, owner the account.
    Roles,
    /// Groups of users; id is the ARN, owner the account.
    Groups,
    /// When keys were used last; id is the key's ARN. Its rows decide nothing: they have a MAC, and no place in change feed and log.
    KeyUsage,
}

impl Table {
    /// Every table, in the order in which migrations create them.
    pub const ALL: [Table; 15] = [
        Table::Settings,
        Table::StoreKeys,
        Table::AuditKeys,
        Table::Principals,
        Table::AccessKeys,
        Table::Keys,
        Table::KeyVersions,
        Table::Aliases,
        Table::Grants,
        Table::KeyUsage,
        Table::ApiTokens,
        Table::AuditBatches,
        Table::Roles,
        Table::Groups,
        Table::TokenMarks,
    ];

    /// The table's name in SQL, in the change feed and in audit events.
    pub fn name(self) -> &'static str {
        match self {
            Table::Settings => "settings",
            Table::StoreKeys => "store_keys",
            Table::AuditKeys => "audit_keys",
            Table::Principals => "principals",
            Table::AccessKeys => "access_keys",
            Table::Keys => "kms_keys",
            Table::KeyVersions => "key_versions",
            Table::Aliases => "aliases",
            Table::Grants => "grants",
            Table::KeyUsage => "key_usage",
            Table::ApiTokens => "api_tokens",
            Table::AuditBatches => "audit_batches",
            Table::Roles => "roles",
            Table::Groups => "user_groups",
            Table::TokenMarks => "token_marks",
        }
    }

    /// Whether the table's rows decide, so that change feed and log name each change of one.
    pub fn decides(self) -> bool {
        self != Table::KeyUsage
    }

    /// Finds the table of a name.
    pub fn from_name(name: &str) -> Option<Table> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

/// A row that decides, as stored; believed only after its MAC and its change were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Primary key; 1 to 512 bytes, none of them zero.
    pub id: String,
    /// What the row belongs to, for listing; 0 to 512 bytes, none of them zero.
    pub owner: String,
    /// Metadata revision at which this row was last written.
    pub revision: u64,
    /// The row's content in its own canonical form; at most 1 MiB.
    pub body: Vec<u8>,
    /// HMAC-SHA-256 over table, id, owner, revision and body.
    pub mac: [u8; 32],
}

/// One row of the change feed: which row a metadata revision wrote or deleted.
///
/// Revisions are contiguous from 1; a revision that changes `count` rows has the ordinals 0 to `count - 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The metadata revision.
    pub revision: u64,
    /// Position among the changes of this revision.
    pub ordinal: u32,
    /// How many changes this revision has.
    pub count: u32,
    /// The table.
    pub table: Table,
    /// The row's primary key.
    pub id: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// HMAC-SHA-256 over all of the above.
    pub mac: [u8; 32],
}

/// What a change did to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Written, new or over an older one.
    Put,
    /// Deleted.
    Delete,
}

/// What the store has under one primary key: the row, and the newest change that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The row, if there is one.
    pub row: Option<Row>,
    /// The newest change that names this row, if there ever was one.
    pub newest_change: Option<Change>,
}

/// The one head row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// Number of events in the log.
    pub size: u64,
    /// Newest metadata revision.
    pub metadata_revision: u64,
    /// The log's state (`bulla_audit::LogState`), at most 4 KiB.
    pub state: Vec<u8>,
    /// Signed checkpoint of exactly this state; at most 16 KiB, none of them zero.
    pub checkpoint: String,
}

/// One audit event: its exact bytes, as hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Position in the log, from 0.
    pub sequence: u64,
    /// RFC 8785 JSON; at most 256 KiB.
    pub event: Vec<u8>,
}

/// A signed checkpoint, one per group commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Size of the log that it covers.
    pub size: u64,
    /// The C2SP signed note; at most 16 KiB, none of the bytes zero.
    pub note: String,
}
