//! sObject Collections (dossier 2.6): up to 200 records, each with its own result.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::ids::Id;
use super::org::Org;
use super::records::id_in;
use super::rest::{malformed_json, members, not_allowed, not_found};
use super::rows::Rows;
use super::schema::{Object, object_named};
use super::soql;
use super::validate::{self, RecordError};
use super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

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
            let id = id_in(given)
                .ok_or_else(|| RecordError::new("MISSING_ARGUMENT", "Id not specified in an update call"))?
                .to_owned();
            world.update(object, &id, given, by).map(|id| (id, None))
        }),
        ("PATCH", [name, field]) => match object_named(name) {
            Some(object) => upsert(org, asked, object, field, user),
            None => not_found(),
        },
        ("DELETE", []) => delete(org, asked, user),
        ("POST" | "GET", [name]) => match object_named(name) {
            Some(object) => retrieve(org, asked, object, user),
            None => not_found(),
        },
        _ => not_allowed(),
    }
}

type Outcome = Result<(Id, Option<bool>), RecordError>;

/// The records of a request, and whether all or none of them are to be applied.
struct Batch {
    records: Vec<Map<String, Json>>,
    all_or_none: bool,
}

fn each(
    org: &mut Org,
    asked: &Asked,
    user: &str,
    mut work: impl FnMut(&mut World, &'static Object, &Map<String, Json>, &super::world::By) -> Outcome,
) -> Reply {
    let batch = match batch(asked) {
        Ok(batch) => batch,
        Err(reply) => return reply,
    };
    let spelled = batch.records.iter().try_for_each(|record| match object_of(record) {
        Ok(object) => validate::spelling(object, record),
        Err(_) => Ok(()),
    });
    if let Err(error) = spelled {
        return Reply::refused(&error);
    }
    let by = org.asking(asked, user);
    run(org, batch.all_or_none, &batch.records, |world, record| work(world, object_of(record)?, record, &by))
}

fn object_of(record: &Map<String, Json>) -> Result<&'static Object, RecordError> {
    let name = record.get("attributes").and_then(|attributes| attributes.get("type")?.as_str());
    name.and_then(object_named).ok_or_else(|| {
        let message = format!("sObject type '{}' is not supported.", name.unwrap_or_default());
        RecordError::new("INVALID_TYPE", message)
    })
}

fn upsert(org: &mut Org, asked: &Asked, object: &'static Object, field: &str, user: &str) -> Reply {
    let Some(field) = object.field(field).filter(|field| field.external_id || field.name == "Id") else {
        let message =
            format!("Field name provided, {field} is not an External ID or indexed field for {}", object.name);
        return Reply::error(400, "INVALID_FIELD", &message);
    };
    let batch = match batch(asked) {
        Ok(batch) => batch,
        Err(reply) => return reply,
    };
    if let Err(error) = batch.records.iter().try_for_each(|record| validate::spelling(object, record)) {
        return Reply::refused(&error);
    }
    let by = org.asking(asked, user);
    let value = |record: &Map<String, Json>| {
        let found = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(&field.name));
        found.and_then(|(_, value)| value.as_str()).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let mut times: HashMap<String, usize> = HashMap::new();
    for own in batch.records.iter().filter_map(value) {
        *times.entry(own.to_lowercase()).or_default() += 1;
    }
    run(org, batch.all_or_none, &batch.records, |world, record| {
        let Some(own) = value(record) else {
            let message = format!("{} not specified", field.name);
            return Err(RecordError::new("MISSING_ARGUMENT", message));
        };
        if object_of(record)?.name != object.name {
            return Err(RecordError::new("INVALID_TYPE", format!("every record must be of type {}", object.name)));
        }
        if times.get(&own.to_lowercase()).is_some_and(|times| *times > 1) {
            let message = format!("Duplicate external id specified: {own}");
            return Err(RecordError::new("DUPLICATE_VALUE", message));
        }
        match world.by_key(object, field, &own)? {
            Some(id) => world.update(object, &id, record, &by).map(|id| (id, Some(false))),
            None if field.name == "Id" => Err(RecordError::not_found()),
            None => world.create(object, record, &by).map(|id| (id, Some(true))),
        }
    })
}

