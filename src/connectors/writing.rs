//! What is written into a CRM, and what became of it.

use crate::model::RecordRefusal;
use crate::sync::Record;

/// What to write to one record.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteKind {
    /// Set `fields` of the record with this id.
    Update {
        /// The CRM's id.
        crm_id: String,
        /// The CRM's values that were merged, of fields to write. A connector that reads before it writes leaves a record
        /// alone that has others by now, and answers [`WriteOutcome::Moved`].
        merged: Record,
    },
    /// Create a record, safe to repeat where `external_id` is given.
    Create {
        /// Value of the external-id field.
        external_id: Option<String>,
    },
}

/// One record's write.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordWrite {
    /// Update or create.
    pub kind: WriteKind,
    /// Only the fields that change, in the CRM's spelling.
    pub fields: Record,
}

/// A record's values around a write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteImages {
    /// Values of the written fields just before (updates only, where the CRM gives them).
    pub before: Option<Record>,
    /// Values of the written fields just after, where the CRM gives them.
    pub after: Option<Record>,
    /// When a person had last changed the record before the write, epoch milliseconds.
    pub edited_before: Option<i64>,
    /// Modification stamp after the write, epoch milliseconds.
    pub modified_at: Option<i64>,
}

/// What became of one record's write.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteOutcome {
    /// The CRM has it.
    Done {
        /// The CRM's id.
        crm_id: String,
        /// Whether the record is new.
        created: bool,
        /// Values before and after.
        images: WriteImages,
    },
    /// The CRM refused this record.
    Refused(RecordRefusal),
    /// The record is in the recycle bin or not there.
    Gone,
    /// Nothing was written: somebody changed a field to write since it was read. Merge again with these values.
    Moved {
        /// Values of the fields to write, as they are now.
        fields: Record,
        /// Modification stamp, epoch milliseconds.
        modified_at: i64,
        /// When a person last changed the record, epoch milliseconds.
        edited_at: i64,
    },
    /// A transient refusal (row lock); the record may be tried again.
    Busy,
    /// Already there by a unique field: the record it collides with, where the CRM names it.
    Duplicate {
        /// Ids of the records it collides with.
        crm_ids: Vec<String>,
    },
}
