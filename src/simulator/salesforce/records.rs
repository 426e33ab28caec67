//! Single records (dossier 2.5, 2.9).

use serde_json::{Map, json};
use sha2::{Digest, Sha256};

use super::files;
use super::ids::Id;
use super::org::Org;
use super::rest::{http_date, http_instant, members, not_allowed, not_found, version_number};
use super::rows::Rows;
use super::schema::{Field, Object};
use super::soql;
use super::world::Record;
use crate::simulator::asked::{Asked, decoded};
use crate::simulator::reply::Reply;

/// From this version on an update by external id tells what it did.
const UPSERT_ANSWERS_SINCE: u32 = 46;

/// Answers what is below one object.
pub(super) fn answer(
    org: &mut Org,
    asked: &Asked,
    version: &str,
    method: &str,
    object: &'static Object,
    rest: &[&str],
    user: &str,
) -> Reply {
    match (method, rest) {
        ("POST", []) => create(org, asked, version, object, user),
        ("GET", [id]) => retrieve(org, asked, version, object, id, user),
        ("PATCH", [id]) => update(org, asked, object, id, user),
        ("DELETE", [id]) => delete(org, object, id, user),
        (_, [field, value]) => match key_field(object, field) {
            Some(field) => by_key(org, asked, version, method, object, field, &decoded(value), user),
            None => related(org, asked, version, method, object, field, value, user),
        },
        (_, [] | [_]) => not_allowed(),
        _ => not_found(),
    }
}

fn create(org: &mut Org, asked: &Asked, version: &str, object: &'static Object, user: &str) -> Reply {
    let given = match files::given(asked, object) {
        Ok(given) => given,
        Err(reply) => return reply,
    };
    let by = org.asking(asked, user);
    match org.world.create(object, &given, &by) {
        Ok(id) => {
            let place = format!("/services/data/{version}/sobjects/{}/{id}", object.name);
            Reply::json(201, &json!({ "id": id, "success": true, "errors": [] })).with("location", place)
        }
        Err(error) => Reply::refused(&error),
    }
}

fn retrieve(org: &Org, asked: &Asked, version: &str, object: &'static Object, id: &str, user: &str) -> Reply {
    let Some(record) = org.world.record(object, id).filter(|record| !record.deleted) else { return not_found() };
    if let Some(refused) = precondition(asked, object, record) {
        return refused;
    }
    let text = match asked.query("fields") {
        Some(fields) => format!("SELECT {fields} FROM {}", object.name),
        None => format!("SELECT FIELDS(ALL) FROM {} LIMIT 1", object.name),
    };
    let hidden = &org.security_of(user).hidden;
    let columns = soql::parse(&text).and_then(|statement| soql::columns(object, &statement.hiding(hidden)));
    let columns = match columns {
        Ok(columns) => columns,
        Err(error) => return Reply::error(400, "INVALID_FIELD", &error.message),
    };
    let mut body = String::new();
    Rows::new(&org.world, version, org.now()).write(&mut body, object, record, &columns);
    let reply = Reply::raw_json(body).with("last-modified", http_date(record.modified));
    if object.name == "Account" { reply.with("etag", etag(record)) } else { reply }
}

fn update(org: &mut Org, asked: &Asked, object: &'static Object, id: &str, user: &str) -> Reply {
    let given = match members(asked) {
        Ok(given) => given,
        Err(reply) => return reply,
    };
    if given.keys().any(|name| name.eq_ignore_ascii_case("id")) {
        let message = "The Id field should not be specified in the sobject data.";
        return Reply::error(400, "INVALID_FIELD", message);
    }
    if let Some(refused) = org.world.record(object, id).and_then(|record| precondition(asked, object, record)) {
        return refused;
    }
    let by = org.asking(asked, user);
    match org.world.update(object, id, &given, &by) {
        Ok(_) => Reply::empty(204),
        Err(error) => Reply::refused(&error),
    }
}

fn delete(org: &mut Org, object: &'static Object, id: &str, user: &str) -> Reply {
    let by = org.by(user);
    match org.world.delete(object, id, &by) {
        Ok(_) => Reply::empty(204),
        Err(error) => Reply::refused(&error),
    }
}

/// What a conditional request is answered with where its condition is not met.
fn precondition(asked: &Asked, object: &Object, record: &Record) -> Option<Reply> {
    let failed = || Reply::error(412, "PRECONDITION_FAILED", "A precondition in the headers is not met.");
    let reading = asked.effective_method() == "GET";
    for (name, met_when_newer) in [("if-modified-since", true), ("if-unmodified-since", false)] {
        let Some(text) = asked.header(name) else { continue };
        let Some(at) = http_instant(text) else {
            return Some(Reply::error(400, "INVALID_HEADER", &format!("{name} is no date.")));
        };
        if (record.modified > at) != met_when_newer {
            return Some(if met_when_newer && reading { Reply::empty(304) } else { failed() });
        }
    }
    if object.name != "Account" {
        return None;
    }
    let own = etag(record);
    let names = |header: &str| header == "*" || header.split(',').any(|tag| tag.trim() == own);
    if asked.header("if-match").is_some_and(|header| !names(header)) {
        return Some(failed());
    }
    if asked.header("if-none-match").is_some_and(names) {
        return Some(if reading { Reply::empty(304) } else { failed() });
    }
    None
}

