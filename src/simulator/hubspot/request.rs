//! What HubSpot reads in a request, where its path goes, and the operation that it counts as.

use serde_json::{Map, Value as Json};

use super::files::is_hosted;
use super::journal;
use super::refusal::Refusal;
use crate::simulator::asked::{Asked, decoded};

/// Which family of the API a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Objects,
    Properties,
    Owners,
    Pipelines,
    Associations,
    Schemas,
    Account,
    Files,
    Webhooks,
    Journal,
    JournalSubscriptions,
    JournalSnapshots,
}

/// Which of the trees the path is in: they share one store (dossier 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tree {
    V3,
    V4,
    Dated,
}

/// Where a path goes.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub family: Family,
    pub tree: Tree,
    /// The parts after the family, decoded.
    pub parts: Vec<String>,
}

/// Date-based versions that are served (dossier 0).
const DATED: [&str; 3] = ["2025-09", "2026-03", "2026-09"];

fn tree(part: &str) -> Option<Tree> {
    match part {
        "v3" => Some(Tree::V3),
        "v4" => Some(Tree::V4),
        dated => DATED.contains(&dated).then_some(Tree::Dated),
    }
}

impl Route {
    /// Reads a path; trailing slashes count for nothing.
    pub(super) fn of(path: &str) -> Option<Route> {
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (name, version, rest) = match texts.as_slice() {
            ["crm", "v3", "schemas", rest @ ..] => ("schemas", "v3", rest),
            ["crm-object-schemas", version, "schemas", rest @ ..] => ("schemas", *version, rest),
            ["account-info", version, rest @ ..] => ("account", *version, rest),
            ["files", version, rest @ ..] => ("files", *version, rest),
            ["webhooks", version, rest @ ..] => ("webhooks", *version, rest),
            ["webhooks-journal", "journal" | "journal-local", version, rest @ ..] => ("journal", *version, rest),
            ["webhooks-journal", name @ ("subscriptions" | "snapshots"), version, rest @ ..] => (*name, *version, rest),
            ["crm", version @ ("v3" | "v4"), name, rest @ ..] => (*name, *version, rest),
            ["crm", name, version, rest @ ..] if DATED.contains(version) => (*name, *version, rest),
            _ => return None,
        };
        let tree = tree(version)?;
        let family = match (name, tree) {
            ("objects", _) => Family::Objects,
            ("properties", Tree::V3 | Tree::Dated) => Family::Properties,
            ("owners", Tree::V3 | Tree::Dated) => Family::Owners,
            ("pipelines", Tree::V3 | Tree::Dated) => Family::Pipelines,
            ("associations", _) => Family::Associations,
            ("schemas", _) => Family::Schemas,
            ("account", _) => Family::Account,
            ("files", Tree::V3 | Tree::Dated) => Family::Files,
            ("webhooks", Tree::V3 | Tree::Dated) => Family::Webhooks,
            ("journal", Tree::Dated) => Family::Journal,
            ("subscriptions", Tree::Dated) => Family::JournalSubscriptions,
            ("snapshots", Tree::Dated) => Family::JournalSnapshots,
            _ => return None,
        };
        Some(Route { family, tree, parts: rest.iter().map(|part| (*part).to_owned()).collect() })
    }

    /// The parts as texts.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.parts.iter().map(String::as_str).collect()
    }
}

impl Asked {
    /// A list in the address, repeated or joined by commas (dossier 2.2).
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let lists = self.query_pairs().filter(|(given, _)| given == name).map(|(_, value)| value);
        let one = |list: String| list.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>();
        lists.flat_map(one).filter(|one| !one.is_empty()).collect()
    }

    /// A truth in the address, however it is capitalised.
    pub(super) fn truth(&self, name: &str) -> Result<bool, Refusal> {
        match self.query(name).map(|text| text.to_ascii_lowercase()).as_deref() {
            None | Some("" | "false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::invalid(format!("Invalid value for {name}: a boolean is expected"))),
        }
    }

    /// `limit`, within what the endpoint allows.
    pub(super) fn limit(&self, usual: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.query("limit").filter(|text| !text.is_empty()) else { return Ok(usual) };
        match text.parse::<usize>() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            Ok(limit) => Err(Refusal::invalid(format!("Page size {limit} must be between 1 and {most}"))),
            Err(_) => Err(Refusal::invalid(format!("Unable to parse value for query parameter: limit ({text})"))),
        }
    }

    /// The body as a JSON object.
    pub(super) fn members(&self) -> Result<Map<String, Json>, Refusal> {
        match self.json()? {
            Json::Object(members) => Ok(members),
            _ => Err(Refusal::malformed("Cannot deserialize value of type `object`")),
        }
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Json, Refusal> {
        if self.header("content-type").is_some_and(|kind| !kind.to_ascii_lowercase().contains("json")) {
            return Err(Refusal::new(415, "", "Unsupported Media Type"));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let (line, column) = (error.line(), error.column());
            Refusal::new(400, "", format!("Invalid input JSON on line {line}, column {column}: {reason}"))
        })
    }

    /// The bearer token.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.token(&["bearer"])
    }

    /// The same address from another place in a list (dossier 12.1: absolute, with every parameter).
    pub(super) fn link(&self, after: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.query_pairs().filter(|(name, _)| name != "after"));
        query.append_pair("after", after);
        format!("{}{}?{}", self.origin(), self.path, query.finish())
    }
}

