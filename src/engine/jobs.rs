//! The jobs of the engine: what they carry and how they are asked for.

use uuid::Uuid;

use crate::queue::{self, NewJob, QueueError};
use crate::store::runs::{self, RunRequest};
use crate::store::{StoreError, WorkspaceTx};

/// Kind of the job that advances a run by one step.
pub const RUN_STEP: &str = "run_step";

/// Arguments of [`RUN_STEP`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunStep {
    /// The workspace.
    pub workspace_id: Uuid,
    /// The run.
    pub run_id: Uuid,
}

/// Asks for a run of a connection in the transaction that causes it; one that waits already is widened instead.
/// Returns the run's id.
pub async fn request_run(tx: &mut WorkspaceTx, config_id: Uuid, request: &RunRequest<'_>) -> Result<Uuid, StoreError> {
    let (run_id, _) = runs::request(tx, config_id, request).await?;
    enqueue_step(tx, config_id, run_id).await?;
    Ok(run_id)
}

/// Lets a run's next step be worked on.
pub async fn enqueue_step(tx: &mut WorkspaceTx, config_id: Uuid, run_id: Uuid) -> Result<(), StoreError> {
    let step = RunStep { workspace_id: tx.workspace_id(), run_id };
    let now = tx.now();
    let job = NewJob {
        kind: RUN_STEP,
        key: &run_id.to_string(),
        queue: &config_id.to_string(),
        args: serde_json::to_value(step)?,
        run_at: now,
    };
    queue::enqueue(tx.connection(), &job, now).await.map_err(store_error)?;
    Ok(())
}

/// A queue's error where only the store's can be told.
pub(crate) fn store_error(error: QueueError) -> StoreError {
    match error {
        QueueError::Database(error) => error.into(),
        QueueError::LeaseLost => StoreError::Unreadable("a lease".to_owned()),
    }
}
