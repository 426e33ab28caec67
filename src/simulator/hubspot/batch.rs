//! Up to a hundred records at a time: whole or, where each input has a trace id, in part (dossier 2.6).

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::associations::id_of;
use super::objects::{self, resolve};
use super::portal::Portal;
use super::refusal::Refusal;
use super::shape::{self, Wanted};
use super::stamps::iso;
use super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Most inputs of a batch.
const MOST: usize = 100;

/// Answers one of the five verbs.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, kind: usize, verb: &str) -> Result<Reply, Refusal> {
    if !["read", "create", "update", "upsert", "archive"].contains(&verb) {
        return Err(Refusal::nowhere());
    }
    let body = asked.members()?;
    let inputs = inputs(&body, MOST)?;
    match verb {
        "read" => read(portal, asked, kind, &body, &inputs),
        "create" => create(portal, kind, &inputs),
        "update" => update(portal, kind, &inputs),
        "upsert" => upsert(portal, kind, &inputs),
        _ => archive(portal, kind, &inputs),
    }
}

/// The inputs of a batch, each an object.
pub(super) fn inputs(body: &Map<String, Json>, most: usize) -> Result<Vec<Map<String, Json>>, Refusal> {
    let Some(given) = body.get("inputs").and_then(Json::as_array) else {
        return Err(Refusal::invalid("Some required fields were not set: [inputs]"));
    };
    if given.is_empty() {
        return Err(Refusal::invalid("The inputs of a batch must not be empty"));
    }
    if given.len() > most {
        let message =
            format!("The maximum number of inputs allowed in a batch is {most}, but {} were given", given.len());
        return Err(Refusal::invalid(message));
    }
    let members = given.iter().map(|input| input.as_object().cloned());
    members.collect::<Option<_>>().ok_or_else(|| Refusal::malformed("Cannot deserialize an input"))
}

/// A batch's answer: 207 where some inputs failed.
pub(super) fn finished(now: i64, success: u16, results: Vec<Json>, errors: Vec<Json>) -> Reply {
    let mut body = json!({ "status": "COMPLETE", "results": results, "startedAt": iso(now), "completedAt": iso(now) });
    if errors.is_empty() {
        return Reply::json(success, &body);
    }
    body["numErrors"] = json!(errors.len());
    body["errors"] = json!(errors);
    Reply::json(207, &body)
}

fn text<'i>(input: &'i Map<String, Json>, name: &str) -> Option<&'i str> {
    input.get(name).and_then(Json::as_str)
}

/// The id of an input as it was written: text, or a number.
fn named(input: &Map<String, Json>) -> Result<String, Refusal> {
    match input.get("id") {
        Some(Json::String(id)) => Ok(id.clone()),
        Some(Json::Number(id)) => Ok(id.to_string()),
        _ => Err(Refusal::invalid("Some required fields were not set: [id]")),
    }
}

/// Entries for ids that lead to no record (dossier 2.6).
fn not_found(world: &World, kind: usize, ids: &[String]) -> Refusal {
    let message = format!(
        "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
        world.meta.types[kind].singular.to_uppercase()
    );
    Refusal::new(404, "OBJECT_NOT_FOUND", message).with_context("ids", ids)
}

fn names(body: &Map<String, Json>, member: &str) -> Result<Vec<String>, Refusal> {
    match body.get(member) {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(names)) => Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()),
        Some(_) => Err(Refusal::malformed("Cannot deserialize value of type `java.util.ArrayList`")),
    }
}

