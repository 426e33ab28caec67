//! Independent requests in one call (dossier 2.7).

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{binary, embedded, inner, is_binary, is_composite, text};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;
use crate::simulator::salesforce::org::Org;
use crate::simulator::salesforce::rest::{malformed_json, members, not_found, route};

/// Requests of one call.
const MOST: usize = 25;

/// Answers `POST composite/batch`.
pub(super) fn answer(org: &mut Org, asked: &Asked, user: &str) -> Reply {
    let body = match members(asked) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    if body.get("haltOnError").is_some_and(|value| !value.is_boolean() && !value.is_null()) {
        return malformed_json("haltOnError must be true or false");
    }
    let halts = body.get("haltOnError").and_then(Json::as_bool).unwrap_or(false);
    let Some(requests) = body.get("batchRequests").and_then(Json::as_array) else {
        return malformed_json("The Value for field batchRequests is missing or no array");
    };
    if requests.len() > MOST {
        return Reply::error(400, "LIMIT_EXCEEDED", &format!("Limit reached: at most {MOST} subrequests"));
    }
    let mut has_errors = false;
    let mut results = String::new();
    for request in requests {
        let reply = if has_errors && halts { halted() } else { one(org, asked, user, request) };
        has_errors |= reply.status >= 400;
        if !results.is_empty() {
            results.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(results, "{{\"statusCode\":{},\"result\":{}}}", reply.status, embedded(&reply));
    }
    Reply::raw_json(format!("{{\"hasErrors\":{has_errors},\"results\":[{results}]}}"))
}

fn one(org: &mut Org, asked: &Asked, user: &str, request: &Json) -> Reply {
    let url = text(request, "url");
    // The address begins with the version, or is the whole path.
    let address = if url.starts_with("/services/data/") {
        url.to_owned()
    } else {
        format!("/services/data/{}", url.trim_start_matches('/'))
    };
    let inner = inner(asked, text(request, "method"), &address, request.get("richInput"));
    match inner.data_path() {
        Some((_, parts)) if is_binary(&parts) => binary(),
        Some((version, parts)) if !is_composite(&parts) => route(org, &inner, version, &parts, user),
        _ => not_found(),
    }
}

fn halted() -> Reply {
    Reply::error(412, "BATCH_PROCESSING_HALTED", "Batch request processing halted.")
}
