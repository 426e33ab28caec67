//! The data API: discovery, query, single records, replication (dossier 2).

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value as Json, json};

use super::org::{Cursor, Org};
use super::reply::Reply;
use super::request::Asked;
use super::schema::{OBJECTS, Object, object_named};
use super::world::Record;
use super::{collections, composite, soql};

/// Rows of one page (dossier 2.4).
const PAGE: usize = 2000;

/// Cursors kept at once; real ones live two days.
const CURSORS: usize = 1000;

/// Longest address with its headers, bytes (dossier 2.1).
pub(super) const LONGEST_ADDRESS: usize = 16_384;

/// Versions that the org serves.
const VERSIONS: std::ops::RangeInclusive<u32> = 50..=67;

/// Answers what is under `/services/data`.
pub(super) fn answer(org: &mut Org, asked: &Asked) -> Reply {
    let Some((version, parts)) = asked.data_path() else {
        return Reply::json(200, &versions());
    };
    if !is_version(version) {
        return Reply::error(404, "NOT_FOUND", "The requested resource does not exist");
    }
    let user = asked.bearer().and_then(|token| org.user_of(&token).map(str::to_owned));
    let Some(user) = user else {
        return Reply::error(401, "INVALID_SESSION_ID", "Session expired or invalid");
    };
    route(org, asked, version, &parts, &user)
}

/// Answers one path for a signed-in person; composite calls come here again.
pub(super) fn route(org: &mut Org, asked: &Asked, version: &str, parts: &[&str], user: &str) -> Reply {
    let method = match (asked.method.as_str(), asked.query("_HttpMethod")) {
        ("POST", Some(method)) => method.to_uppercase(),
        (method, _) => method.to_owned(),
    };
    match (method.as_str(), parts) {
        ("GET", []) => Reply::json(200, &resources(asked, version, user)),
        ("GET", ["limits"]) => Reply::json(200, &limits(org)),
        ("GET", ["sobjects"]) => Reply::json(200, &describe_global(version)),
        ("GET", ["query"]) => query(org, asked, version, false),
        ("GET", ["queryAll"]) => query(org, asked, version, true),
        ("GET", ["query" | "queryAll", locator]) => query_more(org, version, locator),
        ("POST", ["composite"]) => composite::answer(org, asked, version, user),
        (_, ["composite", "sobjects", rest @ ..]) => collections::answer(org, asked, &method, rest, user),
        (_, ["sobjects", name, rest @ ..]) => match object_named(name) {
            Some(object) => of_object(org, asked, version, &method, object, rest, user),
            None => Reply::error(404, "NOT_FOUND", "The requested resource does not exist"),
        },
        _ => Reply::error(404, "NOT_FOUND", "The requested resource does not exist"),
    }
}

