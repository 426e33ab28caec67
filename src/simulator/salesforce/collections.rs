//! sObject Collections (dossier 2.6): up to 200 records, each with its own result.

use serde_json::{Map, Value as Json, json};

use super::org::Org;
use super::reply::Reply;
use super::request::Asked;
use super::rest::{malformed_json, members, write_row};
use super::schema::{Object, object_named};
use super::validate::RecordError;
use super::world::World;

/// Records of one call.
const MOST: usize = 200;

/// Ids of one retrieve.
const MOST_RETRIEVED: usize = 2000;

/// Answers what is under `composite/sobjects`.
pub(super) fn answer(org: &mut Org, asked: &Asked, method: &str, rest: &[&str], user: &str) -> Reply {
    match (method, rest) {
        ("POST", []) => {
            each(org, asked, user, |world, object, given, by| world.create(object, given, by).map(|id| (id, None)))
        }
        ("PATCH", []) => each(org, asked, user, |world, object, given, by| {
            let id = given.iter().find(|(name, _)| name.eq_ignore_ascii_case("id")).and_then(|(_, id)| id.as_str());
            let id = id
                .ok_or_else(|| RecordError::new("MISSING_ARGUMENT", "Id not specified in an update call"))?
                .to_owned();
            world.update(object, &id, given, by).map(|id| (id, None))
        }),
        ("PATCH", [name, field]) => match object_named(name) {
            Some(object) => upsert(org, asked, object, field, user),
            None => Reply::error(404, "NOT_FOUND", "The requested resource does not exist"),
        },
        ("DELETE", []) => delete(org, asked, user),
        ("POST" | "GET", [name]) => match object_named(name) {
            Some(object) => retrieve(org, asked, object),
            None => Reply::error(404, "NOT_FOUND", "The requested resource does not exist"),
        },
        _ => Reply::error(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed."),
    }
}

/// One upsert by external id.
pub(super) fn upsert_one(
    org: &mut Org,
    object: &'static Object,
    found: Option<String>,
    given: &Map<String, Json>,
    user: &str,
) -> Reply {
    let by = org.by(user);
    let created = found.is_none();
    let done = match found {
        Some(id) => org.world.update(object, &id, given, &by),
        None => org.world.create(object, given, &by),
    };
    match done {
        Ok(id) => {
            let status = if created { 201 } else { 200 };
            Reply::json(status, &json!({ "id": id, "success": true, "errors": [], "created": created }))
        }
        Err(error) => Reply::refused(&error),
    }
}

type Outcome = Result<(String, Option<bool>), RecordError>;

fn each(
    org: &mut Org,
    asked: &Asked,
    user: &str,
    mut work: impl FnMut(&mut World, &'static Object, &Map<String, Json>, &super::world::By) -> Outcome,
) -> Reply {
    let Some((records, all_or_none)) = records_of(asked) else { return malformed_json() };
    if records.len() > MOST {
        return too_many(records.len());
    }
    let by = org.by(user);
    run(org, all_or_none, &records, |world, record| {
        let object = record
            .get("attributes")
            .and_then(|attributes| attributes.get("type")?.as_str())
            .and_then(object_named)
            .ok_or_else(|| RecordError::new("INVALID_TYPE", "sObject type is not supported."))?;
        work(world, object, record, &by)
    })
}

fn upsert(org: &mut Org, asked: &Asked, object: &'static Object, field: &str, user: &str) -> Reply {
    let Some(field) = object.field(field).filter(|field| field.external_id) else {
        let message =
            format!("Field name provided, {field} is not an External ID or indexed field for {}", object.name);
        return Reply::error(400, "INVALID_FIELD", &message);
    };
    let Some((records, all_or_none)) = records_of(asked) else { return malformed_json() };
    if records.len() > MOST {
        return too_many(records.len());
    }
    let by = org.by(user);
    let value = |record: &Map<String, Json>| record.get(&field.name).and_then(Json::as_str).map(str::to_owned);
    let values: Vec<Option<String>> = records.iter().map(value).collect();
    run(org, all_or_none, &records, |world, record| {
        let own = value(record)
            .ok_or_else(|| RecordError::new("MISSING_ARGUMENT", format!("{} not specified", field.name)))?;
        if values.iter().flatten().filter(|other| other.eq_ignore_ascii_case(&own)).count() > 1 {
            let message = format!("Duplicate external id specified: {own}");
            return Err(RecordError::new("DUPLICATE_VALUE", message));
        }
        match world.by_unique(object, &field.name, &own).map(|record| record.id.clone()) {
            Some(id) => world.update(object, &id, record, &by).map(|id| (id, Some(false))),
            None => world.create(object, record, &by).map(|id| (id, Some(true))),
        }
    })
}

fn delete(org: &mut Org, asked: &Asked, user: &str) -> Reply {
    let ids: Vec<String> =
        asked.query("ids").unwrap_or_default().split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
    if ids.len() > MOST {
        return too_many(ids.len());
    }
    let by = org.by(user);
    let results: Vec<Json> = ids
        .iter()
        .map(|id| {
            let object = org.world.find(id).map(|(object, _)| object);
            let deleted = match object {
                Some(object) => org.world.delete(object, id, &by),
                None => Err(RecordError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")),
            };
            match deleted {
                Ok(id) => json!({ "id": id, "success": true, "errors": [] }),
                Err(error) => error.in_collection(),
            }
        })
        .collect();
    Reply::json(200, &Json::Array(results))
}

fn retrieve(org: &Org, asked: &Asked, object: &'static Object) -> Reply {
    let (ids, fields): (Vec<String>, Vec<String>) = if asked.method == "GET" {
        let list = |name: &str| -> Vec<String> {
            asked
                .query(name)
                .unwrap_or_default()
                .split(',')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        (list("ids"), list("fields"))
    } else {
        let Some(body) = members(asked) else { return malformed_json() };
        let list = |name: &str| -> Vec<String> {
            let texts = body.get(name).and_then(Json::as_array).into_iter().flatten();
            texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        (list("ids"), list("fields"))
    };
    if ids.len() > MOST_RETRIEVED {
        return too_many(ids.len());
    }
    if let Some(unknown) = fields.iter().find(|field| object.field(field).is_none()) {
        return Reply::error(400, "INVALID_FIELD", &format!("No such column '{unknown}' on entity '{}'.", object.name));
    }
    let (version, _) = asked.data_path().unwrap_or(("v62.0", Vec::new()));
    let mut body = String::from("[");
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        match org.world.record(object, id).filter(|record| !record.deleted) {
            Some(record) => write_row(&mut body, org, object, record, &fields, version),
            None => body.push_str("null"),
        }
    }
    body.push(']');
    Reply::raw_json(body)
}

fn run(
    org: &mut Org,
    all_or_none: bool,
    records: &[Map<String, Json>],
    mut work: impl FnMut(&mut World, &Map<String, Json>) -> Outcome,
) -> Reply {
    let before = org.world.unwritten.len();
    let mut undo = Vec::new();
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(records.len());
    for record in records {
        let id = record.iter().find(|(name, _)| name.eq_ignore_ascii_case("id")).and_then(|(_, id)| id.as_str());
        if let (true, Some((object, record))) = (all_or_none, id.and_then(|id| org.world.find(id))) {
            undo.push((object.name, record.clone()));
        }
        outcomes.push(work(&mut org.world, record));
    }
    if all_or_none && outcomes.iter().any(Result::is_err) {
        roll_back(org, before, undo, &mut outcomes);
    }
    let results = outcomes.into_iter().map(|outcome| match outcome {
        Ok((id, None)) => json!({ "id": id, "success": true, "errors": [] }),
        Ok((id, Some(created))) => json!({ "id": id, "success": true, "errors": [], "created": created }),
        Err(error) => error.in_collection(),
    });
    Reply::json(200, &results.collect())
}

fn roll_back(org: &mut Org, before: usize, undo: Vec<(&'static str, super::world::Record)>, outcomes: &mut [Outcome]) {
    org.world.unwritten.truncate(before);
    for outcome in outcomes.iter_mut() {
        if let Ok((id, _)) = outcome {
            if let Some(object) = org.world.find(id).map(|(object, _)| object.name) {
                org.world.remove(object, id);
            }
            let message =
                "Record rolled back because not all records were valid and the request was using AllOrNone header";
            *outcome = Err(RecordError::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", message));
        }
    }
    for (object, record) in undo.into_iter().rev() {
        org.world.restore(object, record);
    }
}

fn records_of(asked: &Asked) -> Option<(Vec<Map<String, Json>>, bool)> {
    let mut body = members(asked)?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or(false);
    let Some(Json::Array(records)) = body.remove("records") else { return None };
    let records = records
        .into_iter()
        .map(|record| match record {
            Json::Object(record) => Some(record),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    Some((records, all_or_none))
}

fn too_many(given: usize) -> Reply {
    let message = format!("record limit reached. cannot submit more than {MOST} records in this call ({given} given)");
    Reply::error(400, "EXCEEDED_MAX_SIZE_REQUEST", &message)
}
