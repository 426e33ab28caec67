//! Questions for a person.

use super::text_enum::text_enum;

text_enum! {
    /// What a conflict asks.
    ConflictKind ("conflict kind") {
        /// Both sides changed the same fields.
        Field = "field",
        /// Several records could be the same.
        Match = "match",
        /// One side deleted what the other edited.
        Delete = "delete",
        /// The CRM merged two records whose app records are both alive.
        Merge = "merge",
    }
}

text_enum! {
    /// State of a conflict (`crm_sync_conflicts.status`).
    ConflictStatus ("conflict status") {
        /// Waits for a person.
        Pending = "pending",
        /// Decided by a person, a rule, or by going away.
        Resolved = "resolved",
        /// A person accepted the difference.
        Ignored = "ignored",
    }
}

text_enum! {
    /// How a conflict was settled (`crm_sync_conflicts.resolution_strategy`).
    ResolutionStrategy ("resolution strategy") {
        /// The app's values.
        UseApp = "use_app",
        /// The CRM's values.
        UseCrm = "use_crm",
        /// Values a person put together.
        Manual = "manual",
        /// The connection's policy or a field rule.
        Rule = "rule",
        /// The sides came to agree by themselves.
        Converged = "converged",
    }
}
