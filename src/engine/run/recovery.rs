//! What becomes of a run whose step did not commit (`sync.md`, "Errors").

use chrono::{DateTime, TimeDelta, Utc};

use super::{LOOK_AGAIN, StepError, Turn, announce_end, end_run};
use crate::connectors::ConnectorError;
use crate::engine::jobs::RunStep;
use crate::engine::position::{Phase, Position};
use crate::engine::{AccessError, Engine};
use crate::model::RunState;
use crate::store::runs::{self, StoredRun};
use crate::store::setup::{self, ConnectionSetup, SyncEnd};
use crate::store::{Actor, StoreError, WorkspaceTx, holds, restores};
use crate::sync::{backoff_ms, next_run};

/// Until the org's day is asked again whether it has room: it is a rolling one.
const BUDGET_WAIT: TimeDelta = TimeDelta::minutes(15);

/// How often a run that waits for a create to turn up looks whether it is wanted still.
const LOOK_FOR_CREATES: TimeDelta = TimeDelta::seconds(5);

/// Transient errors in a row after which a run waits a minute between tries, and after which it gives up.
const PATIENCE: (u32, u32) = (5, 30);

/// What an error makes of the run (`sync.md`, "Errors").
pub(super) async fn recover(engine: &Engine, args: &RunStep, error: StepError) -> Result<Turn, StoreError> {
    let now = engine.crm.clock.now();
    let mut tx = WorkspaceTx::begin(&engine.crm.pool, args.workspace_id, Actor::System, now).await?;
    let Some(run) = runs::load(&mut tx, args.run_id).await? else { return Ok(Turn::Done) };
    let Some(connection) = setup::connection(&mut tx, run.config_id).await? else { return Ok(Turn::Done) };
    tracing::warn!(run_id = %run.id, config_id = %run.config_id, error = %error, "a step of a run did not commit");
    let turn = match &error {
        StepError::Lost | StepError::Settled | StepError::Empties(_) | StepError::Waits(_) => Turn::Done,
        StepError::Unsure => Turn::Again(now + LOOK_FOR_CREATES),
        StepError::Stopped => Turn::Again(now + LOOK_AGAIN),
        StepError::Budget => {
            let until = now + BUDGET_WAIT;
            setup::limit_until(&mut tx, connection.id, until).await?;
            Turn::Again(until)
        }
        StepError::Held => hold(&mut tx, &connection, &run).await?,
        StepError::Store(error) if !matches!(error, StoreError::Unavailable(_)) => {
            let sentence = "Crosstie met a state that it does not understand and stopped before changing anything. Tell support the run's id.";
            fail(&mut tx, &connection, &run, "internal", sentence).await?
        }
        StepError::Crm(ConnectorError::RateLimited { wait, .. }) => {
            let until = now + TimeDelta::from_std(*wait).unwrap_or(TimeDelta::minutes(1));
            setup::limit_until(&mut tx, connection.id, until).await?;
            Turn::Again(until)
        }
        StepError::Access(AccessError::SignInNeeded) | StepError::Crm(ConnectorError::SignIn { .. }) => {
            let sentence = format!(
                "{} asks for a new sign-in. Press Reconnect; nothing is lost, the next sync goes on from here.",
                connection.provider.title()
            );
            let turn = fail(&mut tx, &connection, &run, "sign_in", &sentence).await?;
            setup::mark_error(&mut tx, connection.id, &sentence).await?;
            turn
        }
        StepError::Access(AccessError::Refreshing) => Turn::Again(now + LOOK_AGAIN),
        StepError::Access(error) => {
            let sentence =
                format!("The connection cannot be used: {error}. An admin can mend it in the server's settings.");
            fail(&mut tx, &connection, &run, "not_connected", &sentence).await?
        }
        StepError::Crm(ConnectorError::PositionExpired) => restart_window(&mut tx, &run, now).await?,
        StepError::Crm(ConnectorError::Configuration { .. }) if describes_anew(&run)? => {
            setup::forget_descriptions(&mut tx, connection.id).await?;
            wait_and_retry(engine, &mut tx, &connection, &run).await?
        }
        StepError::Crm(ConnectorError::Configuration { subject, .. }) => {
            let sentence = format!(
                "{} does not know or does not allow {subject}. Check the mappings and the connected user's rights.",
                connection.provider.title()
            );
            fail(&mut tx, &connection, &run, "configuration", &sentence).await?
        }
        StepError::Crm(ConnectorError::Rejected { crm_code }) => {
            let sentence = format!(
                "{} refused a request ({crm_code}). Check the mappings; if they are right, tell support the run's id.",
                connection.provider.title()
            );
            fail(&mut tx, &connection, &run, "rejected", &sentence).await?
        }
        StepError::Store(_) | StepError::Crm(_) => wait_and_retry(engine, &mut tx, &connection, &run).await?,
    };
    tx.commit().await?;
    Ok(turn)
}