fn etag(record: &Record) -> String {
    let digest = Sha256::digest(format!("{}:{}:{:?}", record.id, record.stamp, record.fields));
    let digits: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}--gzip\"")
}

/// The field that records may be addressed by, if it is one.
fn key_field<'o>(object: &'o Object, name: &str) -> Option<&'o Field> {
    object.field(name).filter(|field| field.external_id || field.name == "Id")
}

fn by_key(
    org: &mut Org,
    asked: &Asked,
    version: &str,
    method: &str,
    object: &'static Object,
    field: &Field,
    value: &str,
    user: &str,
) -> Reply {
    let found = match *org.world.all_by_key(object, field, value).as_slice() {
        [] => None,
        [id] => Some(id),
        ref several => {
            let url = |id: &Id| json!(format!("/services/data/{version}/sobjects/{}/{id}", object.name));
            return Reply::json(300, &several.iter().map(url).collect());
        }
    };
    match (method, found) {
        ("GET", Some(id)) => retrieve(org, asked, version, object, &id, user),
        ("DELETE", Some(id)) => delete(org, object, &id, user),
        ("PATCH", found) => upsert(org, asked, version, object, field, value, found, user),
        ("GET" | "DELETE", None) => not_found(),
        _ => not_allowed(),
    }
}

fn upsert(
    org: &mut Org,
    asked: &Asked,
    version: &str,
    object: &'static Object,
    field: &Field,
    value: &str,
    found: Option<Id>,
    user: &str,
) -> Reply {
    let mut given = match members(asked) {
        Ok(given) => given,
        Err(reply) => return reply,
    };
    if let Some(name) =
        given.keys().find(|name| name.eq_ignore_ascii_case(&field.name) || name.eq_ignore_ascii_case("id"))
    {
        let message = format!("The {name} field should not be specified in the sobject data.");
        return Reply::error(400, "INVALID_FIELD", &message);
    }
    let only_update = asked.query("updateOnly").is_some_and(|only| only.eq_ignore_ascii_case("true"));
    let by = org.asking(asked, user);
    match found {
        Some(id) => match org.world.update(object, &id, &given, &by) {
            Ok(_) if version_number(version).is_some_and(|version| version < UPSERT_ANSWERS_SINCE) => Reply::empty(204),
            Ok(id) => Reply::json(200, &json!({ "id": id, "success": true, "errors": [], "created": false })),
            Err(error) => Reply::refused(&error),
        },
        None if only_update || field.name == "Id" => not_found(),
        None => {
            given.insert(field.name.clone(), json!(value));
            match org.world.create(object, &given, &by) {
                Ok(id) => Reply::json(201, &json!({ "id": id, "success": true, "errors": [], "created": true })),
                Err(error) => Reply::refused(&error),
            }
        }
    }
}

/// `Contact/003…/Account`: what a record refers to, read or changed (dossier 2.5).
fn related(
    org: &mut Org,
    asked: &Asked,
    version: &str,
    method: &str,
    object: &'static Object,
    id: &str,
    name: &str,
    user: &str,
) -> Reply {
    if Id::parse(id).is_none() {
        let message = format!("Provided external ID field does not exist or is not accessible: {id}");
        return Reply::error(404, "NOT_FOUND", &message);
    }
    if !matches!(method, "GET" | "PATCH") {
        return not_allowed();
    }
    if method == "GET"
        && let Some(bytes) = files::answer(&org.world, object, id, name)
    {
        return bytes;
    }
    let Some(record) = org.world.record(object, id).filter(|record| !record.deleted) else { return not_found() };
    let parent = object.fields.iter().find(|field| {
        field.relationship.as_deref().is_some_and(|relationship| relationship.eq_ignore_ascii_case(name))
    });
    let Some(parent) = parent.and_then(|field| soql::reference(record, field)) else {
        return not_found();
    };
    match org.world.find(&parent).map(|(object, _)| object) {
        Some(object) if method == "PATCH" => update(org, asked, object, &parent, user),
        Some(object) => retrieve(org, asked, version, object, &parent, user),
        None => not_found(),
    }
}

/// The id in a record of a collection.
pub(super) fn id_in(given: &Map<String, serde_json::Value>) -> Option<&str> {
    given.iter().find(|(name, _)| name.eq_ignore_ascii_case("id")).and_then(|(_, id)| id.as_str())
}
