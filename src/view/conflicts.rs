//! Conflicts as the API and the screens see them (`contract.md`, section 3, "conflict").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Moment;
use super::pagination::Pagination;
use crate::model::{ConflictKind, ConflictStatus, Entity, Environment, Provider, ResolutionStrategy, Side};

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

/// A piece of a value; what the other side does not have is marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The text.
    pub text: String,
    /// Whether the other side has something else there.
    pub marked: bool,
}

/// What the list is asked for, by its address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictsAsked {
    /// In one state; those that wait where nothing is said.
    pub status: Option<ConflictStatus>,
    /// Of one entity.
    pub entity: Option<Entity>,
    /// Of one connection.
    pub connection: Option<Uuid>,
    /// After the end of a former page.
    pub cursor: Option<String>,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictRow {
    /// The conflict.
    pub id: Uuid,
    /// What it asks.
    pub kind: ConflictKind,
    /// Its state.
    pub status: ConflictStatus,
    /// The record's name.
    pub record: String,
    /// Which entity.
    pub entity: Entity,
    /// Fields in conflict by label, or what is asked.
    pub fields: String,
    /// The app's value of the first field.
    pub here: Vec<Span>,
    /// The CRM's.
    pub there: Vec<Span>,
    /// When it was found.
    pub at: Moment,
    /// Which CRM.
    pub provider: Provider,
}

/// The list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictsPage {
    /// The one sentence; `**` marks what matters.
    pub sentence: String,
    /// The rows.
    pub rows: Vec<ConflictRow>,
    /// Which part of the list this is.
    pub pagination: Pagination,
    /// The conflict to begin a review with.
    pub first: Option<Uuid>,
}

/// A field that both sides changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldView {
    /// App field.
    pub name: String,
    /// Its label.
    pub label: String,
    /// The CRM's field.
    pub crm_field: String,
    /// The app's value.
    pub app: Vec<Span>,
    /// The app's value as text.
    pub app_text: String,
    /// Since when.
    pub app_since: String,
    /// The value at the last agreement.
    pub base: Option<String>,
    /// The CRM's value in app form.
    pub crm: Vec<Span>,
    /// The same as text.
    pub crm_text: String,
    /// Since when.
    pub crm_since: String,
    /// Several lines are usual.
    pub is_long: bool,
    /// Most characters that the CRM takes.
    pub crm_most: Option<u32>,
    /// The decision, once there is one.
    pub decided: Option<String>,
}

/// One conflict on its screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictPage {
    /// The conflict.
    pub id: Uuid,
    /// Its version, which a decision names.
    pub version: i32,
    /// What it asks.
    pub kind: ConflictKind,
    /// Its state.
    pub status: ConflictStatus,
    /// The record's name.
    pub record: String,
    /// Which entity.
    pub entity: Entity,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// Which CRM.
    pub provider: Provider,
    /// Which of its worlds.
    pub environment: Environment,
    /// The one sentence; `**` marks what matters.
    pub sentence: String,
    /// "3 of 231", where it waits.
    pub place: String,
    /// The one before and the one after in the list.
    pub neighbours: (Option<Uuid>, Option<Uuid>),
    /// Fields in conflict, or in which two records differ.
    pub fields: Vec<FieldView>,
    /// Fields that agree: label and value.
    pub agreeing: Vec<(String, String)>,
    /// Which side is gone, where it was deleted.
    pub gone: Option<Side>,
    /// What a rule would mean, and how many other conflicts wait for it.
    pub rule: (String, i64),
}
