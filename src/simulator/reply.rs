//! What a request is answered with.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::Value as Json;

/// An answer before it becomes HTTP.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub status: u16,
    pub body: String,
    /// What is no text; it is sent where `body` is empty.
    pub bytes: Vec<u8>,
    /// JSON and HTML get the CRM's spelling of their character set when they are sent.
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// JSON.
    pub(super) fn json(status: u16, body: &Json) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// HTML.
    pub(super) fn html(status: u16, body: impl Into<String>) -> Self {
        Self::text(status, "text/html", body.into())
    }

    /// Nothing but a status.
    pub(super) fn empty(status: u16) -> Self {
        Self::text(status, "", String::new())
    }

    /// On to another address.
    pub(super) fn redirect(to: String) -> Self {
        Self::empty(302).with("location", to)
    }

    /// Any text.
    pub(super) fn text(status: u16, content_type: &'static str, body: String) -> Self {
        Reply { status, body, bytes: Vec::new(), content_type, headers: Vec::new() }
    }

    /// A file.
    pub(super) fn bytes(content_type: &'static str, bytes: Vec<u8>) -> Self {
        Reply { bytes, ..Self::text(200, content_type, String::new()) }
    }

    /// The same with one more header.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// As HTTP; `charset` as the CRM spells it.
    pub(super) fn into_response(self, charset: &str) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::builder().status(status);
        response = match self.content_type {
            "" => response,
            kind @ ("application/json" | "text/html") => {
                response.header(header::CONTENT_TYPE, format!("{kind};charset={charset}"))
            }
            kind => response.header(header::CONTENT_TYPE, kind),
        };
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = if self.body.is_empty() { Body::from(self.bytes) } else { Body::from(self.body) };
        response.body(body).unwrap_or_default()
    }
}
