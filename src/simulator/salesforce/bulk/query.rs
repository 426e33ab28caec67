//! Query jobs: their rows are found once and fetched in pages (dossier 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json, json};

use super::super::org::Org;
use super::super::packed::Value;
use super::super::rows::system_value;
use super::super::security::FieldSet;
use super::super::soql::{self, Accessor, Item, Statement};
use super::super::world::{Record, World};
use super::{Job, State, csv, not_complete, wrong_version};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Rows of one of the pages that may be fetched side by side.
const PARALLEL_PAGE: usize = 50_000;

/// The object of a query that a job can do, and the query.
pub(super) fn wanted(body: &Map<String, Json>, hidden: &FieldSet) -> Result<(&'static str, Option<String>), Reply> {
    let text = |name: &str| body.get(name).and_then(Json::as_str).unwrap_or_default();
    if !matches!(text("operation"), "query" | "queryAll") {
        return Err(Reply::error(400, "INVALIDJOB", "operation must be query or queryAll"));
    }
    let statement = soql::parse(text("query")).and_then(|statement| {
        let statement = statement.hiding(hidden);
        soql::checked(&statement).map(|object| (object, statement))
    });
    let (object, statement) = statement.map_err(|error| Reply::error(400, error.code, &error.message))?;
    possible(object, &statement)?;
    Ok((object.name, Some(statement.source)))
}

fn possible(object: &'static super::super::schema::Object, statement: &Statement) -> Result<(), Reply> {
    let refuse = |message: &str| Err(Reply::error(400, "API_ERROR", message));
    if statement.offset > 0 {
        return refuse("OFFSET clause is not supported in Bulk Query");
    }
    if !statement.group.is_empty() || statement.items.is_empty() {
        return refuse("Aggregate Relationships not supported in Bulk Query");
    }
    for item in &statement.items {
        match item {
            Item::Aggregate { .. } => return refuse("Aggregate Relationships not supported in Bulk Query"),
            Item::Children(_) => return refuse("Nested queries are not supported in Bulk Query"),
            Item::TypeOf(_) => return refuse("TYPEOF is not supported in Bulk Query"),
            Item::Field(_) | Item::Fields(_) | Item::Shown { .. } => {}
        }
    }
    let columns = accessors(object, statement);
    if columns.iter().any(|(_, accessor)| matches!(accessor.field.field_type.as_str(), "address" | "location")) {
        return refuse("Selecting compound data not supported in Bulk Query");
    }
    if columns.iter().any(|(_, accessor)| accessor.field.field_type == "base64") {
        return refuse("Binary fields are not supported in Bulk Query");
    }
    Ok(())
}

/// Header and way of each column. The statement has been checked.
fn accessors(object: &'static super::super::schema::Object, statement: &Statement) -> Vec<(String, Accessor)> {
    let mut found = Vec::new();
    for item in &statement.items {
        let accessors = match item {
            Item::Field(path) | Item::Shown { path, .. } => {
                soql::accessor(object, statement, path).map(|accessor| vec![accessor])
            }
            Item::Fields(kind) => soql::listed(object, statement, kind),
            _ => Ok(Vec::new()),
        };
        for accessor in accessors.unwrap_or_default() {
            let steps = accessor.steps.iter().filter_map(|(field, _)| field.relationship.clone());
            let path: Vec<String> = steps.chain([accessor.field.name.clone()]).collect();
            found.push((path.join("."), accessor));
        }
    }
    found
}

/// The job with its rows.
pub(super) fn done(org: &Org, job: Job, at: i64) -> Job {
    let soql = job.soql.clone().unwrap_or_default();
    let hidden = org.security_of(&job.user).hidden.clone();
    let found = soql::parse(&soql).and_then(|statement| {
        let statement = statement.hiding(&hidden);
        let (object, ids) = soql::run(&org.world, &statement, job.operation == "queryAll", at)?;
        Ok((object, ids, accessors(object, &statement)))
    });
    let (object, ids, columns) = match found {
        Ok(found) => found,
        Err(error) => return Job { state: State::Failed, error: Some(error.message), ..job },
    };
    let delimiter = csv::delimiter(&job.delimiter).unwrap_or(',');
    let mut data = String::new();
    csv::write(&mut data, columns.iter().map(|(header, _)| header.as_str()), delimiter, job.line_end());
    let mut ends = Vec::with_capacity(ids.len());
    // The header is the first row that ends.
    let header = data.len();
    for record in ids.iter().filter_map(|id| org.world.at(object, id)) {
        let values: Vec<String> = columns.iter().map(|(_, accessor)| value(&org.world, record, accessor)).collect();
        csv::write(&mut data, values.iter().map(String::as_str), delimiter, job.line_end());
        ends.push(data.len() - header);
    }
    Job { state: State::JobComplete, data, ends, ..job }
}

