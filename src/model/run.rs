//! Runs, their logs and the changes they make.

use super::text_enum::text_enum;

text_enum! {
    /// State of a run (`crm_sync_runs.state`; the API calls a run a job).
    RunState ("run state") {
        /// Waits for its turn.
        Queued = "queued",
        /// Steps are being worked on.
        Running = "running",
        /// A guard stopped it; an admin decides.
        Held = "held",
        /// Everything is in agreement or waits for a person.
        Completed = "completed",
        /// Some records failed.
        Partial = "partial",
        /// Stopped by an error.
        Failed = "failed",
        /// Stopped by a person.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Whether nothing more will happen in this run.
    pub const fn is_over(self) -> bool {
        matches!(self, RunState::Completed | RunState::Partial | RunState::Failed | RunState::Cancelled)
    }
}

text_enum! {
    /// What started a run (`crm_sync_runs.trigger`).
    RunTrigger ("run trigger") {
        /// A person or an API client.
        Manual = "manual",
        /// The connection's schedule.
        Schedule = "schedule",
        /// An edit in the app on a real-time connection.
        Change = "change",
        /// A decision about a conflict, or a retry.
        Decision = "decision",
    }
}

text_enum! {
    /// Status of a log (`crm_sync_logs.status`).
    LogStatus ("log status") {
        /// Its run is on.
        Running = "running",
        /// No record failed.
        Completed = "completed",
        /// Some records failed.
        Partial = "partial",
        /// The run stopped with an error.
        Failed = "failed",
        /// A person stopped the run.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// Direction of a log: where values were written.
    LogDirection ("log direction") {
        /// Into the CRM.
        Push = "push",
        /// Into the app.
        Pull = "pull",
    }
}

text_enum! {
    /// Stage of a run for progress and the log's timeline.
    Stage ("stage") {
        /// Changes are being read on both sides.
        Read = "read",
        /// Unlinked records look for their partner.
        Match = "match",
        /// Three-way merge.
        Merge = "merge",
        /// Writing into Postgres.
        WriteApp = "write_app",
        /// Writing into the CRM.
        WriteCrm = "write_crm",
        /// Deletes, after everything else.
        Delete = "delete",
    }
}

text_enum! {
    /// What a journal row did to its record (`crm_sync_changes.action`).
    ChangeAction ("change action") {
        /// A new record.
        Create = "create",
        /// New values.
        Update = "update",
        /// The record was deleted.
        Delete = "delete",
        /// Two records were recognised as the same; nothing was written.
        Link = "link",
        /// A deleted record came back.
        Restore = "restore",
    }
}
