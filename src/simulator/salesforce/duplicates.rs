//! Duplicate rules: a record that equals another one in each of some fields is refused, or let through to whoever asks for it
//! (dossier 2.9). The records of equal values are kept together, so that a write looks at none of the others.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::ids::Id;
use super::rollups::Change;
use super::schema::{Object, object_named};
use super::validate::RecordError;
use super::world::{By, Record, World};

/// Refuses a record that equals another one in each of some fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DuplicateRule {
    pub name: String,
    pub object: String,
    pub fields: Vec<String>,
    pub action: DuplicateAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum DuplicateAction {
    /// Lets a record through that asks for it.
    Alert,
    Block,
}

/// The living records by the values that a rule looks at, rule by rule.
#[derive(Debug, Default)]
pub(super) struct Twins(Vec<(DuplicateRule, HashMap<Vec<String>, BTreeSet<Id>>)>);

impl Twins {
    /// Of these rules, without records.
    pub(super) fn of(rules: &[DuplicateRule]) -> Self {
        Twins(rules.iter().map(|rule| (rule.clone(), HashMap::new())).collect())
    }

    /// Whether they are of these rules.
    pub(super) fn are_of(&self, rules: &[DuplicateRule]) -> bool {
        self.0.iter().map(|(rule, _)| rule).eq(rules)
    }

    /// Takes a record that comes, or lets one go.
    pub(super) fn follow(&mut self, object: &str, record: &Record, change: Change) {
        for (rule, twins) in self.0.iter_mut().filter(|(rule, _)| rule.object.eq_ignore_ascii_case(object)) {
            let Some(key) = object_named(object).and_then(|object| key(object, rule, record)) else { continue };
            match change {
                _ if record.deleted => {}
                Change::Comes => drop(twins.entry(key).or_default().insert(record.id)),
                Change::Goes => {
                    if let Some(equal) = twins.get_mut(&key) {
                        equal.remove(&record.id);
                        if equal.is_empty() {
                            twins.remove(&key);
                        }
                    }
                }
            }
        }
    }
}

/// Refuses a record that a rule matches with others, where something that the rule looks at is new.
pub(super) fn refuse(
    world: &World,
    object: &'static Object,
    record: &Record,
    before: Option<&Record>,
    by: &By,
) -> Result<(), RecordError> {
    for (rule, twins) in world.twins.0.iter().filter(|(rule, _)| rule.object.eq_ignore_ascii_case(object.name)) {
        if rule.action == DuplicateAction::Alert && by.saves_duplicates {
            continue;
        }
        let before = before.and_then(|before| key(object, rule, before));
        let own = key(object, rule, record).filter(|own| before.as_ref() != Some(own));
        let others = own.and_then(|own| twins.get(&own)).into_iter().flatten();
        let others: Vec<&Id> = others.filter(|other| **other != record.id).collect();
        if !others.is_empty() {
            return Err(refusal(object, rule, &others));
        }
    }
    Ok(())
}

/// What a rule looks at, without case and outer blanks; none where a value is missing.
fn key(object: &Object, rule: &DuplicateRule, record: &Record) -> Option<Vec<String>> {
    let value = |field: &String| {
        let held = record.fields.at(object.field(field)?.key)?;
        held.as_str().map(|text| text.trim().to_lowercase())
    };
    rule.fields.iter().map(value).collect()
}

fn refusal(object: &Object, rule: &DuplicateRule, others: &[&Id]) -> RecordError {
    let shown = |other: &&Id| {
        let url = format!("/services/data/v62.0/sobjects/{}/{other}", object.name);
        json!({
            "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
            "record": { "attributes": { "type": object.name, "url": url }, "Id": other },
        })
    };
    let matches: Vec<Json> = others.iter().map(shown).collect();
    let message = match rule.action {
        DuplicateAction::Alert => "Use one of these records?",
        DuplicateAction::Block => "You can't create a record that is here already.",
    };
    let mut error = RecordError::new("DUPLICATES_DETECTED", message);
    error.duplicates = Some(json!({
        "allowSave": rule.action == DuplicateAction::Alert, "duplicateRule": rule.name,
        "duplicateRuleEntityType": object.name, "errorMessage": message,
        "matchResults": [{
            "entityType": object.name, "errors": [], "matchEngine": "ExactMatchEngine", "matchRecords": matches,
            "rule": rule.name, "size": others.len(), "success": true,
        }],
    }));
    error
}
