use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::members;
use crate::runner::{BULLA, Operation};
use crate::{Call, Mode, Service, ServiceError};

/// Rows that go in one transaction at most.
const PAGE: u32 = 500;

/// What stays: the service itself, and who may ask it, with the groups that users are in.
const STAYS: [Table; 6] = [
    Table::Settings,
    Table::StoreKeys,
    Table::AuditKeys,
    Table::Principals,
    Table::AccessKeys,
    Table::Groups,
];

impl Service {
    /// Deletes every key of every account and region with all that belongs to it, as between two tests; the audit log goes on.
    ///
    /// # Errors
    /// `Unsupported` unless the service was made for development; `AccessDenied` for who is no administrator.
    pub async fn reset(&self, call: &Call) -> Result<(), ServiceError> {
        while self.core.run(call, &Reset).await? {}
        Ok(())
    }
}

/// One page of a reset; tells whether there may be another.
struct Reset;

impl Operation for Reset {
    type Response = bool;

    const EVENT: EventKind = EventKind {
        name: "Reset",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<bool, ServiceError> {
        decision.authorise("bulla:Reset", "*")?;
        if decision.core.mode != Mode::Development {
            return Err(ServiceError::Unsupported(
                "Only a service that was made for development can be reset.".to_owned(),
            ));
        }
        let mut left = PAGE;
        for table in Table::ALL
            .into_iter()
            .filter(|table| table.decides() && !STAYS.contains(table))
        {
            if left == 0 {
                break;
            }
            for entry in decision.core.rows.list(table, RowFilter::All, None, left).await? {
                decision.delete(entry.row());
                left -= 1;
            }
        }
        decision.response = members([("deletedRows", (PAGE - left).into())]);
        Ok(left < PAGE)
    }
}
