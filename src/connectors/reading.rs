//! What is read from a CRM: records, windows of changes, deletions, look-ups.

use std::time::Duration;

use crate::model::Entity;
use crate::sync::{Filter, FilterContext, Record};

/// One record as read from the CRM.
#[derive(Debug, Clone, PartialEq)]
pub struct CrmRecord {
    /// The CRM's id.
    pub id: String,
    /// Modification stamp that windows go by, epoch milliseconds (Salesforce: SystemModstamp).
    pub modified_at: i64,
    /// When a person last changed it, epoch milliseconds (Salesforce: LastModifiedDate).
    pub edited_at: i64,
    /// The record is in the recycle bin.
    pub deleted: bool,
    /// Id of the record that this one was merged into.
    pub merged_into: Option<String>,
    /// The fields asked for.
    pub fields: Record,
}

/// A window of changes of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadWindow {
    /// Which entity.
    pub entity: Entity,
    /// Fields to return (API names), without the system ones.
    pub fields: Vec<String>,
    /// Start of the window, epoch milliseconds; `None` reads the entity in full.
    pub since: Option<i64>,
    /// Records outside of it need not be returned by a reading in full. The caller judges what is returned all the same, and a
    /// connector leaves out what its CRM would judge otherwise; a window with a start is never narrowed, because it would show
    /// no record leave.
    pub filter: Option<WindowFilter>,
}

/// Which records a reading in full needs.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowFilter {
    /// The filter.
    pub filter: Filter,
    /// What "today" and "current user" stand for.
    pub context: FilterContext,
}

/// One page of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadPage {
    /// The records, deleted ones included where `since` is set.
    pub records: Vec<CrmRecord>,
    /// Where the next page starts; `None` when all is read. Opaque, good across restarts.
    pub next: Option<String>,
    /// How many records the window holds, where the CRM tells. With a filter: only where the CRM judges all of it itself.
    pub total: Option<u64>,
    /// The CRM is still making what was asked for: ask for `next` after this time. The page holds no record then.
    pub wait: Option<Duration>,
}

/// Bound up to which every change is known to be visible: the next cursor. Epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark(pub i64);

/// A record that the CRM says was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedRecord {
    /// The CRM's id.
    pub id: String,
    /// When, epoch milliseconds.
    pub deleted_at: i64,
}

/// Which deletions of an entity are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionQuery {
    /// Start, epoch milliseconds; `None`: none are asked for, only the watermark.
    pub since: Option<i64>,
    /// Read the CRM's list to its end, however long. Else a list that cannot be asked for a time is read for two pages at
    /// most (HubSpot's archived records), and [`Deletions::exhaustive`] tells whether that was all.
    pub thorough: bool,
}

/// Deletions of an entity, and how far its changes are known to be visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletions {
    /// What was deleted.
    pub records: Vec<DeletedRecord>,
    /// The next cursor.
    pub watermark: Watermark,
    /// `false` where the CRM's list does not reach back to the start that was asked for: read the entity in full.
    pub complete: bool,
    /// `false` where more may be listed than was read: ask thoroughly when an hour has passed.
    pub exhaustive: bool,
}

/// A second look at what was read before: a CRM whose index lags shows some changes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookBack {
    /// Time between two such looks.
    pub every: Duration,
    /// How far before the cursor the window then starts.
    pub reach: Duration,
}

/// Look-up of records by the values of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyLookup {
    /// Field (API name).
    pub field: String,
    /// Values; at most 200.
    pub values: Vec<String>,
}
