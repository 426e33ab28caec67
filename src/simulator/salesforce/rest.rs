//! The data API: where each path goes, and discovery (dossier 2).

use chrono::DateTime;
use serde_json::{Map, Value as Json, json};

use super::org::Org;
use super::schema::{OBJECTS, Object, object_named};
use super::{assignment, bulk, collections, composite, picklists, query, records, replication};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Since when the objects are as they are.
const DESCRIBED_MS: i64 = 1_767_225_600_000;

/// Versions that the org serves.
const VERSIONS: std::ops::RangeInclusive<u32> = 31..=67;

/// Answers what is under `/services/data`.
pub(super) fn answer(org: &mut Org, asked: &Asked) -> Reply {
    let Some((version, parts)) = asked.data_path() else {
        return if asked.method == "GET" { Reply::json(200, &versions()) } else { not_allowed() };
    };
    match version_number(version) {
        Some(number) if VERSIONS.contains(&number) => {}
        Some(number) if number < *VERSIONS.start() => {
            return Reply::error(410, "UNSUPPORTED_API_VERSION", "This API version is retired.");
        }
        _ => return not_found(),
    }
    if asked.header("authorization").is_some() && asked.session().is_none() {
        return Reply::error(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE");
    }
    // A session is for the instance that its token named.
    let is_elsewhere = |instance: &String| {
        let address = instance.split("://").last().unwrap_or_default().trim_end_matches('/');
        !asked.header("host").is_some_and(|host| host.eq_ignore_ascii_case(address))
    };
    if org.small.instance.as_ref().is_some_and(is_elsewhere) {
        return Reply::error(401, "INVALID_SESSION_ID", "Session expired or invalid");
    }
    let user = asked.session().and_then(|token| org.user_of(token).map(str::to_owned));
    let Some(user) = user else {
        return Reply::error(401, "INVALID_SESSION_ID", "Session expired or invalid");
    };
    // The rows of a bulk job come as CSV, files as a form.
    let is_form = asked.header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data"));
    let is_upload = match (asked.method.as_str(), parts.as_slice()) {
        ("PUT", ["jobs", ..]) => true,
        ("POST", ["sobjects", _]) => is_form,
        _ => false,
    };
    if !is_upload && !asked.body.is_empty() && !asked.is_json() {
        let message = "The content type of the body is not supported: application/json is.";
        return Reply::error(415, "UNSUPPORTED_MEDIA_TYPE", message);
    }
    route(org, asked, version, &parts, &user)
}

/// Answers one path for a signed-in person; composite calls come here again.
pub(super) fn route(org: &mut Org, asked: &Asked, version: &str, parts: &[&str], user: &str) -> Reply {
    if let Err(refused) = assignment::asked_for(asked, &org.small.rules) {
        return refused;
    }
    let method = asked.effective_method();
    match (method.as_str(), parts) {
        ("GET", []) => Reply::json(200, &resources(asked, version, user)),
        ("GET", ["limits"]) => Reply::json(200, &limits(org)),
        ("GET", ["sobjects"]) => described(asked, describe_global(version).to_string()),
        ("GET", ["query"]) => query::first(org, asked, version, false, user),
        ("GET", ["queryAll"]) => query::first(org, asked, version, true, user),
        ("GET", ["query" | "queryAll", locator]) => query::more(org, version, locator),
        (_, ["jobs", rest @ ..]) => bulk::answer(org, asked, version, &method, rest, user),
        (_, ["composite", "sobjects", rest @ ..]) => collections::answer(org, asked, &method, rest, user),
        ("GET", ["composite"]) => Reply::json(200, &composite_resources(version)),
        (_, ["composite", rest @ ..]) => composite::answer(org, asked, version, &method, rest, user),
        ("GET", ["ui-api", "object-info", name, "picklist-values", kind, rest @ ..]) if rest.len() < 2 => {
            let hidden = &org.security_of(user).hidden;
            let of = |object| picklists::answer(object, kind, rest.first().copied(), version, hidden);
            object_named(name).map_or_else(not_found, of)
        }
        (_, ["sobjects", name, rest @ ..]) => match object_named(name) {
            Some(object) => of_object(org, asked, version, &method, object, rest, user),
            None => not_found(),
        },
        (_, [] | ["limits" | "sobjects" | "query" | "queryAll"] | ["query" | "queryAll", _]) => not_allowed(),
        _ => not_found(),
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
        ("GET", ["describe"]) => {
            let describe = org.security_of(user).described(object, object.describe(version));
            described(asked, describe)
        }
        ("GET", []) => Reply::json(200, &json!({ "objectDescribe": object.outline(version), "recentItems": [] })),
        ("GET", ["deleted"]) => replication::answer(org, asked, object, true),
        ("GET", ["updated"]) => replication::answer(org, asked, object, false),
        (_, ["describe" | "deleted" | "updated"]) => not_allowed(),
        _ => records::answer(org, asked, version, method, object, rest, user),
    }
}

/// A describe, unless the client has it already: it has not changed since the org was made.
fn described(asked: &Asked, body: String) -> Reply {
    let since = asked.header("if-modified-since").and_then(http_instant);
    if since.is_some_and(|since| since >= DESCRIBED_MS) {
        return Reply::empty(304);
    }
    Reply::raw_json(body).with("last-modified", http_date(DESCRIBED_MS))
}

/// The answer to a path that leads nowhere.
pub(super) fn not_found() -> Reply {
    Reply::error(404, "NOT_FOUND", "The requested resource does not exist")
}

/// The answer to a method that a resource does not have.
pub(super) fn not_allowed() -> Reply {
    Reply::error(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed.")
}

fn versions() -> Json {
    let seasons = ["Spring", "Summer", "Winter"];
    let version = |number: u32| {
        // Winter releases carry the coming year.
        let year = number / 3 + if number % 3 == 2 { 5 } else { 4 };
        let label = format!("{} '{year}", seasons[(number % 3) as usize]);
        json!({ "label": label, "url": format!("/services/data/v{number}.0"), "version": format!("{number}.0") })
    };
    VERSIONS.map(version).collect()
}

/// The number of `v62.0`.
pub(super) fn version_number(text: &str) -> Option<u32> {
    text.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()
}

fn resources(asked: &Asked, version: &str, user: &str) -> Json {
    let names = ["sobjects", "query", "queryAll", "limits", "composite", "jobs", "ui-api"];
    let mut resources: Map<String, Json> =
        names.iter().map(|name| ((*name).to_owned(), json!(format!("/services/data/{version}/{name}")))).collect();
    let identity = format!("{}/id/{}/{user}", asked.origin(), super::oauth::ORG_ID);
    resources.insert("identity".to_owned(), json!(identity));
    Json::Object(resources)
}

fn composite_resources(version: &str) -> Json {
    let path = format!("/services/data/{version}/composite");
    json!({
        "tree": format!("{path}/tree"),
        "batch": format!("{path}/batch"),
        "sobjects": format!("{path}/sobjects"),
        "graph": format!("{path}/graph"),
    })
}

fn limits(org: &Org) -> Json {
    let recorded: Json = serde_json::from_str(include_str!("describe/limits.json")).unwrap_or_default();
    let mut limits = recorded.get("limits").cloned().unwrap_or(json!({}));
    let allowed = org.small.limits.daily.unwrap_or(5_000_000);
    limits["DailyApiRequests"] = json!({ "Max": allowed, "Remaining": allowed.saturating_sub(org.small.used_today) });
    limits
}

fn describe_global(version: &str) -> Json {
    let recorded = include_str!("describe/describe_global.json")
        .replace("v{version}", version)
        .replace("{version}", version.trim_start_matches('v'));
    let recorded: Json = serde_json::from_str(&recorded).unwrap_or_default();
    let entries = recorded.get("sobjects").and_then(Json::as_array).cloned().unwrap_or_default();
    let like = entries.first().and_then(Json::as_object).cloned().unwrap_or_default();
    let known: Vec<Json> = OBJECTS
        .iter()
        .map(|object| {
            let recorded = entries.iter().find(|entry| entry.get("name") == Some(&json!(object.name)));
            recorded.cloned().unwrap_or_else(|| object.entry(version, &like))
        })
        .collect();
    json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": known })
}

/// The members of a JSON object body, or the refusal of what is none.
pub(super) fn members(asked: &Asked) -> Result<Map<String, Json>, Reply> {
    match serde_json::from_slice(&asked.body) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(malformed_json("Cannot deserialize the body: it is not a JSON object at [line:1, column:1]")),
        Err(error) => {
            Err(malformed_json(&format!("{} at [line:{}, column:{}]", reason(&error), error.line(), error.column())))
        }
    }
}

/// The answer to a body that cannot be read.
pub(super) fn malformed_json(message: &str) -> Reply {
    Reply::error(400, "JSON_PARSER_ERROR", message)
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
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

/// The instant of a header such as `If-Modified-Since`.
pub(super) fn http_instant(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc2822(text).ok().map(|instant| instant.timestamp_millis())
}

/// `Date` of an answer.
pub(super) fn http_date(ms: i64) -> String {
    let instant = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    instant.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
