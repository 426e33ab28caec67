//! Ingest jobs: one upload, worked through row by row, each with its own outcome (dossier 3.2).

use serde_json::{Map, Value as Json, json};

use super::super::assignment;
use super::super::ids::Id;
use super::super::org::Org;
use super::super::rest::{not_allowed, not_found};
use super::super::schema::{Object, object_named};
use super::super::validate::RecordError;
use super::super::world::{By, World};
use super::{Job, Outcome, State, csv, not_complete};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Largest upload, bytes (dossier 3.3).
const LARGEST: usize = 150 << 20;

/// Largest value, characters, and most columns of a row (dossier 3.3).
const LONGEST_VALUE: usize = 32_000;
const MOST_COLUMNS: usize = 5000;

/// What sets a field to null; an empty value leaves it alone.
const NULL: &str = "#N/A";

/// The object that a job is for.
pub(super) fn wanted(body: &Map<String, Json>) -> Result<(&'static str, Option<String>), Reply> {
    let text = |name: &str| body.get(name).and_then(Json::as_str).unwrap_or_default();
    let invalid = |message: String| Err(Reply::error(400, "INVALIDJOB", &message));
    let operation = text("operation");
    if !matches!(operation, "insert" | "update" | "upsert" | "delete" | "hardDelete") {
        return invalid(format!("Unknown operation: {operation}"));
    }
    let Some(object) = object_named(text("object")) else {
        return invalid(format!("Unable to find object: {}", text("object")));
    };
    let field = object.field(text("externalIdFieldName")).filter(|field| field.external_id || field.name == "Id");
    if operation == "upsert" && field.is_none() {
        return invalid(format!("Field name not found or no external id: {}", text("externalIdFieldName")));
    }
    Ok((object.name, None))
}

/// Answers a part of an ingest job.
pub(super) fn part(org: &mut Org, asked: &Asked, method: &str, part: &str, id: Id) -> Reply {
    let Some(job) = org.jobs.all.get(&id) else { return not_found() };
    match (method, part) {
        ("PUT", "batches") => uploaded(org, asked, id),
        ("GET", "successfulresults") => not_complete(job).unwrap_or_else(|| {
            rows(job, &["sf__Id", "sf__Created"], |outcome| match outcome {
                Some(Outcome::Done { id, created }) => Some(vec![id.to_string(), created.to_string()]),
                _ => None,
            })
        }),
        ("GET", "failedresults") => not_complete(job).unwrap_or_else(|| {
            rows(job, &["sf__Id", "sf__Error"], |outcome| match outcome {
                Some(Outcome::Refused { id, error }) => {
                    Some(vec![id.map(|id| id.to_string()).unwrap_or_default(), error.clone()])
                }
                _ => None,
            })
        }),
        ("GET", "unprocessedrecords") => {
            if job.is_over() {
                rows(job, &[], |outcome| outcome.is_none().then(Vec::new))
            } else {
                Reply::error(400, "INVALIDJOBSTATE", "Job is not complete")
            }
        }
        (_, "batches" | "successfulresults" | "failedresults" | "unprocessedrecords") => not_allowed(),
        _ => not_found(),
    }
}

fn uploaded(org: &mut Org, asked: &Asked, id: Id) -> Reply {
    if !asked.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/csv")) {
        return Reply::error(415, "UNSUPPORTED_MEDIA_TYPE", "The content type must be text/csv.");
    }
    let Ok(text) = std::str::from_utf8(&asked.body) else {
        return Reply::error(400, "INVALIDBATCH", "The CSV is not UTF-8.");
    };
    if text.len() > LARGEST {
        return Reply::error(400, "INVALIDBATCH", "The upload is larger than 150 MB.");
    }
    let open = org.jobs.all.get(&id).is_some_and(|job| job.state == State::Open && job.data.is_empty());
    if !open {
        return Reply::error(400, "INVALIDJOBSTATE", "The job takes no upload in this state, and only one.");
    }
    let now = org.now();
    org.jobs.change(&id, |job| {
        job.data = text.to_owned();
        job.changed = now;
    });
    Reply::empty(201)
}

/// The rows of the upload that a choice is made for, each after what the choice says of it.
fn rows(job: &Job, added: &[&str], choose: impl Fn(Option<&Outcome>) -> Option<Vec<String>>) -> Reply {
    let delimiter = csv::delimiter(&job.delimiter).unwrap_or(',');
    let uploaded = csv::read(&job.data, delimiter).unwrap_or_default();
    let mut body = String::new();
    let mut uploaded = uploaded.into_iter();
    let header = uploaded.next().unwrap_or_default();
    let head = added.iter().copied().chain(header.iter().map(String::as_str));
    csv::write(&mut body, head, delimiter, job.line_end());
    for (place, row) in uploaded.enumerate() {
        if let Some(chosen) = choose(job.outcomes.get(place)) {
            let values = chosen.iter().map(String::as_str).chain(row.iter().map(String::as_str));
            csv::write(&mut body, values, delimiter, job.line_end());
        }
    }
    Reply { content_type: "text/csv", ..Reply::raw_json(body) }
}