fn delete(org: &mut Org, asked: &Asked, user: &str) -> Reply {
    let ids = listed(asked, "ids");
    if ids.len() > MOST {
        return too_many(ids.len(), MOST);
    }
    let all_or_none = asked.query("allOrNone").is_some_and(|all| all.eq_ignore_ascii_case("true"));
    let by = org.asking(asked, user);
    run(org, all_or_none, &ids, |world, id| {
        if Id::parse(id).is_none() {
            return Err(RecordError::malformed_id(id));
        }
        match world.find(id).map(|(object, _)| object) {
            Some(object) => world.delete(object, id, &by).map(|id| (id, None)),
            None => Err(RecordError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")),
        }
    })
}

fn retrieve(org: &Org, asked: &Asked, object: &'static Object, user: &str) -> Reply {
    let (ids, fields): (Vec<String>, Vec<String>) = if asked.effective_method() == "GET" {
        (listed(asked, "ids"), listed(asked, "fields"))
    } else {
        let body = match members(asked) {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let list = |name: &str| -> Vec<String> {
            let texts = body.get(name).and_then(Json::as_array).into_iter().flatten();
            texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        (list("ids"), list("fields"))
    };
    if ids.len() > MOST_RETRIEVED {
        return too_many(ids.len(), MOST_RETRIEVED);
    }
    if fields.is_empty() {
        return Reply::error(400, "INVALID_FIELD", "At least one field is required");
    }
    let text = format!("SELECT {} FROM {}", fields.join(","), object.name);
    let hidden = &org.security_of(user).hidden;
    let columns = match soql::parse(&text).and_then(|statement| soql::columns(object, &statement.hiding(hidden))) {
        Ok(columns) => columns,
        Err(error) => return Reply::error(400, "INVALID_FIELD", &error.message),
    };
    let (version, _) = asked.data_path().unwrap_or(("v62.0", Vec::new()));
    let rows = Rows::new(&org.world, version, org.now());
    let mut body = String::from("[");
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        match org.world.record(object, id).filter(|record| !record.deleted) {
            Some(record) => rows.write(&mut body, object, record, &columns),
            None => body.push_str("null"),
        }
    }
    body.push(']');
    Reply::raw_json(body)
}

fn listed(asked: &Asked, name: &str) -> Vec<String> {
    let text = asked.query(name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Works through the items in their order; with all or none, one failure takes everything back.
fn run<T>(org: &mut Org, all_or_none: bool, items: &[T], mut work: impl FnMut(&mut World, &T) -> Outcome) -> Reply {
    let before = org.world.savepoint();
    let mut outcomes: Vec<Outcome> = items.iter().map(|item| work(&mut org.world, item)).collect();
    if all_or_none && outcomes.iter().any(Result::is_err) {
        org.world.roll_back(before);
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            let message =
                "Record rolled back because not all records were valid and the request was using AllOrNone header";
            *outcome = Err(RecordError::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", message));
        }
    }
    let results = outcomes.into_iter().map(|outcome| match outcome {
        Ok((id, None)) => json!({ "id": id, "success": true, "errors": [] }),
        Ok((id, Some(created))) => json!({ "id": id, "success": true, "errors": [], "created": created }),
        Err(error) => error.in_collection(),
    });
    Reply::json(200, &results.collect())
}

fn batch(asked: &Asked) -> Result<Batch, Reply> {
    let mut body = members(asked)?;
    let all_or_none = match body.get("allOrNone") {
        None | Some(Json::Null) => false,
        Some(Json::Bool(all)) => *all,
        Some(_) => return Err(malformed_json("allOrNone must be true or false")),
    };
    let Some(Json::Array(records)) = body.remove("records") else {
        return Err(malformed_json("The Value for field records is missing or no array"));
    };
    if records.len() > MOST {
        return Err(too_many(records.len(), MOST));
    }
    let records = records.into_iter().map(|record| match record {
        Json::Object(record) => Ok(record),
        _ => Err(malformed_json("Every record must be an object")),
    });
    Ok(Batch { records: records.collect::<Result<_, _>>()?, all_or_none })
}

fn too_many(given: usize, most: usize) -> Reply {
    let message = format!("record limit reached. cannot submit more than {most} records in this call ({given} given)");
    Reply::error(400, "EXCEEDED_MAX_SIZE_REQUEST", &message)
}
