//! The tie between one app record and one CRM record.

use super::text_enum::text_enum;

text_enum! {
    /// State of a link (`crm_record_links.state`).
    LinkState ("link state") {
        /// Both records are there and are kept in agreement.
        Linked = "linked",
        /// A create is under way; its outcome is not known yet.
        Creating = "creating",
        /// The record left the filter and rests.
        OutOfScope = "out_of_scope",
        /// The CRM record was deleted.
        GoneCrm = "gone_crm",
        /// The app record was deleted.
        GoneApp = "gone_app",
        /// The CRM record was merged into another that has its own link.
        Merged = "merged",
        /// The CRM no longer shows the record to the connected user.
        NotVisible = "not_visible",
        /// A person said that these two are not the same.
        Apart = "apart",
    }
}
