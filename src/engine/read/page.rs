//! Storing what a page of the CRM brings: in one transaction, or a large page of a full reading in several side by side.
//!
//! Transactions side by side, each in a task of its own, keep two cores busy, where one would wait for Postgres and Postgres
//! for it; the smaller they are, the shorter is the time in which the last is alone. Only a full reading is divided: it has no
//! deleted and no merged records, so that no two of its records meet in one link.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{Reading, merge_page, pair_up};
use crate::connectors::CrmRecord;
use crate::engine::batch::Batch;
use crate::engine::context::EntityContext;
use crate::engine::edit_times::{self, EditTimes};
use crate::engine::position::Position;
use crate::engine::run::{Step, StepError};
use crate::engine::translate::Transformed;
use crate::model::{LogDirection, RunTrigger, Stage};
use crate::store::{WorkspaceTx, runs};

/// Records of one part of a divided page, at least.
const PART: usize = 500;

/// A page with what is asked about its records before a transaction begins.
pub(super) struct Page {
    parts: Vec<Part>,
}

/// Records with what transforms make of their values.
pub(super) struct Part {
    records: Vec<CrmRecord>,
    transformed: Transformed,
    times: EditTimes,
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
        let mut parts = Vec::new();
        while is_full && records.len() >= 2 * PART {
            let (rest, rest_ahead) = (records.split_off(PART), ahead.split_off(PART));
            parts.push(Part::prepare(step, context, records, ahead));
            (records, ahead) = (rest, rest_ahead);
        }
        parts.push(Part::prepare(step, context, records, ahead));
        Ok(Page { parts: futures::future::try_join_all(parts).await? })
    }

    /// Whether no link is known of any record whose values a transform was asked about: the next page's are most likely
    /// strangers too.
    pub(super) fn are_strangers(&self) -> bool {
        self.parts.iter().all(|part| part.are_strangers)
    }

    /// Merges the records and moves the run to `position`.
    pub(super) async fn store(
        mut self,
        step: &Arc<Step>,
        context: &Arc<EntityContext>,
        position: &Position,
    ) -> Result<(), StepError> {
        let count = self.parts.iter().map(|part| part.records.len()).sum();
        let Some(last) = self.parts.pop() else { return Ok(()) };
        let mut log_id = None;
        if !self.parts.is_empty() {
            let mut tx = step.begin().await?;
            log_id = Some(runs::ensure_log(&mut tx, &step.run, LogDirection::Pull, context.entity).await?);
            tx.commit_ahead().await?;
        }
        let (tell, mut turn) = oneshot::channel();
        // Where nobody listens the step has failed already.
        let _ = tell.send(step.run.version);
        let mut tasks = Vec::new();
        for part in self.parts {
            // In this order they ask for connections: whoever waits for its turn has one, and keeps none from those before.
            let tx = step.begin().await?;
            let (tell, next) = oneshot::channel();
            let turn = std::mem::replace(&mut turn, next);
            let task = part.store_ahead(step.clone(), context.clone(), tx, log_id, turn, tell);
            tasks.push(AbortOnDropHandle::new(tokio::spawn(task)));
        }
        let last = async {
            let mut tx = step.begin().await?;
            let (version, batch) = last.write_in_turn(step, &mut tx, context, log_id, turn).await?;
            // Its turn has come: the others have counted what they let go.
            let position = Position { let_go: context.allowance.let_go(), ..position.clone() };
            let (_, logs) = note(step, &mut tx, batch, version, &position).await?;
            step.close(tx, &logs, Stage::Read, count).await
        };
        let (others, last) = tokio::join!(futures::future::join_all(tasks), last);
        for other in others {
            // A task that has ended early has panicked, or the program is stopping: the page is read again.
            other.map_err(|_| StepError::Lost)??;
        }
        last
    }
}

impl Part {
    async fn prepare(
        step: &Step,
        context: &EntityContext,
        records: Vec<CrmRecord>,
        ahead: Transformed,
    ) -> Result<Self, StepError> {
        let asks_times = edit_times::are_told(step, context)?;
        if !context.has_transforms() && !asks_times {
            return Ok(Part { records, transformed: ahead, times: EditTimes::default(), are_strangers: false });
        }
        let mut tx = step.begin().await?;
        let pairs = pair_up(&mut tx, step, context, &records, Reading::Glance).await?;
        tx.commit().await?;
        let times = if asks_times { edit_times::ask(step, context, &pairs).await? } else { EditTimes::default() };
        let transformed = Transformed::run(&step.engine.transforms, context, &pairs, ahead).await;
        Ok(Part { records, transformed, times, are_strangers: pairs.iter().all(|pair| pair.link.is_none()) })
    }

    /// Stores a part that is not its page's last. The position stays: where only some parts are stored the page is read
    /// again, and their records rest.
    async fn store_ahead(
        self,
        step: Arc<Step>,
        context: Arc<EntityContext>,
        mut tx: WorkspaceTx,
        log_id: Option<Uuid>,
        turn: oneshot::Receiver<i64>,
        tell: oneshot::Sender<i64>,
    ) -> Result<(), StepError> {
        let (version, batch) = self.write_in_turn(&step, &mut tx, &context, log_id, turn).await?;
        let (version, _) = note(&step, &mut tx, batch, version, &step.position).await?;
        tx.commit_ahead().await?;
        // Where the next has given up nobody listens.
        let _ = tell.send(version);
        Ok(())
    }

    /// Writes the records' share and waits until those before have committed; the run's own is left to [`note`]. What
    /// follows touches rows that all parts touch: the run, its logs, the connection's day. Returns the run's version.
    async fn write_in_turn<'a>(
        self,
        step: &'a Step,
        tx: &mut WorkspaceTx,
        context: &'a EntityContext,
        log_id: Option<Uuid>,
        turn: oneshot::Receiver<i64>,
    ) -> Result<(i64, Batch<'a>), StepError> {
        let mut batch = merge_page(step, tx, context, self.records, (&self.transformed, &self.times)).await?;
        batch.write(tx, &step.run).await?;
        if let Some(log_id) = log_id {
            batch.write_journal(tx, &step.run, LogDirection::Pull, log_id).await?;
        }
        let version = turn.await.map_err(|_| StepError::Lost)?;
        Ok((version, batch))
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
