//! Several requests in one call (dossier 2.7): with references to each other, independent ones, graphs, trees of records.

mod batch;
mod graph;
mod tree;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Map, Value as Json, json};

use super::org::Org;
use super::rest::{malformed_json, members, not_allowed, not_found, route};
use super::schema::object_named;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Requests of one call, and how many of them may be queries or collections.
const MOST: (usize, usize) = (25, 5);

/// Answers that later requests may refer to.
type Answers = HashMap<String, Json>;

/// Answers what is under `composite`, collections excepted.
pub(super) fn answer(org: &mut Org, asked: &Asked, version: &str, method: &str, rest: &[&str], user: &str) -> Reply {
    match (method, rest) {
        ("POST", []) => composite(org, asked, version, user),
        ("POST", ["batch"]) => batch::answer(org, asked, user),
        ("POST", ["graph"]) => graph::answer(org, asked, version, user),
        ("POST", ["tree", object]) => tree::answer(org, asked, object, user),
        (_, [] | ["batch" | "graph"] | ["tree", _]) => not_allowed(),
        _ => not_found(),
    }
}

fn composite(org: &mut Org, asked: &Asked, version: &str, user: &str) -> Reply {
    let body = match members(asked) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let requests = match checked(&body) {
        Ok(requests) => requests,
        Err(reply) => return reply,
    };
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or(false);
    Reply::raw_json(written(&carried_out(org, asked, version, user, requests, all_or_none)))
}

/// The answers to requests that may refer to each other; with all or none, one failure takes everything back.
fn carried_out(
    org: &mut Org,
    asked: &Asked,
    version: &str,
    user: &str,
    requests: &[Json],
    all_or_none: bool,
) -> Vec<(String, Reply)> {
    let before = org.world.savepoint();
    let referred = json!(requests).to_string();
    let mut answers = Answers::new();
    let mut failed = None;
    let mut replies: Vec<(String, Reply)> = Vec::with_capacity(requests.len());
    for (place, request) in requests.iter().enumerate() {
        let reference = text(request, "referenceId").to_owned();
        let reply = if failed.is_some() { halted() } else { one(org, asked, version, user, request, &answers) };
        if all_or_none && reply.status >= 400 && failed.is_none() {
            failed = Some(place);
        }
        // Most answers are never referred to: those are not read again.
        if referred.contains(&format!("@{{{reference}")) {
            answers.insert(reference.clone(), serde_json::from_str(&reply.body).unwrap_or(Json::Null));
        }
        replies.push((reference, reply));
    }
    if let Some(failed) = failed {
        org.world.roll_back(before);
        for (_, reply) in replies.iter_mut().enumerate().filter(|(place, _)| *place != failed).map(|(_, reply)| reply) {
            *reply = halted();
        }
    }
    replies
}

fn checked(body: &Map<String, Json>) -> Result<&Vec<Json>, Reply> {
    for name in ["allOrNone", "collateSubrequests"] {
        if body.get(name).is_some_and(|value| !value.is_boolean() && !value.is_null()) {
            return Err(malformed_json(&format!("{name} must be true or false")));
        }
    }
    let Some(requests) = body.get("compositeRequest").and_then(Json::as_array) else {
        return Err(malformed_json("The Value for field compositeRequest is missing or no array"));
    };
    let heavy = requests.iter().filter(|request| is_heavy(request)).count();
    if requests.len() > MOST.0 || heavy > MOST.1 {
        let message =
            format!("Limit reached: at most {} subrequests, {} of them queries or collections", MOST.0, MOST.1);
        return Err(Reply::error(400, "LIMIT_EXCEEDED", &message));
    }
    named_once(requests)?;
    Ok(requests)
}

/// Whether every request has a name of its own.
fn named_once(requests: &[Json]) -> Result<(), Reply> {
    let mut names = HashSet::new();
    for request in requests {
        let name = text(request, "referenceId");
        let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !valid || !names.insert(name) {
            return Err(malformed_json(&format!(
                "referenceId '{name}' must be of letters, digits and underscores, and occur once"
            )));
        }
    }
    Ok(())
}

