//! Several requests in one call (dossier 2.7).

use serde_json::{Map, Value as Json, json};

use super::org::Org;
use super::reply::Reply;
use super::request::Asked;
use super::rest::{malformed_json, members, route};

/// Requests of one call, and how many of them may be queries or collections.
const MOST: (usize, usize) = (25, 5);

/// Answers `POST composite`.
pub(super) fn answer(org: &mut Org, asked: &Asked, version: &str, user: &str) -> Reply {
    let Some(body) = members(asked) else { return malformed_json() };
    let Some(requests) = body.get("compositeRequest").and_then(Json::as_array) else { return malformed_json() };
    let heavy = requests.iter().filter(|request| is_heavy(request)).count();
    if requests.len() > MOST.0 || heavy > MOST.1 {
        let message =
            format!("Limit reached: at most {} subrequests, {} of them queries or collections", MOST.0, MOST.1);
        return Reply::error(400, "LIMIT_EXCEEDED", &message);
    }
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or(false);
    let mut answers: Map<String, Json> = Map::new();
    let mut responses = Vec::new();
    let mut halted = false;
    for request in requests {
        let reference = request.get("referenceId").and_then(Json::as_str).unwrap_or_default().to_owned();
        let reply = if halted {
            Reply::error(
                400,
                "PROCESSING_HALTED",
                "The transaction was rolled back since another operation in the same transaction failed.",
            )
        } else {
            one(org, asked, version, user, request, &answers)
        };
        halted |= all_or_none && reply.status >= 400;
        let answer: Json = serde_json::from_str(&reply.body).unwrap_or(Json::Null);
        answers.insert(reference.clone(), answer.clone());
        responses.push(
            json!({ "body": answer, "httpHeaders": {}, "httpStatusCode": reply.status, "referenceId": reference }),
        );
    }
    Reply::json(200, &json!({ "compositeResponse": responses }))
}

fn one(org: &mut Org, asked: &Asked, version: &str, user: &str, request: &Json, answers: &Map<String, Json>) -> Reply {
    let text = |name: &str| request.get(name).and_then(Json::as_str).unwrap_or_default();
    let address = substituted(text("url"), answers);
    let body = request.get("body").map(|body| substituted(&body.to_string(), answers)).unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((&address, ""));
    let inner = Asked {
        method: text("method").to_uppercase(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: asked.headers.clone(),
        body: body.into_bytes(),
    };
    match inner.data_path() {
        Some((_, parts)) if parts != ["composite"] => route(org, &inner, version, &parts, user),
        _ => Reply::error(404, "NOT_FOUND", "The requested resource does not exist"),
    }
}

fn is_heavy(request: &Json) -> bool {
    let url = request.get("url").and_then(Json::as_str).unwrap_or_default();
    url.contains("/query") || url.contains("/composite/sobjects")
}

/// Puts answers of former requests in place of `@{reference.member}`.
fn substituted(text: &str, answers: &Map<String, Json>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        result.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            result.push_str("@{");
            rest = after;
            continue;
        };
        let mut parts = name.split('.');
        let found = parts.next().and_then(|reference| answers.get(reference));
        let value = parts.fold(found.cloned(), |value, part| value?.get(part).cloned());
        match value {
            Some(Json::String(text)) => result.push_str(&text),
            Some(value) => result.push_str(&value.to_string()),
            None => result.push_str(&format!("@{{{name}}}")),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}
