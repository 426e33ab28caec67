//! What becomes of a file that both sides have or are to have.

use super::text_enum::text_enum;

text_enum! {
    /// State of a file's tie to a file of a CRM (`crm_file_ties.state`).
    FileState ("file state") {
        /// Both sides have it.
        Linked = "linked",
        /// The CRM's content is to be brought here.
        Pull = "pull",
        /// The app's content is to be sent to the CRM.
        Push = "push",
        /// It was sent, and what became of it is not known yet.
        Sending = "sending",
    }
}
