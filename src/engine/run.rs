//! A run, step by step. A step reads, calls the CRM, and commits once; the run's version fences the commit.

mod ahead;
mod describing;
mod recovery;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use uuid::Uuid;

pub(crate) use ahead::{Ahead, Read};

use super::batch::Batch;
use super::jobs::{RunStep, store_error};
use super::position::{Phase, Position};
use super::{AccessError, CrmConnection, Engine, deletes, fights, files, matching, push, read, settle};
use crate::connectors::{Connector, ConnectorError};
use crate::model::{ConnectionStatus, Entity, LogDirection, LogStatus, RunState, RunTrigger, Stage};
use crate::queue::{self, Lease};
use crate::store::runs::{self, StoredRun};
use crate::store::setup::{self, ConnectionSetup, SyncEnd};
use crate::store::{Actor, StoreError, WorkspaceTx, events, holds, restores};
use crate::sync::next_run;

/// How often a paused or waiting run looks whether it may go on.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(1);

/// Why a step did not commit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// Somebody else has taken over.
    #[error("another worker has taken over")]
    Lost,
    /// Open intents were settled; the step begins again from what is stored now.
    #[error("open intents were settled")]
    Settled,
    /// A create may still turn up in the CRM, and no external id tells: it is looked for later.
    #[error("a create without an answer is looked for later")]
    Unsure,
    /// A field of this entity would be emptied, and the CRM has not said in this run that it still shows it.
    #[error("a field would be emptied and the description is old")]
    Empties(Entity),
    /// The CRM is still making what was asked for; where the run stands is stored, and it goes on after this time.
    #[error("the CRM is still at work")]
    Waits(std::time::Duration),
    /// Somebody paused the connection or cancelled the run: no further call starts.
    #[error("the connection is paused or the run cancelled")]
    Stopped,
    /// The org has used its share of the day.
    #[error("the share of the day's calls is used up")]
    Budget,
    /// A guard stopped the run; an admin decides.
    #[error("held for approval")]
    Held,
    /// The database did not answer or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection cannot be called.
    #[error(transparent)]
    Access(AccessError),
    /// The CRM did not answer or refused.
    #[error(transparent)]
    Crm(#[from] ConnectorError),
}

impl From<AccessError> for StepError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Crm(error) => StepError::Crm(error),
            AccessError::Store(error) => StepError::Store(error),
            other => StepError::Access(other),
        }
    }
}

/// One step of one run.
pub(crate) struct Step {
    pub engine: Engine,
    pub workspace_id: Uuid,
    pub run: StoredRun,
    pub connection: ConnectionSetup,
    pub position: Position,
    lease: Lease,
    opened: Mutex<Option<Arc<CrmConnection>>>,
    /// What the step before has read for this one.
    ahead: Arc<Mutex<Option<Ahead>>>,
    /// When the run lets others have their turn.
    turn_ends: DateTime<Utc>,
    started_at: DateTime<Utc>,
}

impl Step {
    /// The entity being worked on.
    pub(crate) fn entity(&self) -> Result<Entity, StepError> {
        self.position.entity().ok_or(StepError::Lost)
    }

    /// The connection's connector.
    pub(crate) fn connector(&self) -> Result<Arc<dyn Connector>, StepError> {
        let connector = self.engine.crm.connector(self.connection.provider);
        connector.ok_or(StepError::Access(AccessError::NotConnected))
    }

    /// Begins a transaction in the run's workspace.
    pub(crate) async fn begin(&self) -> Result<WorkspaceTx, StepError> {
        let now = self.engine.crm.clock.now();
        Ok(WorkspaceTx::begin(&self.engine.crm.pool, self.workspace_id, Actor::System, now).await?)
    }

    /// Moves the run on, unless somebody else has. Returns the version to move on from next.
    pub(crate) async fn advance(&self, tx: &mut WorkspaceTx, position: &Position) -> Result<i64, StepError> {
        self.advance_from(tx, self.run.version, position).await
    }

    /// The same from a version that this step itself has reached.
    pub(crate) async fn advance_from(
        &self,
        tx: &mut WorkspaceTx,
        version: i64,
        position: &Position,
    ) -> Result<i64, StepError> {
        let stored = serde_json::to_value(position).map_err(StoreError::from)?;
        let moved = runs::advance(tx, self.run.id, version, &stored, &position.progress()).await?;
        if moved { Ok(version + 1) } else { Err(StepError::Lost) }
    }

