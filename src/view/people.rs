//! The people of a workspace and its API keys, as the screens of the administrator show them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Moment;
use crate::model::Role;

/// A person of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRow {
    /// The person.
    pub id: Uuid,
    /// Name of the person.
    pub name: String,
    /// E-mail of the person.
    pub email: String,
    /// Role in the workspace.
    pub role: Role,
    /// Since when.
    pub since: Moment,
    /// Whether it is who looks.
    pub is_viewer: bool,
    /// Why the role cannot be changed; nothing where it can.
    pub fixed: Option<String>,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyRow {
    /// The key's id.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// E-mail of the person it acts as.
    pub email: String,
    /// When it was made.
    pub created: Moment,
    /// When it was last used.
    pub last_used: Option<Moment>,
    /// When it was revoked.
    pub revoked: Option<Moment>,
}

/// The keys of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeysPage {
    /// The keys, those in use first, then newest first.
    pub keys: Vec<ApiKeyRow>,
    /// A key that was just made by a form without script, shown once.
    pub new_key: Option<String>,
}
