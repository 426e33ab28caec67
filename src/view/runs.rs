//! A run as the API and the screens see it; the API calls it a job (`contract.md`, section 3).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The run.
    pub id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// `queued`, `running`, `held`, `completed`, `partial`, `failed` or `cancelled`.
    pub state: String,
    /// Where it stands.
    pub progress: JobProgress,
    /// Its logs, oldest first.
    pub log_ids: Vec<Uuid>,
    /// Why it stopped, as a sentence.
    pub error: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub finished_at: Option<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobProgress {
    /// `pull` or `push`.
    pub direction: Option<String>,
    /// `accounts`, `contacts` or `opportunities`.
    pub entity_type: Option<String>,
    /// What is being done.
    pub stage: Option<String>,
    /// Records looked at in this stage.
    #[serde(default)]
    pub processed: u64,
    /// Records expected in this stage.
    pub total: Option<u64>,
}

/// Answer of a single-job request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobAnswer {
    /// The run.
    pub job: Job,
}

/// Answer of a trigger or retry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerAnswer {
    /// The run.
    pub job_id: Uuid,
    /// Records it is expected to look at, where known.
    #[serde(rename = "estimatedRecords")]
    pub estimated_records: Option<i64>,
}