fn of_object(
    org: &mut Org,
    asked: &Asked,
    version: &str,
    method: &str,
    object: &'static Object,
    rest: &[&str],
    user: &str,
) -> Reply {
    match (method, rest) {
        ("GET", ["describe"]) => Reply::json(200, &object.describe(version)),
        ("GET", []) => Reply::json(200, &json!({ "objectDescribe": { "name": object.name }, "recentItems": [] })),
        ("GET", ["deleted"]) => replication(org, asked, object, true),
        ("GET", ["updated"]) => replication(org, asked, object, false),
        ("POST", []) => create(org, asked, object, user),
        ("GET", [id]) => retrieve(org, asked, version, object, id),
        ("PATCH", [id]) => {
            let Some(given) = members(asked) else { return malformed_json() };
            if given.keys().any(|name| name.eq_ignore_ascii_case("id")) {
                let message = "The Id field should not be specified in the sobject data.";
                return Reply::error(400, "INVALID_FIELD", message);
            }
            let by = org.by(user);
            match org.world.update(object, id, &given, &by) {
                Ok(_) => Reply::empty(204),
                Err(error) => Reply::refused(&error),
            }
        }
        ("DELETE", [id]) => {
            let by = org.by(user);
            match org.world.delete(object, id, &by) {
                Ok(_) => Reply::empty(204),
                Err(error) => Reply::refused(&error),
            }
        }
        (_, [field, value]) => by_external_id(org, asked, version, method, object, field, value, user),
        _ => Reply::error(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed."),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one request")]
fn by_external_id(
    org: &mut Org,
    asked: &Asked,
    version: &str,
    method: &str,
    object: &'static Object,
    field: &str,
    value: &str,
    user: &str,
) -> Reply {
    let Some(field) = object.field(field).filter(|field| field.external_id || field.name == "Id") else {
        let message = format!("Provided external ID field does not exist or is not accessible: {field}");
        return Reply::error(404, "NOT_FOUND", &message);
    };
    let value = percent_decoded(value);
    let found = org.world.by_unique(object, &field.name, &value).map(|record| record.id.clone());
    match (method, found) {
        ("GET", Some(id)) => retrieve(org, asked, version, object, &id),
        ("PATCH", found) => {
            let Some(mut given) = members(asked) else { return malformed_json() };
            given.insert(field.name.clone(), json!(value));
            collections::upsert_one(org, object, found, &given, user)
        }
        ("DELETE", Some(id)) => {
            let by = org.by(user);
            match org.world.delete(object, &id, &by) {
                Ok(_) => Reply::empty(204),
                Err(error) => Reply::refused(&error),
            }
        }
        _ => Reply::error(404, "NOT_FOUND", "The requested resource does not exist"),
    }
}

fn create(org: &mut Org, asked: &Asked, object: &'static Object, user: &str) -> Reply {
    let Some(given) = members(asked) else { return malformed_json() };
    let by = org.by(user);
    match org.world.create(object, &given, &by) {
        Ok(id) => Reply::json(201, &json!({ "id": id, "success": true, "errors": [] })),
        Err(error) => Reply::refused(&error),
    }
}

fn retrieve(org: &Org, asked: &Asked, version: &str, object: &'static Object, id: &str) -> Reply {
    let Some(record) = org.world.record(object, id).filter(|record| !record.deleted) else {
        return Reply::error(404, "NOT_FOUND", "The requested resource does not exist");
    };
    let wanted: Vec<String> = match asked.query("fields") {
        Some(fields) => fields.split(',').map(|field| field.trim().to_owned()).collect(),
        None => object.fields.iter().map(|field| field.name.clone()).collect(),
    };
    if let Some(unknown) = wanted.iter().find(|name| object.field(name).is_none()) {
        let message = format!("No such column '{unknown}' on entity '{}'.", object.name);
        return Reply::error(400, "INVALID_FIELD", &message);
    }
    let mut body = String::new();
    write_row(&mut body, org, object, record, &wanted, version);
    Reply::raw_json(body)
}

fn query(org: &mut Org, asked: &Asked, version: &str, with_deleted: bool) -> Reply {
    let text = asked.query("q").unwrap_or_default();
    let batch = asked
        .header("sforce-query-options")
        .and_then(|options| options.split("batchSize=").nth(1)?.trim().parse::<usize>().ok())
        .map_or(PAGE, |batch| batch.clamp(200, PAGE));
    let ran = soql::parse(&text).and_then(|statement| {
        let (object, ids) = soql::run(&org.world, &statement, with_deleted)?;
        Ok((statement, object, ids))
    });
    match ran {
        Ok((statement, _, ids)) if statement.columns.is_empty() => {
            Reply::json(200, &json!({ "totalSize": ids.len(), "done": true, "records": [] }))
        }
        Ok((statement, object, ids)) => {
            let cursor = Cursor { object: object.name, columns: statement.columns, ids, batch };
            page(org, version, cursor, None, 0)
        }
        Err(error) => Reply::error(400, error.code, &error.message),
    }
}

fn query_more(org: &mut Org, version: &str, locator: &str) -> Reply {
    let found = locator.rsplit_once('-').and_then(|(id, offset)| {
        let cursor = org.cursors.get(id)?.clone();
        let offset: usize = offset.parse().ok()?;
        (offset <= cursor.ids.len()).then_some((id.to_owned(), cursor, offset))
    });
    match found {
        Some((id, cursor, offset)) => page(org, version, cursor, Some(id), offset),
        None => Reply::error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    }
}

fn page(org: &mut Org, version: &str, cursor: Cursor, id: Option<String>, offset: usize) -> Reply {
    let end = (offset + cursor.batch).min(cursor.ids.len());
    let done = end == cursor.ids.len();
    let total = cursor.ids.len();
    let mut body = format!("{{\"totalSize\":{total},\"done\":{done}");
    let Some(object) = object_named(cursor.object) else { return Reply::empty(500) };
    let mut rows = String::with_capacity((end - offset) * 400);
    for record in cursor.ids[offset..end].iter().filter_map(|id| org.world.record(object, id)) {
        if !rows.is_empty() {
            rows.push(',');
        }
        write_row(&mut rows, org, object, record, &cursor.columns, version);
    }
    if !done {
        let id = id.unwrap_or_else(|| {
            let secret = org.secret("cursor");
            format!("01g{}", &secret[..15])
        });
        // Writing to a String cannot fail.
        let _ = write!(body, ",\"nextRecordsUrl\":\"/services/data/{version}/query/{id}-{end}\"");
        if org.cursors.len() >= CURSORS {
            org.cursors.pop_first();
        }
        org.cursors.insert(id, cursor);
    }
    let _ = write!(body, ",\"records\":[{rows}]}}");
    Reply::raw_json(body)
}

/// Writes one record with the columns asked for; parents are nested.
pub(super) fn write_row(
    out: &mut String,
    org: &Org,
    object: &Object,
    record: &Record,
    columns: &[String],
    version: &str,
) {
    let _ = write!(
        out,
        "{{\"attributes\":{{\"type\":\"{0}\",\"url\":\"/services/data/{version}/sobjects/{0}/{1}\"}}",
        object.name, record.id
    );
    let mut parents: Map<String, Json> = Map::new();
    for column in columns {
        if let Some((parent, field)) = column.split_once('.') {
            let value = soql::value(&org.world, object, record, column);
            let nested = parents.entry(parent.to_owned()).or_insert_with(|| json!({ "attributes": {} }));
            nested[field] = value;
            continue;
        }
        let name = object.field(column).map_or(column.as_str(), |field| &field.name);
        let _ = match system_value(record, name) {
            Some(value) => write!(out, ",\"{name}\":{value}"),
            None => match record.fields.get(name) {
                Some(value) => write!(out, ",\"{name}\":{value}"),
                None => write!(out, ",\"{name}\":null"),
            },
        };
    }
    for (parent, value) in parents {
        let _ = write!(out, ",\"{parent}\":{value}");
    }
    out.push('}');
}

/// Fields that every record has by itself.
pub(super) fn system_value(record: &Record, field: &str) -> Option<Json> {
    Some(match field {
        "Id" => json!(record.id),
        "IsDeleted" => json!(record.deleted),
        "MasterRecordId" => json!(record.master),
        "CreatedDate" => json!(stamp(record.created)),
        "CreatedById" => json!(record.created_by),
        "LastModifiedDate" => json!(stamp(record.modified)),
        "LastModifiedById" => json!(record.modified_by),
        "SystemModstamp" => json!(stamp(record.stamp)),
        _ => return None,
    })
}

/// `updated` and `deleted`, by whole minutes (dossier 2.8).
fn replication(org: &Org, asked: &Asked, object: &'static Object, deleted: bool) -> Reply {
    let minute =
        |name: &str| asked.query(name).and_then(|text| parse_stamp(&text)).map(|at| at.div_euclid(60_000) * 60_000);
    let (Some(start), Some(end)) = (minute("start"), minute("end")) else {
        return Reply::error(400, "INVALID_REPLICATION_DATE", "startDate and endDate are required");
    };
    let reach = if deleted { 15 } else { 30 } * 24 * 3600 * 1000;
    if start >= end || start < org.now() - reach {
        return Reply::error(
            400,
            "INVALID_REPLICATION_DATE",
            "startDate before org replication enabled date or after endDate",
        );
    }
    let covered = end.min(org.now().div_euclid(60_000) * 60_000);
    let found = org.world.tables.get(object.name).into_iter().flat_map(|table| table.since(start));
    let found = found.filter(|record| record.deleted == deleted && record.stamp < covered.max(end));
    if deleted {
        let records: Vec<Json> =
            found.map(|record| json!({ "id": record.id, "deletedDate": stamp(record.stamp) })).collect();
        let earliest = stamp(org.now() - reach);
        Reply::json(
            200,
            &json!({ "deletedRecords": records, "earliestDateAvailable": earliest, "latestDateCovered": stamp(covered) }),
        )
    } else {
        let ids: Vec<&str> = found.map(|record| record.id.as_str()).collect();
        Reply::json(200, &json!({ "ids": ids, "latestDateCovered": stamp(covered) }))
    }
}

fn versions() -> Json {
    let seasons = ["Spring", "Summer", "Winter"];
    let version = |number: u32| {
        let label = format!("{} '{}", seasons[(number % 3) as usize], number / 3 + 4);
        json!({ "label": label, "url": format!("/services/data/v{number}.0"), "version": format!("{number}.0") })
    };
    VERSIONS.map(version).collect()
}

fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').and_then(|text| text.strip_suffix(".0")).and_then(|text| text.parse().ok());
    number.is_some_and(|number| VERSIONS.contains(&number))
}

