//! What the record screens show.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::instant::Moment;
use super::pagination::Pagination;
use crate::model::{ConflictKind, Entity, Environment, FieldDirection, FieldKind, LinkState, Provider};

/// The list of records of one entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordListPage {
    /// The entity.
    pub entity: Entity,
    /// How many live, by entity, in the order of the tabs.
    pub counts: Vec<(Entity, i64)>,
    /// Headings of the columns between name and links.
    pub columns: Vec<String>,
    /// The records.
    pub rows: Vec<RecordRow>,
    /// Which part of the list.
    pub pagination: Pagination,
}

/// One record in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordRow {
    /// The record.
    pub id: Uuid,
    /// Its name.
    pub title: String,
    /// Values of the columns.
    pub details: Vec<Option<String>>,
    /// Its ties to CRMs.
    pub links: Vec<RowLink>,
    /// When it last changed.
    pub updated: Moment,
    /// Whether it is deleted.
    pub deleted: bool,
}

/// A tie to a CRM in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowLink {
    /// The CRM.
    pub provider: Provider,
    /// State of the link.
    pub state: LinkState,
}

/// One record with both sides, links, history and what can be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordPage {
    /// The record.
    pub id: Uuid,
    /// Its entity.
    pub entity: Entity,
    /// Its name.
    pub title: String,
    /// What the form must name, so that it overwrites nothing unseen.
    pub version: String,
    /// When it was made.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// When it was deleted.
    pub deleted: Option<Moment>,
    /// What matters most, marked, and the rest of the one true sentence.
    pub sentence: Vec<(String, bool)>,
    /// Its ties to CRM records, the one that works first.
    pub links: Vec<LinkOnPage>,
    /// Fields that no link compares.
    pub own_fields: Vec<OwnField>,
    /// Its files.
    pub files: FilesOnPage,
    /// Questions about it that wait.
    pub conflicts: Vec<ConflictOnPage>,
    /// Why the chosen field has its value.
    pub why: Option<Why>,
    /// Every field as the form shows it.
    pub form: Vec<FormField>,
}

/// The files of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesOnPage {
    /// By name.
    pub files: Vec<FileOnPage>,
    /// Files of CRMs that are not here yet, and why, as sentences.
    pub coming: Vec<String>,
    /// Most that one may have: "25 MB".
    pub limit: String,
}

/// A file of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileOnPage {
    /// The file.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it is loaded from.
    pub href: String,
    /// "1.2 MB".
    pub size: String,
    /// When it was added.
    pub added: Moment,
    /// How it stands with each CRM, as sentences.
    pub standings: Vec<String>,
}

/// A tie to a CRM record, with both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkOnPage {
    /// The CRM.
    pub provider: Provider,
    /// Which of its worlds.
    pub environment: Environment,
    /// "Salesforce account".
    pub noun: String,
    /// The CRM record; nothing while it is being created.
    pub crm_record_id: Option<String>,
    /// Its page in the CRM, where there is one.
    pub crm_url: Option<String>,
    /// State of the link.
    pub state: LinkState,
    /// The state in a sentence, unless all is well.
    pub explanation: Option<String>,
    /// Why it could not be written.
    pub failure: Option<FailureOnPage>,
    /// Whether the CRM record is deleted with this one.
    pub deletes_in_crm: bool,
    /// When the link was made.
    pub since: Moment,
    /// The compared fields.
    pub fields: Vec<ComparedField>,
}

/// Why a record could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureOnPage {
    /// In plain words.
    pub message: String,
    /// The CRM's code, for support.
    pub crm_code: Option<String>,
    /// What leads on.
    pub advice: String,
}

/// A mapped field with its value on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparedField {
    /// App field.
    pub name: String,
    /// The app's value.
    pub here: Option<String>,
    /// The record that the app's value refers to.
    pub href: Option<String>,
    /// The CRM's value as last read.
    pub there: Option<String>,
    /// CRM field.
    pub crm_field: String,
    /// Which way it travels.
    pub direction: FieldDirection,
    /// How the sides stand.
    pub agreement: Agreement,
    /// What that means, in a sentence.
    pub note: String,
}

/// How the two sides of a field stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The same on both sides.
    Agrees,
    /// Both changed; a person decides.
    Conflict,
    /// Could not be written.
    Failed,
    /// Goes over with the next sync.
    Waits,
    /// Differs, and stays so by direction or by the link's state.
    Rests,
    /// The sides have not met yet.
    NotCompared,
}

/// A field that exists here only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnField {
    /// App field.
    pub name: String,
    /// Its value.
    pub value: Option<String>,
    /// The record that it refers to.
    pub href: Option<String>,
}

/// A question that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConflictOnPage {
    /// The conflict.
    pub id: Uuid,
    /// What it asks.
    pub kind: ConflictKind,
    /// Fields that it is about.
    pub fields: Vec<String>,
}

/// Why a field has its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// App field.
    pub field: String,
    /// Its value.
    pub value: Option<String>,
    /// In a sentence.
    pub answer: String,
    /// What happened to it, newest first.
    pub events: Vec<WhyEvent>,
}

/// One thing that happened to a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyEvent {
    /// "Written here".
    pub title: String,
    /// When.
    pub at: Moment,
    /// Values before and after, where they are known.
    pub values: Option<(Option<String>, Option<String>)>,
    /// What decided, or who.
    pub reason: Option<String>,
    /// The log of the run that did it.
    pub log_id: Option<Uuid>,
}

/// A field of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormField {
    /// App field.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// What its value means.
    pub kind: FieldKind,
    /// Its value as it is typed.
    pub value: String,
    /// Whether the record cannot be without it.
    pub required: bool,
}
