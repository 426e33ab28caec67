//! The app's own records, as the API and the screens see them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::pagination::Pagination;
use crate::model::{LinkState, Provider};

/// A record as the API writes it (`contract.md`, section 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The record.
    pub id: Uuid,
    /// Every app field by name, keys of custom as `custom.<key>`.
    pub fields: Map<String, Value>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// RFC 3339; `null` while the record lives.
    pub deleted_at: Option<String>,
    /// Its ties to CRM records.
    pub links: Vec<RecordLink>,
}

/// A record's tie to a CRM record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordLink {
    /// The connection.
    pub config_id: Uuid,
    /// Its CRM.
    pub provider: Provider,
    /// The CRM record; `null` while it is being created.
    pub crm_record_id: Option<String>,
    /// State of the link.
    pub state: LinkState,
}

/// Answer of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordList {
    /// The records, last changed first.
    pub records: Vec<Record>,
    /// Which part of the list.
    pub pagination: Pagination,
}

/// Answer about one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordAnswer {
    /// The record.
    pub record: Record,
}
