//! Mappings as the API and the mapping screen see them (`contract.md`, section 3).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::model::{Entity, Environment, FieldDirection, FieldRule, Provider, ValuePair};

/// A mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// The mapping.
    pub id: Uuid,
    /// `accounts`, `contacts` or `opportunities`.
    pub entity_type: String,
    /// Field in the CRM.
    pub crm_field: String,
    /// Field in the app.
    pub app_field: String,
    /// Direction of the mapping alone.
    pub sync_direction: FieldDirection,
    /// JavaScript, if any.
    pub transform_function: Option<String>,
    /// Pairs of values, if any.
    pub value_map: Option<Vec<ValuePair>>,
}

/// Answer of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingsAnswer {
    /// Newest first.
    pub mappings: Vec<Mapping>,
}

/// Answer of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingAnswer {
    /// As published.
    pub mapping: Mapping,
}

/// A field's rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `accounts`, `contacts` or `opportunities`.
    pub entity_type: String,
    /// Field in the app.
    pub app_field: String,
    /// Which side's value decides.
    pub rule: FieldRule,
}

/// Every rule of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesAnswer {
    /// By entity and field.
    pub rules: Vec<Rule>,
}

/// A field that the CRM offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AvailableField {
    /// API name.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// What its values mean.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether a new record cannot be without it.
    pub required: bool,
    /// Whether it can only be pulled.
    pub read_only: bool,
    /// Longest text in characters.
    pub length: Option<u32>,
    /// Values of a choice.
    pub options: Option<Vec<String>>,
}

/// Answer of `available-fields`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldsAnswer {
    /// In the order of their labels.
    pub fields: Vec<AvailableField>,
}

/// What mappings make of real records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// At most ten records.
    pub samples: Vec<Sample>,
    /// CRM fields that a new record cannot be without and that no mapping fills.
    pub unmapped_required: Vec<String>,
}

/// One record of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The CRM's values as it stores them, by CRM field.
    pub crm: BTreeMap<String, Option<String>>,
    /// The app's values by app field; `null` where the record has no partner here.
    pub app: Option<BTreeMap<String, Option<String>>>,
    /// What the app would hold of the CRM's values, by app field.
    pub mapped: BTreeMap<String, Option<String>>,
    /// What the CRM would hold of the app's values, by CRM field.
    pub to_crm: BTreeMap<String, Option<String>>,
    /// What cannot be brought over.
    pub errors: Vec<SampleError>,
}

/// A value that cannot be brought over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleError {
    /// Field in the app.
    pub app_field: String,
    /// What went wrong.
    pub message: String,
}

/// The mapping screen of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingsPage {
    /// The connection.
    pub config_id: Uuid,
    /// Its CRM.
    pub provider: Provider,
    /// Which of the CRM's worlds.
    pub environment: Environment,
    /// The entity shown.
    pub entity: Entity,
    /// Mappings per entity, in the order of the tabs.
    pub counts: Vec<(Entity, i64)>,
    /// Whether runs take this entity.
    pub in_sync: bool,
    /// "12 of 41": what is mapped of what the CRM shows.
    pub mapped: String,
    /// How many mappings of the entity have a problem.
    pub problems: i64,
    /// The mappings that the search leaves, in the order of the app's fields.
    pub rows: Vec<MappingRow>,
    /// Mappings of the entity without the search.
    pub total: i64,
    /// CRM fields that a new record cannot be without and that no mapping fills, by label.
    pub unmapped_required: Vec<String>,
    /// Records whose values can be shown.
    pub records: Vec<(Uuid, String)>,
    /// The record whose values are shown.
    pub record: Option<Uuid>,
    /// Fields of the app, for the editor.
    pub app_fields: Vec<FieldChoice>,
    /// Fields of the CRM, for the editor; none where the CRM has not described itself yet.
    pub crm_fields: Vec<FieldChoice>,
    /// The connection's policy in words, for the editor.
    pub policy: String,
    /// What was just published.
    pub change: Option<PublishedChange>,
    /// What the editor's mapping makes of sample records, where that was asked for.
    pub trial: Option<Trial>,
}

