//! What a request is answered with.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::validate::RecordError;

/// An answer before it becomes HTTP.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub status: u16,
    pub body: String,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Json) -> Self {
        Self::text(status, "application/json;charset=UTF-8", body.to_string())
    }

    pub(super) fn raw_json(body: String) -> Self {
        Self::text(200, "application/json;charset=UTF-8", body)
    }

    pub(super) fn html(status: u16, body: impl Into<String>) -> Self {
        Self::text(status, "text/html;charset=UTF-8", body.into())
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::text(status, "", String::new())
    }

    pub(super) fn redirect(to: String) -> Self {
        Self::empty(302).with("location", to)
    }

    /// REST's error body (dossier 0, "Errors").
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!([{ "message": message, "errorCode": code }]))
    }

    /// OAuth's error body (dossier 1.5).
    pub(super) fn oauth_error(error: &str, description: &str) -> Self {
        Self::json(400, &json!({ "error": error, "error_description": description }))
    }

    pub(super) fn refused(error: &RecordError) -> Self {
        Self::json(error.status(), &error.alone())
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn text(status: u16, content_type: &'static str, body: String) -> Self {
        Reply { status, body, content_type, headers: Vec::new() }
    }

    pub(super) fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::builder().status(status);
        if !self.content_type.is_empty() {
            response = response.header(header::CONTENT_TYPE, self.content_type);
        }
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).unwrap_or_default()
    }
}