/// The job with what became of each row.
pub(super) fn done(org: &mut Org, job: Job, at: i64) -> Job {
    let failed = |job: Job, error: &str| Job { state: State::Failed, error: Some(error.to_owned()), ..job };
    let delimiter = csv::delimiter(&job.delimiter).unwrap_or(',');
    let Some(uploaded) = csv::read(&job.data, delimiter) else {
        return failed(job, "InvalidBatch : Failed to parse CSV: a quote is never closed");
    };
    let Some(object) = object_named(&job.object) else { return failed(job, "InvalidJob : no such object") };
    let mut rows = uploaded.into_iter();
    let Some(header) = rows.next() else { return Job { state: State::JobComplete, ..job } };
    if header.len() > MOST_COLUMNS {
        return failed(job, "InvalidBatch : Too many columns");
    }
    let unknown = header.iter().find(|name| !is_known(object, name)).cloned();
    let rule = job.assignment.as_deref().and_then(|id| assignment::named(id, &org.small.rules));
    let by = By { at, assigning: rule.unwrap_or_default(), ..org.by(&job.user) };
    let outcomes = rows.map(|row| match &unknown {
        Some(name) => {
            let id = None;
            Outcome::Refused { id, error: format!("InvalidBatch : Field name not found : {name}") }
        }
        None => one(&mut org.world, object, &job, &header, &row, &by),
    });
    let outcomes = outcomes.collect();
    Job { state: State::JobComplete, outcomes, ..job }
}

/// Whether a column is one of the object's: a field, or a parent's external id.
fn is_known(object: &Object, name: &str) -> bool {
    match name.split_once('.') {
        None => object.field(name).is_some(),
        Some((relationship, _)) => {
            let relationship = relationship.split(':').next().unwrap_or_default();
            let named = |field: &super::super::schema::Field| {
                field.relationship.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(relationship))
            };
            object.fields.iter().any(named)
        }
    }
}

fn one(world: &mut World, object: &'static Object, job: &Job, header: &[String], row: &[String], by: &By) -> Outcome {
    let given = given(header, row);
    let id = given.get("Id").and_then(Json::as_str).map(str::to_owned);
    let before = world.savepoint();
    match given.values().any(is_too_long) {
        true => refused(None, &RecordError::new("STRING_TOO_LONG", "a value is longer than 32,000 characters")),
        false => match applied(world, object, job, given, id.as_deref(), by) {
            Ok((id, created)) => Outcome::Done { id, created },
            Err(error) => {
                world.roll_back(before);
                refused(id.as_deref().and_then(Id::parse), &in_row(error))
            }
        },
    }
}

/// A refusal as a row tells it: in CSV there is no JSON to be misspelt.
fn in_row(error: RecordError) -> RecordError {
    let field = error.fields.first().cloned().unwrap_or_default();
    match error.code {
        "JSON_PARSER_ERROR" => RecordError {
            code: "INVALID_TYPE_ON_FIELD_IN_RECORD",
            message: format!("{field}: value not of required type"),
            ..error
        },
        _ => error,
    }
}

fn is_too_long(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text.chars().count() > LONGEST_VALUE)
}

fn refused(id: Option<Id>, error: &RecordError) -> Outcome {
    let fields = error.fields.join(",");
    let separator = if fields.is_empty() { "" } else { " " };
    Outcome::Refused { id, error: format!("{}:{}:{fields}{separator}--", error.code, error.message) }
}

fn applied(
    world: &mut World,
    object: &'static Object,
    job: &Job,
    mut given: Map<String, Json>,
    id: Option<&str>,
    by: &By,
) -> Result<(Id, bool), RecordError> {
    let missing = || RecordError::new("MISSING_ARGUMENT", format!("Id not specified in {} call", job.operation));
    match job.operation.as_str() {
        "insert" => {
            given.remove("Id");
            world.create(object, &given, by).map(|id| (id, true))
        }
        "update" => world.update(object, id.ok_or_else(missing)?, &given, by).map(|id| (id, false)),
        "delete" => world.delete(object, id.ok_or_else(missing)?, by).map(|id| (id, false)),
        "hardDelete" => {
            let id = id.ok_or_else(missing)?;
            if world.record(object, id).is_some_and(|record| !record.deleted) {
                world.delete(object, id, by)?;
            }
            world.purge(object, id, by).map(|id| (id, false))
        }
        _ => {
            let name = job.external_id.as_deref().unwrap_or_default();
            let field = object.field(name).ok_or_else(RecordError::not_found)?;
            let key = given.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            let key = key.and_then(Json::as_str).filter(|key| !key.is_empty()).map(str::to_owned);
            let Some(key) = key else {
                return Err(RecordError::new("MISSING_ARGUMENT", format!("{} not specified", field.name)));
            };
            match world.by_key(object, field, &key)? {
                Some(id) => world.update(object, &id, &given, by).map(|id| (id, false)),
                None if field.name == "Id" => Err(RecordError::not_found()),
                None => world.create(object, &given, by).map(|id| (id, true)),
            }
        }
    }
}

/// A row as the members of a record. Values stay text: each field reads its own spelling.
fn given(header: &[String], row: &[String]) -> Map<String, Json> {
    let mut given = Map::new();
    for (name, value) in header.iter().zip(row).filter(|(_, value)| !value.is_empty()) {
        let value = if value == NULL { Json::Null } else { json!(value) };
        match name.split_once('.') {
            Some((relationship, key)) => {
                let (relationship, kind) =
                    relationship.split_once(':').map_or((relationship, None), |(name, kind)| (name, Some(kind)));
                let mut parent = Map::from_iter([(key.to_owned(), value)]);
                if let Some(kind) = kind {
                    parent.insert("attributes".to_owned(), json!({ "type": kind }));
                }
                given.insert(relationship.to_owned(), Json::Object(parent));
            }
            None if name.eq_ignore_ascii_case("Id") => drop(given.insert("Id".to_owned(), value)),
            None => drop(given.insert(name.clone(), value)),
        }
    }
    given
}
