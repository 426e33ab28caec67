//! What a link carries beside its two ids.

use uuid::Uuid;

use crate::model::Side;
use crate::sync::Value;

/// Why a record could not be written, as kept on its link.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkFailure {
    /// Crosstie's code.
    pub code: String,
    /// The CRM's code, for support.
    pub crm_code: Option<String>,
    /// Sentence for people.
    pub message: String,
    /// The side that could not be written.
    pub side: Side,
    /// Fields it is about (app field names where known).
    pub fields: Vec<String>,
    /// Whether trying again without a change can help.
    pub retryable: bool,
}

/// [`FieldChoice::choice`] of a value that a write of ours has overwritten unseen: the CRM gets it back.
pub const PUT_BACK: &str = "put_back";

/// What a person decided about one field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldChoice {
    /// `app`, `crm` or `value`; or [`PUT_BACK`], which no person decided.
    pub choice: String,
    /// The value in app form, for `value`; as the CRM stores it, for [`PUT_BACK`].
    pub value: Value,
    /// What the app held when it was decided. The decision counts only while both sides hold what the person saw.
    pub app: Value,
    /// What the CRM held then, as it stores it.
    pub crm: Value,
}

/// A value that a write sent and that was not there when the CRM was asked: if it turns up yet, it is our own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LateWrite {
    /// The value as the CRM stores it.
    pub value: Value,
    /// Until when it may turn up, epoch milliseconds.
    pub until: i64,
}

/// A change that waits because too many records would get it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guarded {
    /// The side that would be written.
    pub side: Side,
    /// The run whose approval it waits for, once its share is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Uuid>,
}
