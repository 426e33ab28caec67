//! Parts of a mapping.

use serde::{Deserialize, Serialize};

use super::text_enum::text_enum;

text_enum! {
    /// A rule for one field that decides its conflicts ahead of the connection's policy.
    FieldRule ("field rule") {
        /// "Always use App".
        UseApp = "use_app",
        /// "Always use CRM".
        UseCrm = "use_crm",
    }
}

/// One pair of a value map: the CRM's value and the app's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValuePair {
    /// The value as the CRM stores it.
    pub crm: String,
    /// The value as the app stores it.
    pub app: String,
}
