//! Who wins when both sides changed the same field.

use super::text_enum::text_enum;

text_enum! {
    /// Conflict policy of a connection. Policies decide conflicts only.
    ConflictPolicy ("conflict policy") {
        /// The later edit wins, at the finest grain known.
        LastWriteWins = "last_write_wins",
        /// The CRM's value.
        CrmWins = "crm_wins",
        /// The app's value.
        AppWins = "app_wins",
        /// A pending conflict; neither side is touched until someone decides.
        ManualReview = "manual_review",
    }
}

impl ConflictPolicy {
    /// The policy in words for a screen.
    pub const fn label(self) -> &'static str {
        match self {
            ConflictPolicy::LastWriteWins => "Last write wins",
            ConflictPolicy::CrmWins => "CRM always wins",
            ConflictPolicy::AppWins => "App always wins",
            ConflictPolicy::ManualReview => "Manual review",
        }
    }
}