fn one(org: &mut Org, asked: &Asked, version: &str, user: &str, request: &Json, answers: &Answers) -> Reply {
    let filled = |value: &Json| filled(value, answers);
    let (address, body) = match (filled(&json!(text(request, "url"))), request.get("body").map(filled).transpose()) {
        (Ok(address), Ok(body)) => (address, body),
        (Err(name), _) | (_, Err(name)) => {
            let reference = name.split(['.', '[']).next().unwrap_or_default();
            let message = format!("Invalid reference specified. No value for {name} found in {reference}");
            return Reply::error(400, "PROCESSING_HALTED", &message);
        }
    };
    let mut inner = inner(asked, text(request, "method"), address.as_str().unwrap_or_default(), body.as_ref());
    add_headers(&mut inner, request);
    match inner.data_path() {
        Some((_, parts)) if is_binary(&parts) => binary(),
        Some((_, parts)) if !is_composite(&parts) => route(org, &inner, version, &parts, user),
        _ => not_found(),
    }
}

/// A request within a request.
fn inner(asked: &Asked, method: &str, address: &str, body: Option<&Json>) -> Asked {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    Asked {
        method: method.to_uppercase(),
        path: path.to_owned(),
        // A blank is sent as it is often enough.
        query: query.replace(' ', "%20"),
        headers: asked.headers.clone(),
        body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    }
}

/// Whether a path is of this family, which does not go into itself; collections may.
fn is_composite(parts: &[&str]) -> bool {
    parts.first() == Some(&"composite") && parts.get(1) != Some(&"sobjects")
}

/// A request's own headers; who asks and in what format is said by the call around it.
fn add_headers(inner: &mut Asked, request: &Json) {
    for (name, value) in request.get("httpHeaders").and_then(Json::as_object).into_iter().flatten() {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value.as_str().unwrap_or_default()));
        if let (Ok(name), Ok(value)) = (name, value)
            && ![AUTHORIZATION, ACCEPT, CONTENT_TYPE].contains(&name)
        {
            inner.headers.insert(name, value);
        }
    }
}

/// Whether a path leads to a file's bytes, which are no JSON and cannot stand in another answer.
fn is_binary(parts: &[&str]) -> bool {
    let ["sobjects", object, _, field] = parts else { return false };
    object_named(object).and_then(|object| object.field(field)).is_some_and(|field| field.field_type == "base64")
}

/// The refusal of such a path.
fn binary() -> Reply {
    Reply::error(400, "INVALID_INPUT", "Binary data cannot be retrieved in a composite request.")
}

/// An answer as a member of another: JSON goes in as it is.
fn embedded(reply: &Reply) -> String {
    match reply.body.as_str() {
        "" => "null".to_owned(),
        json if reply.content_type.starts_with("application/json") => json.to_owned(),
        text => json!(text).to_string(),
    }
}

/// The answers in one body.
fn written(replies: &[(String, Reply)]) -> String {
    let mut body = String::from("{\"compositeResponse\":[");
    for (place, (reference, reply)) in replies.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        let inner = embedded(reply);
        let headers: Map<String, Json> = reply
            .headers
            .iter()
            .filter(|(name, _)| *name == "location")
            .map(|(_, value)| ("Location".to_owned(), json!(value)))
            .collect();
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            "{{\"body\":{inner},\"httpHeaders\":{},\"httpStatusCode\":{},\"referenceId\":{}}}",
            Json::Object(headers),
            reply.status,
            json!(reference)
        );
    }
    body.push_str("]}");
    body
}

fn halted() -> Reply {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    Reply::error(400, "PROCESSING_HALTED", message)
}

fn is_heavy(request: &Json) -> bool {
    let url = text(request, "url");
    url.contains("/query") || url.contains("/composite/sobjects")
}

fn text<'r>(request: &'r Json, name: &str) -> &'r str {
    request.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// A value with answers of former requests in place of `@{reference.member}`, or the reference that names nothing.
fn filled(value: &Json, answers: &Answers) -> Result<Json, String> {
    Ok(match value {
        Json::String(text) => json!(substituted(text, answers)?),
        Json::Array(items) => Json::Array(items.iter().map(|item| filled(item, answers)).collect::<Result<_, _>>()?),
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| Ok((name.clone(), filled(value, answers)?)));
            Json::Object(members.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

fn substituted(text: &str, answers: &Answers) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        result.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            result.push_str("@{");
            rest = after;
            continue;
        };
        match named(name, answers) {
            Some(Json::String(text)) => result.push_str(text),
            Some(Json::Null) | None => return Err(name.to_owned()),
            Some(value) => result.push_str(&value.to_string()),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// The value of `account.id` or `found.records[0].Id`.
fn named<'a>(name: &str, answers: &'a Answers) -> Option<&'a Json> {
    let mut parts = name.split(['.', '[', ']']).filter(|part| !part.is_empty());
    let mut value = answers.get(parts.next()?)?;
    for part in parts {
        value = match value {
            Json::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            other => other.get(part)?,
        };
    }
    Some(value)
}
