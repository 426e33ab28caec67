//! Why a use case did not do what was asked: a stable code and a public sentence outside, the cause inside.

use crate::model::Capability;
use crate::store::StoreError;

/// What kind of refusal it is; decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not signed in (401).
    NotSignedIn,
    /// The role may not (403).
    Forbidden,
    /// Not there, or another workspace's (404).
    NotFound,
    /// The state does not allow it (409).
    State,
    /// The input is larger than may be (413).
    TooLarge,
    /// The input is invalid (422).
    Invalid,
    /// Too many tries (429).
    TooMany {
        /// When to try again, seconds.
        retry_after_s: u64,
    },
    /// Something that should not happen (500).
    Internal,
    /// The database or the CRM cannot be reached (503).
    Unavailable,
}

/// One invalid field of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Name of the member in the request.
    pub field: String,
    /// What is wrong with it, as a sentence.
    pub message: String,
}

/// A use case's refusal. `detail` is for people: one sentence what happened, one what to do.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct ServiceError {
    /// Decides the HTTP status.
    pub kind: ErrorKind,
    /// Stable code (`connection_not_ready`, `conflict_moved`, …).
    pub code: &'static str,
    /// Sentence for people.
    pub detail: String,
    /// Invalid members.
    pub fields: Vec<FieldProblem>,
    /// The current state to show beside the refusal (a moved conflict), as JSON.
    pub current: Option<serde_json::Value>,
    /// The cause, logged once at the border and never shown.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ServiceError {
    fn new(kind: ErrorKind, code: &'static str, detail: impl Into<String>) -> Self {
        ServiceError { kind, code, detail: detail.into(), fields: Vec::new(), current: None, source: None }
    }

    /// Nobody is signed in.
    pub fn not_signed_in() -> Self {
        Self::new(ErrorKind::NotSignedIn, "not_signed_in", "You are not signed in. Sign in and try again.")
    }

    /// E-mail and password do not belong together, whichever of the two is wrong.
    pub fn refused_sign_in() -> Self {
        let detail = "E-mail and password do not match. Check both and try again.";
        Self::new(ErrorKind::NotSignedIn, "sign_in_refused", detail)
    }

    /// The viewer's role lacks `capability`.
    pub fn forbidden(capability: Capability) -> Self {
        Self::new(ErrorKind::Forbidden, "forbidden", format!("{} Ask an admin to do it.", capability.reason()))
    }

    /// `what` is not there, or is another workspace's.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, "not_found", format!("There is no such {what} here. It may have been removed."))
    }

    /// The state does not allow it.
    pub fn state(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::State, code, detail)
    }

    /// One member of the input is invalid.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldProblem { field: field.into(), message: message.into() }])
    }

    /// Several members of the input are invalid.
    pub fn invalid_fields(fields: Vec<FieldProblem>) -> Self {
        let detail = fields.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" ");
        ServiceError { fields, ..Self::new(ErrorKind::Invalid, "invalid", detail) }
    }

    /// A file is larger than `limit` bytes.
    pub fn too_large(limit: u64) -> Self {
        let detail = format!(
            "The file is larger than {} MB, the most that is taken here. Send a smaller one, or ask whoever runs this server to raise the limit.",
            limit >> 20
        );
        Self::new(ErrorKind::TooLarge, "too_large", detail)
    }

    /// Too many tries.
    pub fn too_many(code: &'static str, detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self::new(ErrorKind::TooMany { retry_after_s }, code, detail)
    }

    /// Something outside cannot be reached.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, code, detail)
    }

    /// Something that should not happen.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "Something went wrong on our side. Try again; if it stays, tell support the incident number.";
        ServiceError { source: Some(source.into()), ..Self::new(ErrorKind::Internal, "internal", detail) }
    }

    /// Attaches the cause for the log.
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Attaches the current state for the caller to show.
    pub fn with_current(mut self, current: serde_json::Value) -> Self {
        self.current = Some(current);
        self
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(
                "database_unavailable",
                "The database cannot be reached at the moment. Nothing was changed; try again in a minute.",
            )
            .caused_by(error),
            other => Self::internal(other),
        }
    }
}