/// One row of the mapping table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingRow {
    /// The mapping.
    pub mapping: Mapping,
    /// The app's field as a person reads it.
    pub app_label: String,
    /// What the app's value means.
    pub app_kind: String,
    /// The CRM's field as a person reads it.
    pub crm_label: String,
    /// The CRM's own type name.
    pub crm_type: String,
    /// The direction that the next press chooses.
    pub next_direction: FieldDirection,
    /// Why the direction cannot be changed.
    pub locked: Option<String>,
    /// The field's own rule.
    pub rule: Option<FieldRule>,
    /// Who decides when both sides changed, in a word.
    pub decides: String,
    /// The transform or value map in two words.
    pub transform: Option<String>,
    /// The chosen record's value here.
    pub app_sample: Option<String>,
    /// The chosen record's value in the CRM.
    pub crm_sample: Option<String>,
    /// What is wrong, worst first.
    pub problems: Vec<RowProblem>,
}

/// Something wrong with a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowProblem {
    /// Needs a person; otherwise it only waits.
    pub severe: bool,
    /// In two or three words.
    pub short: String,
    /// As a sentence, with what to do.
    pub long: String,
    /// Where the records it is about are listed.
    pub href: Option<String>,
}

/// A field that the editor offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChoice {
    /// API name.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// Type, length, required, read-only, in words.
    pub about: String,
    /// Whether it can only be pulled.
    pub read_only: bool,
    /// A mapping has it already.
    pub taken: bool,
}

/// Two fields that may belong together, as auto-map proposes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// Field in the CRM.
    pub crm_field: String,
    /// Field in the app.
    pub app_field: String,
    /// How certain it is, 0 to 1.
    pub score: f64,
    /// Why, in words.
    pub reason: String,
}

/// Answer of auto-map: nothing is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuggestionsAnswer {
    /// The most certain first; each field stands in at most one.
    pub suggestions: Vec<Suggestion>,
}

/// The proposals of auto-map as the mapping screen shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suggestions {
    /// What was compared, as a sentence.
    pub compared: String,
    /// The most certain first.
    pub rows: Vec<SuggestedMapping>,
}

/// One proposal as the mapping screen shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuggestedMapping {
    /// Field in the CRM.
    pub crm_field: String,
    /// The same as a person reads it.
    pub crm_label: String,
    /// Field in the app.
    pub app_field: String,
    /// How certain it is.
    pub percent: u8,
    /// Why, in words.
    pub reason: String,
    /// The direction that it would get.
    pub direction: FieldDirection,
    /// The transform or value map that it would get, in two words.
    pub transform: Option<String>,
}

/// Changes that were published at once, to be read and taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedChange {
    /// The changes.
    pub ids: Vec<Uuid>,
    /// The mapping, where it is one and still there.
    pub mapping: Option<Uuid>,
    /// What they did.
    pub sentence: String,
    /// Whether they can still be taken back: nothing has changed the mappings since.
    pub undoable: bool,
}

/// A mapping as the editor sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MappingForm {
    /// The mapping to change; none makes a new one.
    pub mapping: String,
    /// Field in the app.
    pub app_field: String,
    /// Field in the CRM.
    pub crm_field: String,
    /// Direction.
    pub direction: String,
    /// JavaScript; empty for none.
    pub transform: String,
    /// `use_app`, `use_crm` or empty.
    pub rule: String,
    /// The values of the app, pair by pair.
    pub pair_app: Vec<String>,
    /// The values of the CRM, pair by pair.
    pub pair_crm: Vec<String>,
}

/// What a mapping makes of sample records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// "2 fail · 8 fine".
    pub summary: String,
    /// Whether any failed.
    pub failed: bool,
    /// Failing ones first.
    pub rows: Vec<TrialRow>,
}

/// One record of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialRow {
    /// The record by name.
    pub record: String,
    /// The value that would be written, or what goes wrong.
    pub here: Result<Option<String>, String>,
    /// The CRM's side of it.
    pub there: Result<Option<String>, String>,
}
