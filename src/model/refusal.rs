//! Why a record was refused.

use serde::{Deserialize, Serialize};

/// Why the CRM refused a record, in Crosstie's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRefusal {
    /// Crosstie's code (`required_field_missing`, `value_too_long`, `invalid_email`, `unknown_choice`, …).
    pub code: String,
    /// The CRM's code, for support.
    pub crm_code: String,
    /// Sentence for people. Never the CRM's text.
    pub message: String,
    /// Fields it is about (the CRM's API names).
    pub fields: Vec<String>,
    /// Whether trying again without a change can help.
    pub retryable: bool,
}
