//! Storing what a page of the CRM brings: in one transaction, or a large page of a full reading in two side by side.
//!
//! Two transactions, each in a task of its own, keep two cores busy, where one would wait for Postgres and Postgres for it.
//! Only a full reading is divided: it has no deleted and no merged records, so that no two of its records meet in one link.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{merge_page, pair_up};
use crate::connectors::CrmRecord;
use crate::engine::batch::Batch;
use crate::engine::context::EntityContext;
use crate::engine::position::Position;
use crate::engine::run::{Step, StepError};
use crate::engine::translate::{Pair, Transformed};
use crate::model::{LogDirection, RunTrigger, Stage};
use crate::store::{WorkspaceTx, runs};

/// A page with fewer records is not divided.
const LARGE: usize = 500;

/// Records with what is known of them before their transaction begins.
struct Part {
    records: Vec<CrmRecord>,
    pairs: Vec<Pair>,
    transformed: Transformed,
}

/// Merges a page's records and moves the run to `position`.
pub(super) async fn store(
    step: &Arc<Step>,
    context: &Arc<EntityContext>,
    mut records: Vec<CrmRecord>,
    position: &Position,
    is_full: bool,
) -> Result<(), StepError> {
    let count = records.len();
    if !is_full || count < LARGE {
        let part = Part::new(step, context, records).await?;
        let mut tx = step.begin().await?;
        let batch = part.write(step, &mut tx, context).await?;
        let (_, logs) = note(step, &mut tx, batch, step.run.version, position).await?;
        return step.close(tx, &logs, Stage::Read, count).await;
    }
    let rest = records.split_off(count / 2);
    let (first, second) = tokio::try_join!(Part::new(step, context, records), Part::new(step, context, rest))?;
    let mut tx = step.begin().await?;
    let log_id = runs::ensure_log(&mut tx, &step.run, LogDirection::Pull, context.entity).await?;
    tx.commit_ahead().await?;
    let (tell, told) = oneshot::channel();
    // The first has its connection before the second asks for one: whoever waits for a connection keeps none from others.
    let mut tx = step.begin().await?;
    let (own_step, own_context) = (step.clone(), context.clone());
    let first = AbortOnDropHandle::new(tokio::spawn(async move {
        let batch = first.write(&own_step, &mut tx, &own_context).await?;
        // The position stays: where only this part is stored the page is read again, and these records rest.
        let (version, _) = note(&own_step, &mut tx, batch, own_step.run.version, &own_step.position).await?;
        tx.commit_ahead().await?;
        // Where the second has given up nobody listens.
        let _ = tell.send(version);
        Ok::<(), StepError>(())
    }));
    let second = async {
        let mut tx = step.begin().await?;
        let mut batch = second.write(step, &mut tx, context).await?;
        batch.write_journal(&mut tx, &step.run, LogDirection::Pull, log_id).await?;
        // What follows touches rows that the first touches too: the run, its logs, the connection's day.
        let version = told.await.map_err(|_| StepError::Lost)?;
        let (_, logs) = note(step, &mut tx, batch, version, position).await?;
        step.close(tx, &logs, Stage::Read, count).await
    };
    let (first, second) = tokio::join!(first, second);
    // A task that has ended early has panicked, or the program is stopping: the page is read again.
    first.map_err(|_| StepError::Lost)??;
    second
}

impl Part {
    async fn new(step: &Step, context: &EntityContext, records: Vec<CrmRecord>) -> Result<Self, StepError> {
        let pairs = pair_up(step, context, &records).await?;
        let transformed = Transformed::run(&step.engine.transforms, context, &pairs).await;
        Ok(Part { records, pairs, transformed })
    }

    /// Writes the records' share; the run's own is left to [`note`].
    async fn write<'a>(
        self,
        step: &'a Step,
        tx: &mut WorkspaceTx,
        context: &'a EntityContext,
    ) -> Result<Batch<'a>, StepError> {
        let mut batch = merge_page(step, tx, context, self.records, self.pairs, &self.transformed).await?;
        batch.write(tx, &step.run).await?;
        Ok(batch)
    }
}

/// Moves the run on from `version` and writes what happened into its logs; returns the new version and the logs.
async fn note(
    step: &Step,
    tx: &mut WorkspaceTx,
    mut batch: Batch<'_>,
    version: i64,
    position: &Position,
) -> Result<(i64, Vec<(LogDirection, Uuid)>), StepError> {
    let version = step.advance_from(tx, version, position).await?;
    let logs = batch.write_logs(tx, &step.run, step.run.trigger == RunTrigger::Manual).await?;
    Ok((version, logs))
}
