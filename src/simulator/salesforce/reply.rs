//! How Salesforce words its answers.

use serde_json::json;

use super::validate::RecordError;
use crate::simulator::reply::Reply;

impl Reply {
    /// JSON as it is.
    pub(super) fn raw_json(body: String) -> Self {
        Self::text(200, "application/json", body)
    }

    /// REST's error body (dossier 0, "Errors").
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!([{ "message": message, "errorCode": code }]))
    }

    /// OAuth's error body (dossier 1.5).
    pub(super) fn oauth_error(error: &str, description: &str) -> Self {
        Self::json(400, &json!({ "error": error, "error_description": description }))
    }

    /// The refusal of one record.
    pub(super) fn refused(error: &RecordError) -> Self {
        Self::json(error.status(), &error.alone())
    }
}
