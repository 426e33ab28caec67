//! Graphs of requests, each applied whole or not at all (dossier 2.7).

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::{carried_out, named_once, text, written};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;
use crate::simulator::salesforce::org::Org;
use crate::simulator::salesforce::rest::{malformed_json, members, not_found, version_number};

/// Graphs of one call, and requests of all of them.
const MOST: (usize, usize) = (75, 500);

/// Requests of a graph that may wait for one another in a row.
const DEEPEST: usize = 15;

/// From this version on there are graphs.
const SINCE: u32 = 50;

/// Answers `POST composite/graph`.
pub(super) fn answer(org: &mut Org, asked: &Asked, version: &str, user: &str) -> Reply {
    if version_number(version).is_none_or(|number| number < SINCE) {
        return not_found();
    }
    let body = match members(asked) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let Some(graphs) = body.get("graphs").and_then(Json::as_array) else {
        return malformed_json("The Value for field graphs is missing or no array");
    };
    if let Err(reply) = checked(graphs) {
        return reply;
    }
    let mut results = String::new();
    for graph in graphs {
        let replies = carried_out(org, asked, version, user, requests(graph), true);
        let is_successful = replies.iter().all(|(_, reply)| reply.status < 400);
        if !results.is_empty() {
            results.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(
            results,
            "{{\"graphId\":{},\"graphResponse\":{},\"isSuccessful\":{is_successful}}}",
            json!(text(graph, "graphId")),
            written(&replies)
        );
    }
    Reply::raw_json(format!("{{\"graphs\":[{results}]}}"))
}

fn checked(graphs: &[Json]) -> Result<(), Reply> {
    let nodes: usize = graphs.iter().map(|graph| requests(graph).len()).sum();
    if graphs.len() > MOST.0 || nodes > MOST.1 {
        let message = format!("Limit reached: at most {} graphs with {} nodes in all", MOST.0, MOST.1);
        return Err(Reply::error(400, "LIMIT_EXCEEDED", &message));
    }
    let mut names = std::collections::HashSet::new();
    for graph in graphs {
        let name = text(graph, "graphId");
        if name.is_empty() || !names.insert(name) {
            return Err(malformed_json(&format!("graphId '{name}' must be given and occur once")));
        }
        if !graph.get("compositeRequest").is_some_and(Json::is_array) {
            return Err(malformed_json("The Value for field compositeRequest is missing or no array"));
        }
        named_once(requests(graph))?;
        if depth(requests(graph)) > DEEPEST {
            let message = format!("Limit reached: at most {DEEPEST} requests of a graph refer to one another in a row");
            return Err(Reply::error(400, "LIMIT_EXCEEDED", &message));
        }
        if let Some(request) = requests(graph).iter().find(|request| !is_of_records(request)) {
            let message = format!("A graph takes requests on sobjects only: {}", text(request, "url"));
            return Err(Reply::error(400, "INVALID_INPUT", &message));
        }
    }
    Ok(())
}

/// How many requests in a row refer to one another: to the ones before them.
fn depth(requests: &[Json]) -> usize {
    let mut depths: Vec<(String, usize)> = Vec::with_capacity(requests.len());
    for request in requests {
        let written = request.to_string();
        let named = depths.iter().filter(|(reference, _)| written.contains(reference)).map(|(_, depth)| *depth);
        let own = named.max().unwrap_or_default() + 1;
        depths.push((format!("@{{{}.", text(request, "referenceId")), own));
    }
    depths.iter().map(|(_, depth)| *depth).max().unwrap_or_default()
}

fn requests(graph: &Json) -> &[Json] {
    graph.get("compositeRequest").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a request is for records: a create, or one by id or external id.
fn is_of_records(request: &Json) -> bool {
    let path = text(request, "url").split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).skip(3).collect();
    match parts.as_slice() {
        ["sobjects", _] => text(request, "method").eq_ignore_ascii_case("POST"),
        ["sobjects", _, "describe" | "updated" | "deleted"] => false,
        ["sobjects", _, _] | ["sobjects", _, _, _] => true,
        _ => false,
    }
}
