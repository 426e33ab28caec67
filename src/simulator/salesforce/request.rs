//! A request, read to its end, and the operation that it counts as.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// A request.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Asked {
    /// Parameters of the address.
    pub(super) fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// A parameter of the address.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.query_pairs().find(|(given, _)| given == name).map(|(_, value)| value)
    }

    /// A member of a form body.
    pub(super) fn form(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(&self.body).find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
    }

    /// The JSON body of the control interface.
    pub(super) fn json(&self) -> Option<Json> {
        serde_json::from_slice(&self.body).ok()
    }

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

    /// Its address as a person may see it: without what a token endpoint is told.
    pub(super) fn shown(&self) -> String {
        if self.query.is_empty() || self.is_consent() || self.path.starts_with("/id/") {
            return self.path.clone();
        }
        format!("{}?{}", self.path, self.query.chars().take(120).collect::<String>())
    }

    /// Whether it is for the page where a person allows or denies.
    pub(super) fn is_consent(&self) -> bool {
        self.path == "/services/oauth2/authorize"
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token.
    pub(super) fn bearer(&self) -> Option<String> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth");
        known.then(|| token.trim().to_owned())
    }

    /// Client id and secret by HTTP Basic.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let coded = self.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(coded).ok()?).ok()?;
        text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
    }

    /// Scheme and host that the request was sent to.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or("127.0.0.1"))
    }

    /// The path's parts after the API version, and the version, where it is a data path.
    pub(super) fn data_path(&self) -> Option<(&str, Vec<&str>)> {
        let rest = self.path.strip_prefix("/services/data/")?;
        let mut parts = rest.split('/').filter(|part| !part.is_empty());
        let version = parts.next()?;
        Some((version, parts.collect()))
    }

    /// The operation that the statistics count it as (the control interface's list).
    pub(super) fn operation(&self) -> &'static str {
        if self.path.starts_with("/services/oauth2/") {
            return if self.path.ends_with("/userinfo") { "identity" } else { "token" };
        }
        if self.path.starts_with("/id/") {
            return "identity";
        }
        let Some((_, parts)) = self.data_path() else { return "other" };
        let method = self.effective_method();
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
}