fn read(
    portal: &Portal,
    asked: &Asked,
    kind: usize,
    body: &Map<String, Json>,
    inputs: &[Map<String, Json>],
) -> Result<Reply, Refusal> {
    let wanted = Wanted {
        properties: names(body, "properties")?,
        history: names(body, "propertiesWithHistory")?,
        associations: Vec::new(),
    };
    let archived = asked.truth("archived")?;
    let world = &portal.world;
    let (mut results, mut missing, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for input in inputs {
        let name = named(input)?;
        let found = resolve(world, kind, &name, text(body, "idProperty"), "batch read")?;
        let record = found.and_then(|id| {
            if archived {
                world.tables[kind].records.get(&id).filter(|record| record.archived != 0)
            } else {
                world.living(kind, id)
            }
        });
        match record {
            Some(record) if seen.insert(record.id) => {
                results.push(Json::Object(shape::told(world, kind, record, &wanted)));
            }
            Some(_) => {}
            None => missing.push(name),
        }
    }
    let errors = if missing.is_empty() { Vec::new() } else { vec![not_found(world, kind, &missing).entry(None)] };
    Ok(finished(portal.now(), 200, results, errors))
}

/// The trace ids of a batch, where every input has one of its own.
fn traces(inputs: &[Map<String, Json>]) -> Option<Vec<String>> {
    let traces: Vec<String> =
        inputs.iter().filter_map(|input| text(input, "objectWriteTraceId").map(str::to_owned)).collect();
    let distinct: BTreeSet<&String> = traces.iter().collect();
    (traces.len() == inputs.len() && distinct.len() == traces.len()).then_some(traces)
}

/// Applies each input: all or none, or with trace ids those that can be.
fn each(
    portal: &mut Portal,
    inputs: &[Map<String, Json>],
    success: u16,
    work: impl Fn(&mut World, &Map<String, Json>) -> Result<Map<String, Json>, Refusal>,
) -> Result<Reply, Refusal> {
    let now = portal.now();
    let traces = traces(inputs);
    let before = portal.world.savepoint();
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for (place, input) in inputs.iter().enumerate() {
        let trace = traces.as_ref().map(|traces| traces[place].as_str());
        match (work(&mut portal.world, input), trace) {
            (Ok(mut told), _) => {
                if let Some(trace) = text(input, "objectWriteTraceId") {
                    told.insert("objectWriteTraceId".to_owned(), json!(trace));
                }
                results.push(Json::Object(told));
            }
            (Err(refusal), Some(trace)) => errors.push(refusal.entry(Some(trace))),
            (Err(refusal), None) if refusal.status == 404 && refusal.category == "OBJECT_NOT_FOUND" => {
                errors.push(refusal.entry(None));
            }
            (Err(refusal), None) => {
                portal.world.roll_back(before);
                return Err(refusal);
            }
        }
    }
    Ok(finished(now, success, results, errors))
}

fn create(portal: &mut Portal, kind: usize, inputs: &[Map<String, Json>]) -> Result<Reply, Refusal> {
    let by = portal.by_application();
    each(portal, inputs, 201, |world, input| objects::create_one(world, kind, input, by))
}

fn update(portal: &mut Portal, kind: usize, inputs: &[Map<String, Json>]) -> Result<Reply, Refusal> {
    let by = portal.by_application();
    let mut seen = BTreeSet::new();
    for input in inputs {
        let id = named(input)?;
        if !seen.insert(id.clone()) {
            return Err(Refusal::invalid(format!("Duplicate IDs found in batch input: [{id}]. IDs must be unique")));
        }
        // A contact's address names it in single calls only (dossier 2.6).
        if text(input, "idProperty") == Some("email") {
            let of = &portal.world.meta.types[kind].id;
            let message = format!("Unable to perform update by non-unique {of} property email");
            return Err(Refusal::invalid(message));
        }
    }
    each(portal, inputs, 200, |world, input| {
        let name = named(input)?;
        let given = objects::properties(input)?;
        let found = resolve(world, kind, &name, text(input, "idProperty"), "update")?;
        // The id of a record that was merged away is not accepted here.
        let found = found.filter(|id| world.living(kind, *id).is_some_and(|record| record.id == *id));
        let id = found.ok_or_else(|| not_found(world, kind, std::slice::from_ref(&name)))?;
        world.update(kind, id, &given, by)?;
        objects::written(world, kind, id, &given)
    })
}

fn upsert(portal: &mut Portal, kind: usize, inputs: &[Map<String, Json>]) -> Result<Reply, Refusal> {
    let by = portal.by_application();
    let now = portal.now();
    let before = portal.world.savepoint();
    let (mut results, mut touched) = (Vec::new(), BTreeSet::new());
    for input in inputs {
        match upsert_one(&mut portal.world, kind, input, by) {
            Ok((id, told)) if touched.insert(id) => results.push(Json::Object(told)),
            Ok((id, _)) => {
                portal.world.roll_back(before);
                return Err(Refusal::invalid(format!(
                    "Duplicate IDs found in batch input: [{id}]. IDs must be unique"
                )));
            }
            Err(refusal) => {
                portal.world.roll_back(before);
                return Err(refusal);
            }
        }
    }
    Ok(finished(now, 200, results, Vec::new()))
}

fn upsert_one(
    world: &mut World,
    kind: usize,
    input: &Map<String, Json>,
    by: super::record::By,
) -> Result<(u64, Map<String, Json>), Refusal> {
    let name = named(input)?;
    let mut given = objects::properties(input)?;
    let id_property = text(input, "idProperty");
    let found = resolve(world, kind, &name, id_property, "upsert")?;
    let found = found.filter(|id| world.living(kind, *id).is_some());
    let (id, new) = match (found, id_property) {
        (Some(id), _) => (world.update(kind, id, &given, by)?, false),
        (None, Some(property)) => {
            given.entry(property.to_owned()).or_insert_with(|| json!(name));
            (world.create(kind, &given, by)?, true)
        }
        (None, None) => return Err(not_found(world, kind, &[name])),
    };
    let mut told = objects::written(world, kind, id, &given)?;
    told.insert("new".to_owned(), json!(new));
    if let Some(trace) = text(input, "objectWriteTraceId") {
        told.insert("objectWriteTraceId".to_owned(), json!(trace));
    }
    Ok((id, told))
}

fn archive(portal: &mut Portal, kind: usize, inputs: &[Map<String, Json>]) -> Result<Reply, Refusal> {
    let by = portal.by_application();
    for input in inputs {
        named(input)?;
    }
    for id in inputs.iter().filter_map(|input| input.get("id").and_then(id_of)) {
        portal.world.archive(kind, id, by);
    }
    Ok(Reply::empty(204))
}
