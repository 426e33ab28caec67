//! Conflicts as the API and the screens see them (`contract.md`, section 3, "conflict").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::pagination::Pagination;
use crate::model::{ConflictKind, ConflictStatus, ResolutionStrategy};

/// Values by app field; numbers and dates as text, exactly as stored.
pub type Values = BTreeMap<String, Option<String>>;

/// One question for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The conflict.
    pub id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// What it asks.
    pub kind: ConflictKind,
    /// `accounts`, `contacts` or `opportunities`.
    pub entity_type: String,
    /// The app record.
    pub entity_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// The app's values.
    pub app_data: Values,
    /// The CRM's values in app form.
    pub crm_data: Values,
    /// The app's values at the last agreement.
    pub base_data: Values,
    /// The CRM's values as it stores them.
    pub crm_raw: Values,
    /// Fields in conflict.
    pub conflicting_fields: Vec<String>,
    /// Whether it waits.
    pub status: ConflictStatus,
    /// How it was settled.
    pub resolution_strategy: Option<ResolutionStrategy>,
    /// The values that were decided, in app form.
    pub merged_data: Option<Values>,
    /// Raised whenever either side moves.
    pub version: i32,
    /// Who settled it.
    pub resolved_by: Option<Uuid>,
    /// RFC 3339.
    pub resolved_at: Option<String>,
    /// RFC 3339.
    pub detected_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Answer of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictList {
    /// The conflicts, newest first.
    pub conflicts: Vec<Conflict>,
    /// Which part of the list this is.
    pub pagination: Pagination,
}

/// Answer for one conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictAnswer {
    /// The conflict.
    pub conflict: Conflict,
}
