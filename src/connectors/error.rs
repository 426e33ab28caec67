//! What can go wrong with a CRM, as the engine branches on it (`sync.md`, "Errors").

use std::time::Duration;

/// A call that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    /// The CRM's limits are used up; it may be asked again after `wait`.
    #[error("the CRM's limit is used up")]
    RateLimited {
        /// How long to wait, where the CRM says or its kind of limit tells.
        wait: Duration,
        /// The limit of the whole day, not a burst.
        daily: bool,
    },
    /// The access token is not (or no longer) accepted: refresh once.
    #[error("the access token is not accepted")]
    TokenExpired,
    /// The grant is gone or not sufficient: a person must sign in again.
    #[error("the CRM asks for a new sign-in ({reason})")]
    SignIn {
        /// The CRM's error code, never its text.
        reason: String,
    },
    /// The connected user lacks a right, or a field or object is not there.
    #[error("the CRM does not know or does not allow {subject} ({crm_code})")]
    Configuration {
        /// Field or object name, or what was asked for in words.
        subject: String,
        /// The CRM's code.
        crm_code: String,
    },
    /// The position of a paged read is no longer good: start the window again.
    #[error("the read position has expired")]
    PositionExpired,
    /// The request never reached the CRM, or the CRM said that it did nothing: may be repeated.
    #[error("the CRM did not answer ({detail})")]
    Transient {
        /// What happened, without any of the CRM's text.
        detail: String,
    },
    /// The request went out and no answer came: a write may or may not have been applied.
    #[error("the CRM's answer was lost ({detail})")]
    Unknown {
        /// What happened, without any of the CRM's text.
        detail: String,
    },
    /// The CRM answered something that the connector cannot read.
    #[error("the CRM's answer could not be read ({detail})")]
    Unreadable {
        /// What was expected.
        detail: String,
    },
    /// The CRM refused the whole request for what it contains.
    #[error("the CRM refused the request ({crm_code})")]
    Rejected {
        /// The CRM's code.
        crm_code: String,
    },
}
