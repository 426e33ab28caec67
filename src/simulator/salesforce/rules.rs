//! What an admin has set up in an org besides objects and fields: automation that changes what is written, rules of
//! assignment, validation and duplicates, and how much room and time there is (dossier 2.9, 2.11, 9.3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::assignment::{self, AssignmentRule};
use super::catalogue;
use super::duplicates::{self, DuplicateRule};
use super::packed::Packed;
use super::schema::{Object, object_named};
use super::soql::{self, SoqlError, Statement};
use super::validate::{self, RecordError};
use super::world::{By, Record, World};

/// All of it; a new org has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rules {
    pub automation: Vec<Automation>,
    pub assignment: Vec<AssignmentRule>,
    pub validation: Vec<ValidationRule>,
    pub duplicates: Vec<DuplicateRule>,
    /// Living records that fit into the org; none is without end.
    pub most_records: Option<usize>,
    /// Records that a query may look at before it has taken too long; an index spares it looking.
    pub most_looked_at: Option<usize>,
    /// Rows of a query's page at most, whatever its reader asks for: wide rows make short pages (dossier 2.4).
    pub longest_page: Option<usize>,
}

/// A flow that runs before a record is saved: where `when` holds, fields are set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Automation {
    pub object: String,
    /// What stands behind SOQL's WHERE.
    pub when: String,
    pub set: Map<String, Json>,
}

/// Refuses a record for which `when` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValidationRule {
    pub object: String,
    /// What stands behind SOQL's WHERE.
    pub when: String,
    /// In the admin's words.
    pub message: String,
    /// The field that the message is shown at.
    #[serde(default)]
    pub field: Option<String>,
    /// Another code than a validation rule's: what customers' own programs and full or busy orgs refuse with (dossier 2.11).
    #[serde(default)]
    pub code: Option<String>,
    /// How many of the records for which it holds it refuses; all where nothing is said.
    #[serde(default)]
    pub probability: Option<f64>,
}

impl Rules {
    /// Whether every name and condition means something; else a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        let conditions = self.automation.iter().map(|rule| (&rule.object, &rule.when));
        let conditions = conditions.chain(self.validation.iter().map(|rule| (&rule.object, &rule.when)));
        for (object, when) in conditions.chain(self.assignment.iter().map(|rule| (&rule.object, &rule.when))) {
            let statement = condition(object, when).map_err(|error| error.message)?;
            soql::checked(&statement).map_err(|error| error.message)?;
        }
        self.assignment.iter().try_for_each(AssignmentRule::check)?;
        for code in self.validation.iter().filter_map(|rule| rule.code.as_deref()) {
            catalogue::known(code).ok_or_else(|| format!("no record is refused with {code}"))?;
        }
        let named = self.duplicates.iter().flat_map(|rule| rule.fields.iter().map(|field| (&rule.object, field)));
        let at = self.validation.iter().filter_map(|rule| Some((&rule.object, rule.field.as_ref()?)));
        let set = self.automation.iter().flat_map(|rule| rule.set.keys().map(|field| (&rule.object, field)));
        for (object, field) in named.chain(at).chain(set) {
            let known = object_named(object).and_then(|object| object.field(field));
            known.ok_or_else(|| format!("there is no field {object}.{field}"))?;
        }
        Ok(())
    }
}

/// Makes of a record that is about to be saved what the org's rules make of it, or refuses it. `before` is what it was.
pub(super) fn obey(
    world: &World,
    object: &'static Object,
    record: &mut Record,
    before: Option<&Record>,
    by: &By,
) -> Result<(), RecordError> {
    let rules = &world.rules;
    if before.is_none() && rules.most_records.is_some_and(|most| world.living_count() >= most) {
        return Err(RecordError::new("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"));
    }
    for rule in rules.automation.iter().filter(|rule| rule.object.eq_ignore_ascii_case(object.name)) {
        if holds(world, object, &rule.when, record, by.at) {
            let set = validate::fields(world, object, &rule.set, Some(&record.id), &by.security)?;
            let mut fields = record.fields.unpacked();
            fields.extend(set);
            fields.retain(|_, value| !value.is_null());
            record.fields = Packed::new(&fields);
        }
    }
    if let Some(owner) = assignment::owner(world, object, record, by) {
        let mut fields = record.fields.unpacked();
        fields.insert("OwnerId".to_owned(), json!(owner));
        record.fields = Packed::new(&fields);
    }
    for rule in rules.validation.iter().filter(|rule| rule.object.eq_ignore_ascii_case(object.name)) {
        if holds(world, object, &rule.when, record, by.at) && world.strikes(rule.probability) {
            let code = rule.code.as_deref().and_then(catalogue::known);
            let mut error = RecordError::new(code.unwrap_or("FIELD_CUSTOM_VALIDATION_EXCEPTION"), &rule.message);
            error.fields.extend(rule.field.clone());
            return Err(error);
        }
    }
    duplicates::refuse(world, object, record, before, by)
}

/// Whether what stands behind WHERE holds for a record, which need not be stored.
pub(super) fn holds(world: &World, object: &'static Object, when: &str, record: &Record, now: i64) -> bool {
    // It was sound when it was set.
    condition(object.name, when).and_then(|statement| soql::holds(world, &statement, record, now)).unwrap_or_default()
}

fn condition(object: &str, when: &str) -> Result<Statement, SoqlError> {
    soql::parse(&format!("SELECT Id FROM {object} WHERE {when}"))
}
