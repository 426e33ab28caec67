//! A mapping as the merge sees it.

use super::Value;
use crate::model::{FieldDirection, FieldKind, FieldRule, ValuePair};

/// One CRM field paired with one app field.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedField {
    /// Field in the app.
    pub app_field: String,
    /// Field in the CRM.
    pub crm_field: String,
    /// What the app's value means.
    pub app_kind: FieldKind,
    /// What the CRM's value means.
    pub crm_kind: FieldKind,
    /// What mapping, connection and run have in common.
    pub direction: FieldDirection,
    /// A rule that decides this field's conflicts.
    pub rule: Option<FieldRule>,
    /// Whether a create may set it in the CRM.
    pub crm_createable: bool,
    /// Whether an update may set it in the CRM.
    pub crm_updateable: bool,
    /// Longest text that the CRM takes, in characters.
    pub crm_max_length: Option<u32>,
    /// Decimal places that the CRM keeps of a number; `None` where it does not round.
    pub crm_decimals: Option<u32>,
}

/// Pairs of values; a value without partner passes through.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ValueMap(pub Vec<ValuePair>);

impl ValueMap {
    /// The app's value for a CRM value.
    pub fn to_app(&self, crm: &Value) -> Value {
        let text = crm.as_deref()?;
        Some(self.0.iter().find(|pair| pair.crm == text).map_or(text, |pair| &pair.app).to_owned())
    }

    /// The CRM's value for an app value.
    pub fn to_crm(&self, app: &Value) -> Value {
        let text = app.as_deref()?;
        Some(self.0.iter().find(|pair| pair.app == text).map_or(text, |pair| &pair.crm).to_owned())
    }
}

/// Fields that merge as one: the parts of an address, amount with currency.
pub fn group_of(app_field: &str) -> Option<&'static str> {
    match app_field {
        "billing_street" | "billing_city" | "billing_state" | "billing_postal_code" | "billing_country" => {
            Some("billing")
        }
        "mailing_street" | "mailing_city" | "mailing_state" | "mailing_postal_code" | "mailing_country" => {
            Some("mailing")
        }
        "amount" | "currency" => Some("amount"),
        _ => None,
    }
}