fn resources(asked: &Asked, version: &str, user: &str) -> Json {
    let names = ["sobjects", "query", "queryAll", "limits", "composite"];
    let mut resources: Map<String, Json> =
        names.iter().map(|name| ((*name).to_owned(), json!(format!("/services/data/{version}/{name}")))).collect();
    let identity = format!("{}/id/{}/{user}", asked.origin(), super::oauth::ORG_ID);
    resources.insert("identity".to_owned(), json!(identity));
    Json::Object(resources)
}

fn limits(org: &Org) -> Json {
    let recorded: Json = serde_json::from_str(include_str!("describe/limits.json")).unwrap_or_default();
    let mut limits = recorded.get("limits").cloned().unwrap_or(json!({}));
    let allowed = org.small.daily_allowed.unwrap_or(5_000_000);
    limits["DailyApiRequests"] = json!({ "Max": allowed, "Remaining": allowed.saturating_sub(org.small.used_today) });
    limits
}

fn describe_global(version: &str) -> Json {
    let recorded = include_str!("describe/describe_global.json").replace("{version}", version.trim_start_matches('v'));
    let recorded: Json = serde_json::from_str(&recorded).unwrap_or_default();
    let known: Vec<Json> = recorded
        .get("sobjects")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter(|object| OBJECTS.iter().any(|known| object.get("name").and_then(Json::as_str) == Some(known.name)))
        .cloned()
        .collect();
    json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": known })
}

/// The members of a JSON object body.
pub(super) fn members(asked: &Asked) -> Option<Map<String, Json>> {
    match asked.json()? {
        Json::Object(members) => Some(members),
        _ => None,
    }
}

/// The answer to a body that is no JSON object.
pub(super) fn malformed_json() -> Reply {
    Reply::error(400, "JSON_PARSER_ERROR", "The request body is not a JSON object.")
}

/// REST's spelling of an instant (dossier 2.12).
pub(super) fn stamp(ms: i64) -> String {
    let instant = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    instant.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// A date.
pub(super) fn day(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().date_naive().to_string()
}

/// Epoch milliseconds of an instant in any of the accepted spellings.
pub(super) fn parse_stamp(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|instant| instant.timestamp_millis())
}

/// `Date` of an answer.
pub(super) fn http_date(ms: i64) -> String {
    let instant = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    instant.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// RFC 3339 with milliseconds, for the control interface.
pub(super) fn rfc3339(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn percent_decoded(text: &str) -> String {
    // A plus sign in a path is itself.
    let pair = format!("v={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
