//! Records with their children, created whole or not at all (dossier 2.7).

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::text;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;
use crate::simulator::salesforce::ids::Id;
use crate::simulator::salesforce::org::Org;
use crate::simulator::salesforce::rest::{malformed_json, members, not_found};
use crate::simulator::salesforce::schema::{Child, Object, object_named};
use crate::simulator::salesforce::validate::RecordError;
use crate::simulator::salesforce::world::By;

/// Records of one call, objects among them, and levels of children.
const MOST: (usize, usize, usize) = (200, 5, 5);

/// What became of each record, in the order of the request.
type Outcomes = Vec<(String, Result<Id, RecordError>)>;

/// What a tree is made of.
#[derive(Default)]
struct Size {
    names: HashSet<String>,
    objects: HashSet<&'static str>,
    records: usize,
}

/// Answers `POST composite/tree/Account`.
pub(super) fn answer(org: &mut Org, asked: &Asked, object: &str, user: &str) -> Reply {
    let Some(object) = object_named(object) else { return not_found() };
    let body = match members(asked) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let Some(records) = body.get("records").and_then(Json::as_array) else {
        return malformed_json("The Value for field records is missing or no array");
    };
    let mut size = Size::default();
    if let Err(reply) = checked(object, records, 1, &mut size) {
        return reply;
    }
    let by = org.asking(asked, user);
    let before = org.world.savepoint();
    let mut outcomes = Outcomes::new();
    for record in records {
        create(org, &by, object, record, None, &mut outcomes);
    }
    if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) {
        let results = outcomes
            .iter()
            .filter_map(|(name, outcome)| Some(json!({ "referenceId": name, "id": outcome.as_ref().ok()? })));
        return Reply::json(201, &json!({ "hasErrors": false, "results": results.collect::<Vec<_>>() }));
    }
    org.world.roll_back(before);
    let failed = outcomes.iter().filter_map(|(name, outcome)| {
        let error = outcome.as_ref().err()?.in_collection();
        Some(json!({ "referenceId": name, "errors": error["errors"] }))
    });
    Reply::json(400, &json!({ "hasErrors": true, "results": failed.collect::<Vec<_>>() }))
}

/// Refuses what is no tree before anything is created.
fn checked(object: &'static Object, records: &[Json], level: usize, size: &mut Size) -> Result<(), Reply> {
    size.records += records.len();
    size.objects.insert(object.name);
    if size.records > MOST.0 || size.objects.len() > MOST.1 || level > MOST.2 {
        let message = format!("Limit reached: at most {} records of {} objects in {} levels", MOST.0, MOST.1, MOST.2);
        return Err(Reply::error(400, "LIMIT_EXCEEDED", &message));
    }
    for record in records {
        let Some(given) = record.as_object() else { return Err(malformed_json("Every record must be an object")) };
        let attributes = given.get("attributes").unwrap_or(&Json::Null);
        if object_named(text(attributes, "type")).map(|named| named.name) != Some(object.name) {
            let message = format!("Every record here must be of type {}", object.name);
            return Err(Reply::error(400, "INVALID_INPUT", &message));
        }
        let name = text(attributes, "referenceId");
        if name.is_empty() {
            return Err(Reply::error(400, "INVALID_INPUT", "Include a reference ID for each record in the request."));
        }
        if !size.names.insert(name.to_owned()) {
            let message = format!("Duplicate ReferenceId provided in the request: {name}");
            return Err(Reply::error(400, "INVALID_INPUT", &message));
        }
        for (child, children) in children(object, given) {
            let Some(object) = object_named(&child.object) else { continue };
            checked(object, children, level + 1, size)?;
        }
    }
    Ok(())
}

/// The child relationships that a record brings records for.
fn children<'r>(object: &'static Object, given: &'r Map<String, Json>) -> Vec<(&'static Child, &'r [Json])> {
    let of = |name: &str| object.children.iter().find(|child| child.name.eq_ignore_ascii_case(name));
    let records = |value: &'r Json| value.get("records")?.as_array().map(Vec::as_slice);
    given.iter().filter_map(|(name, value)| Some((of(name)?, records(value)?))).collect()
}

fn create(
    org: &mut Org,
    by: &By,
    object: &'static Object,
    record: &Json,
    parent: Option<(&str, Id)>,
    outcomes: &mut Outcomes,
) {
    let Some(given) = record.as_object() else { return };
    let children = children(object, given);
    let mut fields: Map<String, Json> = given
        .iter()
        .filter(|(name, _)| children.iter().all(|(child, _)| !child.name.eq_ignore_ascii_case(name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some((field, parent)) = parent {
        fields.insert(field.to_owned(), json!(parent));
    }
    let outcome = org.world.create(object, &fields, by);
    let made = outcome.as_ref().ok().copied();
    let name = text(given.get("attributes").unwrap_or(&Json::Null), "referenceId");
    outcomes.push((name.to_owned(), outcome));
    // Children of a record that was refused are not tried.
    let Some(made) = made else { return };
    for (child, records) in children {
        let Some(object) = object_named(&child.object) else { continue };
        for record in records {
            create(org, by, object, record, Some((&child.field, made)), outcomes);
        }
    }
}