async fn fail(
    tx: &mut WorkspaceTx,
    connection: &ConnectionSetup,
    run: &StoredRun,
    code: &str,
    sentence: &str,
) -> Result<Turn, StoreError> {
    match end_run(tx, connection, run, RunState::Failed, Some((code, sentence))).await {
        Ok(()) | Err(StepError::Lost) => Ok(Turn::Done),
        Err(StepError::Store(error)) => Err(error),
        Err(other) => Err(StoreError::Unreadable(other.to_string())),
    }
}

/// The run waits for an admin; the connection goes on with the next.
async fn hold(tx: &mut WorkspaceTx, connection: &ConnectionSetup, run: &StoredRun) -> Result<Turn, StoreError> {
    holds::hold_run(tx, run.id, run.version).await?;
    restores::end_run(tx, connection.id).await?;
    let next = next_run(connection.frequency, connection.schedule.as_ref(), tx.now().timestamp_millis());
    let next_sync_at = next.and_then(DateTime::from_timestamp_millis);
    setup::note_sync_end(tx, connection.id, &SyncEnd { status: "partial", error: None, next_sync_at }).await?;
    match announce_end(tx, connection, run).await {
        Ok(()) => Ok(Turn::Done),
        Err(StepError::Store(error)) => Err(error),
        Err(other) => Err(StoreError::Unreadable(other.to_string())),
    }
}

/// Whether a describe that is no longer true may be the reason: once per step, the next try fetches new ones.
fn describes_anew(run: &StoredRun) -> Result<bool, StoreError> {
    let position: Position = serde_json::from_value(run.position.clone())?;
    Ok(position.tries == 0)
}

async fn restart_window(tx: &mut WorkspaceTx, run: &StoredRun, now: DateTime<Utc>) -> Result<Turn, StoreError> {
    let mut position: Position = serde_json::from_value(run.position.clone())?;
    if let Phase::Read(state) = &mut position.phase {
        state.page = None;
        position.processed = 0;
    }
    runs::advance(tx, run.id, run.version, &serde_json::to_value(&position)?, &position.progress()).await?;
    Ok(Turn::Again(now))
}

async fn wait_and_retry(
    engine: &Engine,
    tx: &mut WorkspaceTx,
    connection: &ConnectionSetup,
    run: &StoredRun,
) -> Result<Turn, StoreError> {
    let mut position: Position = serde_json::from_value(run.position.clone())?;
    position.tries += 1;
    if position.tries > PATIENCE.1 {
        let sentence = format!(
            "{} did not answer for a while. Nothing is lost; the next sync goes on from here.",
            connection.provider.title()
        );
        return fail(tx, connection, run, "crm_unavailable", &sentence).await;
    }
    runs::advance(tx, run.id, run.version, &serde_json::to_value(&position)?, &position.progress()).await?;
    let mut jitter = [0_u8; 1];
    engine.crm.rng.fill(&mut jitter);
    let wait = if position.tries > PATIENCE.0 {
        TimeDelta::minutes(1)
    } else {
        TimeDelta::milliseconds(backoff_ms(position.tries, f64::from(jitter[0]) / 255.0))
    };
    Ok(Turn::Again(tx.now() + wait))
}