    /// Calls the CRM under a renewed lease; an access token that is not accepted is refreshed once.
    pub(crate) async fn call<T, F, Answer>(&self, make: F) -> Result<T, StepError>
    where
        F: Fn(Arc<CrmConnection>) -> Answer,
        Answer: Future<Output = Result<T, ConnectorError>>,
    {
        self.renew_lease().await?;
        self.check_wanted().await?;
        let mut opened = self.opened.lock().await;
        let connection = match opened.as_ref() {
            Some(connection) => connection.clone(),
            None => Arc::new(self.engine.crm.open(self.workspace_id, self.connection.id).await?),
        };
        *opened = Some(connection.clone());
        match make(connection.clone()).await {
            Err(ConnectorError::TokenExpired) => {
                let refused = &connection.session;
                let mut renewed = self.engine.crm.reopen(self.workspace_id, self.connection.id, refused).await?;
                renewed.session.meter = refused.meter.clone();
                let renewed = Arc::new(renewed);
                *opened = Some(renewed.clone());
                match make(renewed).await {
                    Err(ConnectorError::TokenExpired) => Err(AccessError::SignInNeeded.into()),
                    answer => Ok(answer?),
                }
            }
            answer => Ok(answer?),
        }
    }

    /// Carries a batch out and commits the step.
    pub(crate) async fn commit(
        &self,
        mut tx: WorkspaceTx,
        batch: Batch<'_>,
        stage: Stage,
        records: usize,
    ) -> Result<(), StepError> {
        let keep_logs = self.run.trigger == RunTrigger::Manual;
        let logs = batch.commit(&mut tx, &self.run, keep_logs).await?;
        self.close(tx, &logs, stage, records).await
    }

