//! Logs of runs as the API and the screens see them (`contract.md`, section 3, "log").

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Moment;
use super::conflicts::Conflict;
use super::integrations::HeldRun;
use super::pagination::Pagination;
use crate::model::{Entity, LogDirection, LogStatus, Provider};

/// One log: what a run did with one entity in one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// The log.
    pub id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// Its run.
    pub job_id: Uuid,
    /// `push` or `pull`.
    pub sync_direction: LogDirection,
    /// `accounts`, `contacts` or `opportunities`.
    pub entity_type: String,
    /// Synced, failed and skipped.
    pub records_processed: i64,
    /// Written on the side that the direction points to.
    pub records_synced: i64,
    /// Could not be written.
    pub records_failed: i64,
    /// Looked at, nothing to write or no partner allowed.
    pub records_skipped: i64,
    /// New records.
    pub records_created: i64,
    /// Changed records.
    pub records_updated: i64,
    /// Deleted records.
    pub records_deleted: i64,
    /// Conflicts found.
    pub conflicts_detected: i64,
    /// Conflicts settled by policy or rule.
    pub conflicts_resolved: i64,
    /// Changes that a full comparison found and earlier readings should have brought; none where nothing was compared.
    pub records_missed: Option<i64>,
    /// From its start to its end.
    pub sync_duration_ms: Option<i64>,
    /// `running`, `completed`, `partial`, `failed` or `cancelled`.
    pub status: LogStatus,
    /// Why the run stopped, as a sentence.
    pub error_message: Option<String>,
    /// More about the error.
    pub error_details: Option<serde_json::Value>,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub completed_at: Option<String>,
}

/// Answer of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogList {
    /// The logs, newest first.
    pub logs: Vec<Log>,
    /// Which part of the list this is.
    pub pagination: Pagination,
}

/// Answer for one log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogAnswer {
    /// The log.
    pub log: Log,
    /// What is known beyond the numbers.
    pub details: LogDetails,
}

/// What is known of a log beyond its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogDetails {
    /// Records that could not be written.
    pub errors: Vec<RecordError>,
    /// Conflicts that its run found in its entity.
    pub conflicts: Vec<Conflict>,
    /// What it did, in order.
    pub stages: Vec<StageTime>,
}

/// A record that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordError {
    /// `accounts`, `contacts` or `opportunities`.
    pub entity_type: String,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// Crosstie's code.
    pub code: String,
    /// The CRM's code, for support.
    pub crm_code: Option<String>,
    /// Sentence for people.
    pub message: String,
    /// Whether trying again without a change can help.
    pub retryable: bool,
}

/// One stage of a log's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageTime {
    /// `read`, `match`, `merge`, `write_app`, `write_crm` or `delete`.
    pub name: String,
    /// RFC 3339.
    pub started_at: String,
    /// How long it took in all.
    pub duration_ms: i64,
    /// Records it looked at.
    pub records: i64,
    /// Calls to the CRM.
    pub calls: i64,
}

/// A row of the logs screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// The log.
    pub log: Log,
    /// Which CRM.
    pub provider: Provider,
    /// When it began.
    pub at: Moment,
    /// The same as the clock shows it: "10:40:07", with the day where that is not today.
    pub clock: String,
    /// How long it took, or takes so far.
    pub duration: String,
    /// Percent done, while it runs and that is known.
    pub percent: Option<u8>,
    /// Records to look at in all, while it runs and that is known.
    pub expected: Option<i64>,
    /// Whether Retry has something to try.
    pub can_retry: bool,
    /// Its run waits for an admin.
    pub held: bool,
}

/// What the list is asked for, by its address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsAsked {
    /// `day`, `week`, `month`, `dates`, or any time.
    pub period: Option<String>,
    /// First day, with `dates`.
    pub from: Option<String>,
    /// Last day, with `dates`.
    pub to: Option<String>,
    /// In one state.
    pub status: Option<LogStatus>,
    /// Of one entity.
    pub entity: Option<Entity>,
    /// In one direction.
    pub direction: Option<LogDirection>,
    /// Of one connection.
    pub connection: Option<Uuid>,
    /// After the end of a former page.
    pub cursor: Option<String>,
}

/// The logs screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogsPage {
    /// The one sentence: what is on, and the last 24 hours. `**` marks what matters.
    pub sentence: String,
    /// Whether there is any log at all.
    pub any: bool,
    /// The rows.
    pub rows: Vec<LogRow>,
    /// Which part of the list this is.
    pub pagination: Pagination,
    /// The workspace's connections, to filter by.
    pub connections: Vec<(Uuid, Provider)>,
}

/// The screen of one log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogPage {
    /// The row.
    pub row: LogRow,
    /// "Pulled 312 accounts from Salesforce; 4 failed, 2 wait for you".
    pub sentence: String,
    /// "started by Tomás Rivera", "started by schedule".
    pub started_by: String,
    /// How the five numbers add up.
    pub sum: String,
    /// Calls to the CRM.
    pub calls: String,
    /// The timeline.
    pub stages: Vec<StageBar>,
    /// How long the whole timeline is.
    pub timeline: String,
    /// What failed, by cause.
    pub causes: Vec<Cause>,
    /// What waits for a person.
    pub conflicts: Vec<ConflictLine>,
    /// What was written.
    pub changes: Vec<ChangeLine>,
    /// Records of which the changes are shown.
    pub shown_records: i64,
    /// Records written in all.
    pub changed_records: i64,
    /// Why the run is held, where it is.
    pub held: Option<HeldRun>,
    /// The other logs of the same run.
    pub siblings: Vec<(Uuid, String)>,
}

/// A stage as a bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageBar {
    /// The stage in words.
    pub name: String,
    /// Where it begins, percent of the timeline.
    pub left: f32,
    /// How long it is, percent of the timeline.
    pub width: f32,
    /// Whether it called the CRM.
    pub is_remote: bool,
    /// How long it took.
    pub time: String,
    /// "312 records".
    pub records: String,
    /// "2 calls".
    pub calls: String,
}

/// Records that failed for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The reason in a few words.
    pub title: String,
    /// What it means and what helps.
    pub advice: String,
    /// How many records.
    pub count: i64,
    /// The first of them: name and address, where it is one of ours.
    pub records: Vec<(String, Option<String>)>,
    /// Codes and ids for support.
    pub support: String,
}

/// A conflict in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictLine {
    /// The conflict.
    pub id: Uuid,
    /// The record's name.
    pub record: String,
    /// Fields in conflict by label.
    pub fields: String,
    /// The app's value of the first.
    pub here: Option<String>,
    /// The CRM's.
    pub there: Option<String>,
    /// Whether it still waits.
    pub waits: bool,
    /// What became of it.
    pub outcome: String,
}

/// One field of one record that was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeLine {
    /// The record's name.
    pub record: String,
    /// Its address, where it is one of ours.
    pub href: Option<String>,
    /// The field as the side that was written calls it; empty where the record as a whole was.
    pub field: String,
    /// What was done with the record where no field says it: "deleted".
    pub action: String,
    /// Value before.
    pub before: Option<String>,
    /// Value after.
    pub after: Option<String>,
    /// What decided.
    pub rule: String,
}
