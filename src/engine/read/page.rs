//! Storing what a page of the CRM brings: in one transaction, or a large page of a full reading in two side by side.
//!
//! Two transactions, each in a task of its own, keep two cores busy, where one would wait for Postgres and Postgres for it.
//! Only a full reading is divided: it has no deleted and no merged records, so that no two of its records meet in one link.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{Reading, merge_page, pair_up};
use crate::connectors::CrmRecord;
use crate::engine::batch::Batch;
use crate::engine::context::EntityContext;
use crate::engine::position::Position;
use crate::engine::run::{Step, StepError};
use crate::engine::translate::Transformed;
use crate::model::{LogDirection, RunTrigger, Stage};
use crate::store::{WorkspaceTx, runs};

/// A page with fewer records is not divided.
const LARGE: usize = 500;

/// A page with what is asked about its records before a transaction begins.
pub(super) enum Page {
    Whole(Part),
    InHalves(Part, Part),
}

/// Records with what transforms make of their values.
pub(super) struct Part {
    records: Vec<CrmRecord>,
    transformed: Transformed,
    are_strangers: bool,
}

impl Page {
    /// Runs the transforms of a page's records; `ahead` are the answers that are there already.
    pub(super) async fn prepare(
        step: &Step,
        context: &EntityContext,
        mut records: Vec<CrmRecord>,
        mut ahead: Transformed,
        is_full: bool,
    ) -> Result<Self, StepError> {
        if !is_full || records.len() < LARGE {
            return Ok(Page::Whole(Part::prepare(step, context, records, ahead).await?));
        }
        let half = records.len() / 2;
        let (rest, rest_ahead) = (records.split_off(half), ahead.split_off(half));
        let first = Part::prepare(step, context, records, ahead);
        let (first, second) = tokio::try_join!(first, Part::prepare(step, context, rest, rest_ahead))?;
        Ok(Page::InHalves(first, second))
    }

    /// Whether no link is known of any record whose values a transform was asked about: the next page's are most likely
    /// strangers too.
    pub(super) fn are_strangers(&self) -> bool {
        match self {
            Page::Whole(part) => part.are_strangers,
            Page::InHalves(first, second) => first.are_strangers && second.are_strangers,
        }
    }

    /// Merges the records and moves the run to `position`.
    pub(super) async fn store(
        self,
        step: &Arc<Step>,
        context: &Arc<EntityContext>,
        position: &Position,
    ) -> Result<(), StepError> {
        match self {
            Page::Whole(part) => {
                let count = part.records.len();
                let mut tx = step.begin().await?;
                let batch = part.write(step, &mut tx, context).await?;
                let (_, logs) = note(step, &mut tx, batch, step.run.version, position).await?;
                step.close(tx, &logs, Stage::Read, count).await
            }
            Page::InHalves(first, second) => store_halves(step, context, position, first, second).await,
        }
    }
}

async fn store_halves(
    step: &Arc<Step>,
    context: &Arc<EntityContext>,
    position: &Position,
    first: Part,
    second: Part,
) -> Result<(), StepError> {
    let count = first.records.len() + second.records.len();
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
    async fn prepare(
        step: &Step,
        context: &EntityContext,
        records: Vec<CrmRecord>,
        ahead: Transformed,
    ) -> Result<Self, StepError> {
        if !context.has_transforms() {
            return Ok(Part { records, transformed: ahead, are_strangers: false });
        }
        let mut tx = step.begin().await?;
        let pairs = pair_up(&mut tx, step, context, &records, Reading::Glance).await?;
        tx.commit().await?;
        let transformed = Transformed::run(&step.engine.transforms, context, &pairs, ahead).await;
        Ok(Part { records, transformed, are_strangers: pairs.iter().all(|pair| pair.link.is_none()) })
    }

    /// Writes the records' share; the run's own is left to [`note`].
    async fn write<'a>(
        self,
        step: &'a Step,
        tx: &mut WorkspaceTx,
        context: &'a EntityContext,
    ) -> Result<Batch<'a>, StepError> {
        let mut batch = merge_page(step, tx, context, self.records, &self.transformed).await?;
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