    /// Commits a step whose batch is stored already: notes its stage and calls, and tells the screens.
    pub(crate) async fn close(
        &self,
        mut tx: WorkspaceTx,
        logs: &[(LogDirection, Uuid)],
        stage: Stage,
        records: usize,
    ) -> Result<(), StepError> {
        let direction = match stage {
            Stage::Read | Stage::Match | Stage::Merge | Stage::WriteApp => LogDirection::Pull,
            Stage::WriteCrm | Stage::Delete => LogDirection::Push,
        };
        let calls = self.note_calls(&mut tx).await?;
        if let Some((_, log_id)) = logs.iter().find(|(log, _)| *log == direction) {
            let records = i64::try_from(records).unwrap_or(i64::MAX);
            runs::note_stage(&mut tx, *log_id, stage.as_str(), self.started_at, records, calls).await?;
        }
        events::announce(&mut tx, "run", self.run.id, self.run.config_id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Adds the calls of this step to the connection's day; returns how many.
    pub(crate) async fn note_calls(&self, tx: &mut WorkspaceTx) -> Result<i64, StepError> {
        let Some(connection) = self.opened.lock().await.clone() else { return Ok(0) };
        let usage = connection.session.meter.usage();
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let org = (usage.org_allowed > 0).then(|| (signed(usage.org_used), signed(usage.org_allowed)));
        setup::note_calls(tx, self.connection.id, signed(usage.calls), org, usage.clock_difference_ms).await?;
        Ok(signed(usage.calls))
    }

    /// From the moment of a pause or a cancel on no call starts.
    async fn check_wanted(&self) -> Result<(), StepError> {
        let mut tx = self.begin().await?;
        let wanted = runs::is_wanted(&mut tx, self.run.id, self.connection.id).await?;
        tx.commit().await?;
        if wanted { Ok(()) } else { Err(StepError::Stopped) }
    }

    /// Refuses to go on where the whole org has used its share of the day. What was last heard may be old: it is asked again.
    async fn check_budget(&self) -> Result<(), StepError> {
        let share = i64::from(self.engine.settings.budget_percent);
        let is_used =
            |used: i64, allowed: i64| allowed > 0 && used.saturating_mul(100) >= allowed.saturating_mul(share);
        let Some((used, allowed)) = self.connection.org_calls else { return Ok(()) };
        if !is_used(used, allowed) {
            return Ok(());
        }
        let now = self.call(|crm| async move { crm.connector.allowance(&crm.session).await }).await?;
        let mut tx = self.begin().await?;
        self.note_calls(&mut tx).await?;
        tx.commit().await?;
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        if is_used(signed(now.used), signed(now.allowed)) { Err(StepError::Budget) } else { Ok(()) }
    }

    async fn renew_lease(&self) -> Result<(), StepError> {
        let mut connection = self.engine.crm.pool.acquire().await.map_err(StoreError::from)?;
        let now = self.engine.crm.clock.now();
        match queue::heartbeat(&mut connection, &self.lease, now, self.engine.settings.lease).await {
            Ok(_) => Ok(()),
            Err(queue::QueueError::LeaseLost) => Err(StepError::Lost),
            Err(error) => Err(store_error(error).into()),
        }
    }
}

/// What becomes of the job after a turn.
enum Turn {
    /// The run is over, or waits for an admin.
    Done,
    /// Go on at this instant.
    Again(DateTime<Utc>),
}

/// Works on a run for one turn, then puts its job back or ends it.
pub(crate) async fn work(engine: &Engine, lease: &Lease) -> Result<(), StoreError> {
    let args: RunStep = serde_json::from_value(lease.args.clone())?;
    let turn_ends = engine.crm.clock.now() + engine.settings.turn;
    let ahead = Arc::new(Mutex::new(None));
    let turn = loop {
        // A page that is read already is still worked on.
        let is_on = || async { engine.crm.clock.now() < turn_ends || ahead.lock().await.is_some() };
        match advance(engine, lease, &args, &ahead, turn_ends).await {
            Ok(None) if is_on().await => {}
            Ok(None) => break Turn::Again(engine.crm.clock.now()),
            Ok(Some(turn)) => break turn,
            Err(StepError::Settled) => {}
            // Somebody else goes on with it, or will when the lease ends.
            Err(StepError::Lost) => return Ok(()),
            Err(error) => break recovery::recover(engine, &args, error).await?,
        }
    };
    let mut connection = engine.crm.pool.acquire().await?;
    let now = engine.crm.clock.now();
    let ended = match turn {
        Turn::Done => queue::finish(&mut connection, lease, now).await,
        Turn::Again(at) => queue::again(&mut connection, lease, at).await,
    };
    match ended {
        Ok(()) | Err(queue::QueueError::LeaseLost) => Ok(()),
        Err(error) => Err(store_error(error)),
    }
}

/// One step. `None`: there is more to do at once.
async fn advance(
    engine: &Engine,
    lease: &Lease,
    args: &RunStep,
    ahead: &Arc<Mutex<Option<Ahead>>>,
    turn_ends: DateTime<Utc>,
) -> Result<Option<Turn>, StepError> {
    let now = engine.crm.clock.now();
    let mut tx = WorkspaceTx::begin(&engine.crm.pool, args.workspace_id, Actor::System, now).await?;
    let Some(run) = runs::load(&mut tx, args.run_id).await? else { return Ok(Some(Turn::Done)) };
    let Some(connection) = setup::connection(&mut tx, run.config_id).await? else { return Ok(Some(Turn::Done)) };
    if run.state.is_over() || (run.state == RunState::Held && run.held_decision.is_none()) {
        return Ok(Some(Turn::Done));
    }
    if run.cancel_requested {
        end_run(&mut tx, &connection, &run, RunState::Cancelled, None).await?;
        tx.commit().await?;
        return Ok(Some(Turn::Done));
    }
    match connection.status {
        ConnectionStatus::Connected => {}
        ConnectionStatus::Paused => return Ok(Some(Turn::Again(now + LOOK_AGAIN))),
        ConnectionStatus::Disconnected | ConnectionStatus::Error => {
            let sentence = "The connection is not signed in. Reconnect it; the next sync goes on from here.";
            end_run(&mut tx, &connection, &run, RunState::Failed, Some(("not_connected", sentence))).await?;
            tx.commit().await?;
            return Ok(Some(Turn::Done));
        }
    }
    if let Some(until) = connection.limited_until.filter(|until| *until > now) {
        return Ok(Some(Turn::Again(until)));
    }
    if matches!(run.state, RunState::Queued | RunState::Held) {
        let started = match run.state {
            RunState::Held => holds::resume(&mut tx, run.id).await?,
            _ => start(&mut tx, &connection, &run).await?,
        };
        tx.commit().await?;
        return Ok(if started { None } else { Some(Turn::Again(now + LOOK_AGAIN)) });
    }
    tx.commit().await?;
    let position: Position = serde_json::from_value(run.position.clone()).map_err(StoreError::from)?;
    let step = Step {
        engine: engine.clone(),
        workspace_id: args.workspace_id,
        run,
        connection,
        position,
        lease: lease.clone(),
        opened: Mutex::new(None),
        ahead: ahead.clone(),
        turn_ends,
        started_at: now,
    };
    take(Arc::new(step)).await
}

async fn take(step: Arc<Step>) -> Result<Option<Turn>, StepError> {
    match take_phase(&step).await {
        Err(StepError::Empties(entity)) => {
            step.describe_anew(entity).await?;
            Ok(None)
        }
        Err(StepError::Waits(wait)) => {
            let wait = TimeDelta::from_std(wait).unwrap_or(LOOK_AGAIN);
            Ok(Some(Turn::Again(step.engine.crm.clock.now() + wait)))
        }
        taken => taken,
    }
}

async fn take_phase(step: &Arc<Step>) -> Result<Option<Turn>, StepError> {
    step.check_budget().await?;
    settle::settle_open_intents(step).await?;
    match &step.position.phase {
        Phase::Prepare => read::prepare(step).await?,
        Phase::Read(state) => read::page(step, state).await?,
        Phase::Match(state) => matching::run(step, state).await?,
        Phase::Push { after } => push::run(step, *after).await?,
        Phase::Guard => deletes::guard::run(step).await?,
        Phase::Delete => deletes::run(step).await?,
        Phase::ListFiles { entity, after } => files::list(step, *entity, *after).await?,
        Phase::MoveFiles { after } => files::next(step, *after).await?,
        Phase::Finish => {
            let mut tx = step.begin().await?;
            fights::hold(step, &mut tx).await?;
            let failed = runs::failed_records(&mut tx, step.run.id).await?;
            let state = if failed > 0 { RunState::Partial } else { RunState::Completed };
            restores::end_run(&mut tx, step.connection.id).await?;
            end_run(&mut tx, &step.connection, &step.run, state, None).await?;
            tx.commit().await?;
            return Ok(Some(Turn::Done));
        }
    };
    Ok(None)
}

async fn start(tx: &mut WorkspaceTx, connection: &ConnectionSetup, run: &StoredRun) -> Result<bool, StepError> {
    if !runs::start(tx, run.id).await? {
        return Ok(false);
    }
    setup::complete_set_up(tx, connection.id).await?;
    restores::begin_run(tx, connection.id, run.id).await?;
    let entities = run.entities.iter().copied().filter(|entity| connection.entities.contains(entity)).collect();
    let position = Position::start(entities);
    let stored = serde_json::to_value(&position).map_err(StoreError::from)?;
    runs::advance(tx, run.id, run.version + 1, &stored, &position.progress()).await?;
    events::announce(tx, "run", run.id, run.config_id).await?;
    Ok(true)
}

async fn end_run(
    tx: &mut WorkspaceTx,
    connection: &ConnectionSetup,
    run: &StoredRun,
    state: RunState,
    error: Option<(&str, &str)>,
) -> Result<(), StepError> {
    if !runs::end(tx, run.id, run.version, state, error).await? {
        return Err(StepError::Lost);
    }
    metrics::counter!("crosstie_runs_total", "state" => state.as_str()).increment(1);
    if run.trigger != RunTrigger::Manual {
        runs::drop_empty_logs(tx, run.id).await?;
    }
    let log_status = match state {
        RunState::Failed => Some(LogStatus::Failed),
        RunState::Cancelled => Some(LogStatus::Cancelled),
        _ => None,
    };
    let sentence = error.map(|(_, sentence)| sentence);
    runs::end_logs(tx, run.id, log_status, sentence).await?;
    let status = match state {
        RunState::Completed => "success",
        RunState::Failed => "failed",
        _ => "partial",
    };
    let next = next_run(connection.frequency, connection.schedule.as_ref(), tx.now().timestamp_millis());
    let next_sync_at = next.and_then(DateTime::from_timestamp_millis).filter(|_| connection.set_up || state.is_over());
    setup::note_sync_end(tx, connection.id, &SyncEnd { status, error: sentence, next_sync_at }).await?;
    announce_end(tx, connection, run).await
}

/// Lets the connection's next run begin, and tells the screens.
async fn announce_end(tx: &mut WorkspaceTx, connection: &ConnectionSetup, run: &StoredRun) -> Result<(), StepError> {
    let now = tx.now();
    queue::hasten(tx.connection(), &connection.id.to_string(), now).await.map_err(store_error)?;
    events::announce(tx, "run", run.id, run.config_id).await?;
    Ok(())
}
