//! The one public error: `application/problem+json` of RFC 9457.

use serde::{Deserialize, Serialize};

/// Why something was not done, in words for people and with a stable code for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// Address of the kind of problem; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// One sentence what happened, one what to do.
    pub detail: String,
    /// Stable code (`connection_not_ready`, `conflict_moved`, …).
    pub code: String,
    /// Number under which the server's log has the cause; `null` where there is nothing more to know.
    pub incident: Option<String>,
    /// Invalid members of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The current state beside a refusal (a moved conflict).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<serde_json::Value>,
    /// When to try again, seconds; a header of the answer, no member of it.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

/// One invalid member of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Name of the member.
    pub field: String,
    /// What is wrong with it, as a sentence.
    pub message: String,
}

impl Problem {
    /// A problem with the status's own title and nothing more to know.
    pub fn new(status: u16, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem {
            kind: "about:blank".to_owned(),
            title: title_of(status).to_owned(),
            status,
            detail: detail.into(),
            code: code.into(),
            incident: None,
            errors: Vec::new(),
            current: None,
            retry_after_s: None,
        }
    }

    /// Nothing is at this address, or it is another workspace's.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is nothing at this address. Check it, or start from Integrations.")
    }

    /// What is wrong with the member `field`, if anything.
    pub fn field(&self, field: &str) -> Option<String> {
        self.errors.iter().find(|error| error.field == field).map(|error| error.message.clone())
    }

    /// Whether signing in again would help.
    pub fn is_signed_out(&self) -> bool {
        self.code == "not_signed_in"
    }
}

const fn title_of(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be read",
        401 => "Not signed in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Not possible here",
        409 => "The state does not allow it",
        413 => "Too large",
        415 => "Not JSON",
        422 => "Invalid input",
        429 => "Too many tries",
        502..=504 => "Cannot be reached at the moment",
        _ => "Something went wrong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_problem_has_every_member_of_the_contract() {
        let json =
            serde_json::to_value(Problem::new(409, "connection_not_ready", "Paused. Resume it.")).expect("plain");
        assert_eq!(
            json,
            serde_json::json!({ "type": "about:blank", "title": "The state does not allow it", "status": 409,
                "detail": "Paused. Resume it.", "code": "connection_not_ready", "incident": null })
        );
    }

    #[test]
    fn a_field_finds_its_message() {
        let mut problem = Problem::new(422, "invalid", "Give a name.");
        problem.errors.push(FieldError { field: "name".to_owned(), message: "Give a name.".to_owned() });
        assert_eq!(problem.field("name").as_deref(), Some("Give a name."));
        assert_eq!(problem.field("email"), None);
    }
}
