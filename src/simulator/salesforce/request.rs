//! What Salesforce reads in a request, and the operation that it counts as.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::simulator::asked::Asked;

impl Asked {
    /// Whether the body says that it is JSON, or nothing.
    pub(super) fn is_json(&self) -> bool {
        self.header("content-type").is_none_or(|kind| kind.to_ascii_lowercase().contains("json"))
    }

    /// The method, or the one that a POST carries in its address.
    pub(super) fn effective_method(&self) -> String {
        match (self.method.as_str(), self.query("_HttpMethod")) {
            ("POST", Some(method)) => method.to_uppercase(),
            (method, _) => method.to_owned(),
        }
    }

    /// The access token.
    pub(super) fn session(&self) -> Option<&str> {
        self.token(&["bearer", "oauth"])
    }

    /// Client id and secret by HTTP Basic.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let coded = self.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(coded).ok()?).ok()?;
        text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
    }

    /// The path's parts after the API version, and the version, where it is a data path.
    pub(super) fn data_path(&self) -> Option<(&str, Vec<&str>)> {
        let rest = self.path.strip_prefix("/services/data/")?;
        let mut parts = rest.split('/').filter(|part| !part.is_empty());
        let version = parts.next()?;
        Some((version, parts.collect()))
    }
}

/// The operation that the statistics count a request as (the control interface's list).
pub(super) fn operation(asked: &Asked) -> &'static str {
    if asked.path.starts_with("/services/oauth2/") {
        return if asked.path.ends_with("/userinfo") { "identity" } else { "token" };
    }
    if asked.path.starts_with("/id/") {
        return "identity";
    }
    let Some((_, parts)) = asked.data_path() else { return "other" };
    let method = asked.effective_method();
    let method = method.as_str();
    match parts.as_slice() {
        ["query" | "queryAll"] => "query",
        ["query" | "queryAll", _] => "query_more",
        ["limits"] => "limits",
        ["jobs", kind, rest @ ..] => match (*kind, rest) {
            ("query", [_, "results" | "resultPages"]) => "bulk_query_results",
            ("query", _) => "bulk_query_job",
            (_, [_, "batches"]) => "bulk_ingest_upload",
            _ => "bulk_ingest_job",
        },
        ["sobjects"] | ["sobjects", _, "describe"] => "describe",
        ["sobjects", _, "updated"] => "updated",
        ["sobjects", _, "deleted"] => "deleted",
        ["composite"] | ["composite", "batch" | "graph"] | ["composite", "tree", _] => "composite",
        ["composite", "sobjects"] => match method {
            "POST" => "collections_create",
            "PATCH" => "collections_update",
            "DELETE" => "collections_delete",
            _ => "collections_retrieve",
        },
        ["composite", "sobjects", _] => "collections_retrieve",
        ["composite", "sobjects", _, _] => "collections_upsert",
        ["sobjects", _] => {
            if method == "POST" {
                "create"
            } else {
                "describe"
            }
        }
        ["sobjects", _, _] => match method {
            "PATCH" => "update",
            "DELETE" => "delete",
            _ => "retrieve",
        },
        ["sobjects", _, _, _] => match method {
            "PATCH" => "upsert",
            "DELETE" => "delete",
            _ => "retrieve",
        },
        _ => "other",
    }
}
