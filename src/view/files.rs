//! Files of a record as API clients see them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A file of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordFile {
    /// The file.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of what it holds, in hexadecimal digits.
    pub sha256: String,
    /// Who added it; nobody where a sync brought it.
    pub created_by: Option<Uuid>,
    /// When it was added.
    pub created_at: String,
}

/// The files of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileList {
    /// By name.
    pub files: Vec<RecordFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAnswer {
    /// The file.
    pub file: RecordFile,
}