/// A value as CSV shows it: instants with `Z`, nothing for null (dossier 0, "Timestamps").
fn value(world: &World, record: &Record, accessor: &Accessor) -> String {
    let mut record = record;
    for (field, object) in &accessor.steps {
        match soql::reference(record, field).and_then(|id| world.at(object, &id)) {
            Some(parent) => record = parent,
            None => return String::new(),
        }
    }
    let field = accessor.field;
    if let Some(rollup) = field.rollup {
        return world.totals.shown(rollup, &record.id);
    }
    let text = match system_value(record, &field.name) {
        Some(Json::String(text)) => text,
        Some(Json::Null) => String::new(),
        Some(other) => other.to_string(),
        None => match record.fields.at(field.key) {
            Some(Value::Text(text) | Value::Number(text)) => text.to_owned(),
            Some(Value::Boolean(boolean)) => boolean.to_string(),
            None if field.field_type == "boolean" => "false".to_owned(),
            None => String::new(),
        },
    };
    match text.strip_suffix("+0000") {
        Some(instant) if field.field_type == "datetime" => format!("{instant}Z"),
        _ => text,
    }
}

/// A page of a job's rows, each with the header; the last one's locator is the word `null`.
pub(super) fn results(job: &Job, asked: &Asked, version: &str) -> Reply {
    if let Some(refused) = wrong_version(job, version).or_else(|| not_complete(job)) {
        return refused;
    }
    let invalid = |message: &str| Reply::error(400, "INVALID_QUERY_LOCATOR", message);
    let from = match asked.query("locator").filter(|locator| !locator.is_empty() && locator != "null") {
        None => 0,
        Some(locator) => {
            let decoded = URL_SAFE_NO_PAD.decode(locator.trim_end_matches('=')).ok();
            let place = decoded.and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<usize>().ok());
            match place.filter(|place| *place < job.ends.len().max(1)) {
                Some(place) => place,
                None => return invalid("invalid query locator"),
            }
        }
    };
    let most = match asked.query("maxRecords").map(|most| most.parse::<usize>()) {
        None => job.ends.len(),
        Some(Ok(most)) if most > 0 => most,
        Some(_) => return Reply::error(400, "INVALIDJOB", "maxRecords must be a positive number"),
    };
    let to = from.saturating_add(most).min(job.ends.len());
    let header = job.data.len() - job.ends.last().copied().unwrap_or_default();
    let header = if job.ends.is_empty() { job.data.len() } else { header };
    let place = |row: usize| header + row.checked_sub(1).map_or(0, |row| job.ends[row]);
    let body = format!("{}{}", &job.data[..header], &job.data[place(from)..place(to)]);
    let next = if to < job.ends.len() { locator(to) } else { "null".to_owned() };
    Reply { content_type: "text/csv", ..Reply::raw_json(body) }
        .with("sforce-locator", next)
        .with("sforce-numberofrecords", (to - from).to_string())
}

/// Addresses of pages that may be fetched side by side.
pub(super) fn pages(job: &Job, version: &str) -> Reply {
    if let Some(refused) = wrong_version(job, version).or_else(|| not_complete(job)) {
        return refused;
    }
    let root = format!("/services/data/{version}/jobs/query/{}/results", job.id);
    let places = (0..job.ends.len().max(1)).step_by(PARALLEL_PAGE);
    let pages: Vec<Json> = places
        .map(|place| json!({ "resultUrl": format!("{root}?maxRecords={PARALLEL_PAGE}&locator={}", locator(place)) }))
        .collect();
    Reply::json(200, &json!({ "resultPages": pages, "nextRecordsUrl": null, "done": true }))
}

fn locator(place: usize) -> String {
    URL_SAFE_NO_PAD.encode(place.to_string())
}