/// The operation that the statistics count a request as (the control interface's list).
pub(super) fn operation(asked: &Asked) -> &'static str {
    if asked.path.starts_with("/oauth/") {
        return "token";
    }
    if is_hosted(asked) {
        return "files";
    }
    if journal::is_hosted(asked) {
        return "webhooks";
    }
    let Some(route) = Route::of(&asked.path) else { return "other" };
    match route.family {
        Family::Objects => object_operation(asked, &route.texts()),
        Family::Associations => {
            let reads = asked.method == "GET" || asked.path.trim_end_matches('/').ends_with("/batch/read");
            if reads { "associations_read" } else { "associations_write" }
        }
        Family::Properties => "properties",
        Family::Owners => "owners",
        Family::Pipelines => "pipelines",
        Family::Account => "account",
        Family::Files => "files",
        Family::Webhooks | Family::Journal | Family::JournalSubscriptions | Family::JournalSnapshots => "webhooks",
        Family::Schemas => "other",
    }
}

fn object_operation(asked: &Asked, parts: &[&str]) -> &'static str {
    match (asked.method.as_str(), parts) {
        ("GET", [_]) => "list",
        (_, [_]) => "create",
        (_, [_, "search"]) => "search",
        (_, [_, "merge"]) => "update",
        (_, [_, "gdpr-delete"]) => "archive",
        (_, [_, "batch", verb]) => match *verb {
            "read" => "batch_read",
            "create" => "batch_create",
            "update" => "batch_update",
            "upsert" => "batch_upsert",
            "archive" => "batch_archive",
            _ => "other",
        },
        ("GET", [_, _, "associations", ..]) => "associations_read",
        (_, [_, _, "associations", ..]) => "associations_write",
        ("GET", [_, _]) => "get",
        ("PATCH", [_, _]) => "update",
        ("DELETE", [_, _]) => "archive",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: &str, path: &str) -> &'static str {
        let asked = Asked { method: method.to_owned(), path: path.to_owned(), ..Asked::default() };
        super::operation(&asked)
    }

    #[test]
    fn both_trees_count_alike() {
        for (method, path, counted) in [
            ("GET", "/crm/v3/objects/contacts", "list"),
            ("GET", "/crm/objects/2026-03/contacts/", "list"),
            ("POST", "/crm/v3/objects/0-1/search", "search"),
            ("PUT", "/crm/v4/objects/contacts/1/associations/companies/2", "associations_write"),
            ("GET", "/crm/objects/2026-09/contacts/1/associations/companies", "associations_read"),
            ("POST", "/crm/associations/2026-03/contacts/companies/batch/read", "associations_read"),
            ("GET", "/crm/v3/owners/", "owners"),
            ("GET", "/account-info/v3/details", "account"),
            ("POST", "/files/2026-03/files", "files"),
            ("GET", "/hubfs/1/a.txt", "files"),
            ("POST", "/webhooks/v3/1/subscriptions", "webhooks"),
            ("GET", "/webhooks/2026-03/1/settings", "webhooks"),
            ("GET", "/webhooks-journal/journal-local/2026-09/batch/earliest/5", "webhooks"),
            ("POST", "/webhooks-journal/subscriptions/2026-03/filters", "webhooks"),
            ("GET", "/webhooks-journal-files/x.json", "webhooks"),
            ("POST", "/oauth/v1/token", "token"),
            ("GET", "/crm/objects/2024-03/contacts", "other"),
        ] {
            assert_eq!(operation(method, path), counted, "{method} {path}");
        }
    }
}
