//! The values of a decision: checked against the app's own constraints, then told field by field.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{FieldProblem, ServiceError, record_fields};
use crate::model::{ResolutionStrategy, app_field};
use crate::store::conflicts::StoredConflict;
use crate::store::links::FieldChoice;
use crate::sync::{Record, Value};

/// Reads merged values as sent: only fields in conflict, each as the app may hold it; `manual` needs them all.
pub(super) fn check_values(
    conflict: &StoredConflict,
    strategy: ResolutionStrategy,
    merged: &Map<String, Json>,
) -> Result<Record, ServiceError> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, message: String| {
        problems.push(FieldProblem { field: format!("mergedData.{field}"), message });
    };
    for (field, value) in merged {
        if !conflict.fields.contains(field) {
            problem(field, format!("{field} is not in conflict. Name only fields of conflictingFields."));
            continue;
        }
        let is_a_side = [&conflict.app, &conflict.crm].iter().any(|side| side.get(field) == Some(&text(value)));
        if is_a_side {
            continue;
        }
        let one: Map<String, Json> = std::iter::once((field.clone(), as_kind(conflict, field, value))).collect();
        for refused in record_fields::change(conflict.entity, &one).err().unwrap_or_default() {
            problem(field, refused.message);
        }
    }
    if strategy == ResolutionStrategy::Manual {
        for field in conflict.fields.iter().filter(|field| !merged.contains_key(*field)) {
            problem(field, format!("The value of {field} is missing. Decide every field in conflict."));
        }
    }
    if !problems.is_empty() {
        return Err(ServiceError::invalid_fields(problems));
    }
    Ok(merged.iter().map(|(field, value)| (field.clone(), text(value))).collect())
}

/// What is stored on the link: per field the side or value chosen, and what both sides held when it was.
pub(super) fn choices(
    conflict: &StoredConflict,
    strategy: ResolutionStrategy,
    merged: &Record,
) -> BTreeMap<String, FieldChoice> {
    let side = if strategy == ResolutionStrategy::UseApp { "app" } else { "crm" };
    let value = |record: &Record, field: &String| record.get(field).cloned().flatten();
    let choice = |field: &String| {
        let (app, crm) = (value(&conflict.app, field), value(&conflict.crm_raw, field));
        let choice = match merged.get(field) {
            Some(merged) if *merged == app => ("app", None),
            Some(merged) if *merged == value(&conflict.crm, field) => ("crm", None),
            Some(merged) => ("value", merged.clone()),
            None => (side, None),
        };
        (field.clone(), FieldChoice { choice: choice.0.to_owned(), value: choice.1, app, crm })
    };
    conflict.fields.iter().map(choice).collect()
}

/// The values that both sides end with, in app form.
pub(super) fn final_values(conflict: &StoredConflict, strategy: ResolutionStrategy, merged: &Record) -> Record {
    let side = if strategy == ResolutionStrategy::UseApp { &conflict.app } else { &conflict.crm };
    let value = |field: &String| merged.get(field).or_else(|| side.get(field)).cloned().flatten();
    conflict.fields.iter().map(|field| (field.clone(), value(field))).collect()
}

/// A number that was sent as text, as the values of a conflict are, counts as the number.
fn as_kind(conflict: &StoredConflict, field: &str, value: &Json) -> Json {
    use crate::model::FieldKind::{Money, Number, Percent};
    let is_number =
        app_field(conflict.entity, field).is_some_and(|field| matches!(field.kind, Number | Money | Percent));
    let number = value.as_str().filter(|_| is_number).and_then(|text| text.trim().parse::<serde_json::Number>().ok());
    number.map_or_else(|| value.clone(), Json::Number)
}

fn text(value: &Json) -> Value {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        other => Some(other.to_string()),
    }
}
