//! Storing what a page of the CRM brings: in one transaction, or a large page of a full reading in two side by side.
//!
//! Two transactions keep two cores busy, where one would wait for Postgres and Postgres for it. Only a full reading is
//! divided: it has no deleted and no merged records, so that no two of its records meet in one link.

use tokio::sync::oneshot;
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
    step: &Step<'_>,
    context: &EntityContext,
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
    let first = Part::new(step, context, records).await?;
    let second = Part::new(step, context, rest).await?;
    let mut tx = step.begin().await?;
    let log_id = runs::ensure_log(&mut tx, step.run, LogDirection::Pull, context.entity).await?;
    tx.commit().await?;
    let (tell, told) = oneshot::channel();
    // The first has its connection before the second asks for one: whoever waits for a connection keeps none from others.
    let mut tx = step.begin().await?;
    let (first, second) = tokio::join!(
        async {
            let batch = first.write(step, &mut tx, context).await?;
            // The position stays: where only this part is stored the page is read again, and these records rest.
            let (version, _) = note(step, &mut tx, batch, step.run.version, &step.position).await?;
            tx.commit_ahead().await?;
            // Where the second has given up nobody listens.
            let _ = tell.send(version);
            Ok::<(), StepError>(())
        },
        async {
            let mut tx = step.begin().await?;
            let mut batch = second.write(step, &mut tx, context).await?;
            batch.write_journal(&mut tx, step.run, LogDirection::Pull, log_id).await?;
            // What follows touches rows that the first touches too: the run, its logs, the connection's day.
            let version = told.await.map_err(|_| StepError::Lost)?;
            let (_, logs) = note(step, &mut tx, batch, version, position).await?;
            step.close(tx, &logs, Stage::Read, count).await
        },
    );
    first?;
    second
}

impl Part {
    async fn new(step: &Step<'_>, context: &EntityContext, records: Vec<CrmRecord>) -> Result<Self, StepError> {
        let pairs = pair_up(step, context, &records).await?;
        let transformed = Transformed::run(&step.engine.transforms, context, &pairs).await;
        Ok(Part { records, pairs, transformed })
    }

    /// Writes the records' share; the run's own is left to [`note`].
    async fn write<'a>(
        self,
        step: &'a Step<'_>,
        tx: &mut WorkspaceTx,
        context: &'a EntityContext,
    ) -> Result<Batch<'a>, StepError> {
        let mut batch = merge_page(step, tx, context, self.records, self.pairs, &self.transformed).await?;
        batch.write(tx, step.run).await?;
        Ok(batch)
    }
}

/// Moves the run on from `version` and writes what happened into its logs; returns the new version and the logs.
async fn note(
    step: &Step<'_>,
    tx: &mut WorkspaceTx,
    mut batch: Batch<'_>,
    version: i64,
    position: &Position,
) -> Result<(i64, Vec<(LogDirection, Uuid)>), StepError> {
    let version = step.advance_from(tx, version, position).await?;
    let logs = batch.write_logs(tx, step.run, step.run.trigger == RunTrigger::Manual).await?;
    Ok((version, logs))
}
