//! Which part of a list an answer is.

use serde::{Deserialize, Serialize};

/// The part of a list that an answer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// Rows in all.
    pub total: i64,
    /// Rows in an answer at most.
    pub limit: i64,
    /// Rows before this answer; of no meaning where a cursor was given.
    pub offset: i64,
    /// What to give as `cursor` for what follows; `null` at the end.
    pub next_cursor: Option<String>,
}
