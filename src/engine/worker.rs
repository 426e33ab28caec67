//! The loops of a worker process: claim jobs, start what is due, hear what changed.
//!
//! Nothing is remembered between turns: any number of processes may run these loops on one database.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::jobs::{self, RUN_STEP, store_error};
use super::{Engine, run};
use crate::model::RunTrigger;
use crate::queue::{self, Lease};
use crate::store::runs::RunRequest;
use crate::store::{Actor, StoreError, WorkspaceTx, lookup, setup};
use crate::sync::next_run;

/// How long an idle worker waits for a hint before it looks by itself.
const POLL: Duration = Duration::from_secs(1);

/// Connections that one look at the schedules starts at the most.
const DUE_AT_ONCE: i32 = 100;

/// Works on jobs until `shutdown`; the turn under way is finished first.
pub async fn work(engine: Engine, wake: Arc<Notify>, shutdown: CancellationToken) {
    let turn = || {
        let engine = engine.clone();
        async move { work_once(&engine).await }
    };
    take_turns("a worker's turn", &wake, &shutdown, turn).await;
}

/// Takes turns until `shutdown`, at once after one that did something and else after a hint or [`POLL`].
async fn take_turns<Turn: Future<Output = Result<bool, StoreError>>>(
    name: &str,
    wake: &Notify,
    shutdown: &CancellationToken,
    turn: impl Fn() -> Turn,
) {
    let mut fails = false;
    while !shutdown.is_cancelled() {
        // Heard from here on: a hint that comes during the turn is not lost.
        let mut hint = pin!(wake.notified());
        hint.as_mut().enable();
        let did_something = match turn().await {
            Ok(did_something) => {
                if std::mem::take(&mut fails) {
                    tracing::info!("{name} succeeds again");
                }
                did_something
            }
            Err(error) => {
                // Once, not every second while the database is away.
                if !std::mem::replace(&mut fails, true) {
                    tracing::error!(error = %error, "{name} failed; it is tried again every second");
                }
                false
            }
        };
        if !did_something {
            tokio::select! {
                () = hint => {}
                () = tokio::time::sleep(POLL) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }
}

/// Works on one due job for one turn; `false` where none is due. Tests step through runs with this.
pub async fn work_once(engine: &Engine) -> Result<bool, StoreError> {
    let mut connection = engine.crm.pool.acquire().await?;
    let now = engine.crm.clock.now();
    let claimed = queue::claim(&mut connection, now, engine.settings.lease).await.map_err(store_error)?;
    drop(connection);
    let Some(lease) = claimed else { return Ok(false) };
    if lease.kind == RUN_STEP {
        run::work(engine, &lease).await?;
    } else {
        drain(engine, &lease).await?;
    }
    Ok(true)
}

/// A job of a kind that this version no longer has.
async fn drain(engine: &Engine, lease: &Lease) -> Result<(), StoreError> {
    let mut connection = engine.crm.pool.acquire().await?;
    let now = engine.crm.clock.now();
    queue::fail(&mut connection, lease, now, "no version of this kind").await.map_err(store_error)
}

/// Starts what is due until `shutdown`.
pub async fn schedule(engine: Engine, wake: Arc<Notify>, shutdown: CancellationToken) {
    let turn = || {
        let engine = engine.clone();
        async move { schedule_once(&engine).await.map(|_| false) }
    };
    take_turns("a look at the schedules", &wake, &shutdown, turn).await;
}

/// Starts the runs that are due now: by schedule, and by edits in the app on real-time connections. Returns how many.
pub async fn schedule_once(engine: &Engine) -> Result<usize, StoreError> {
    let now = engine.crm.clock.now();
    let mut tx = WorkspaceTx::begin_without_workspace(&engine.crm.pool, Actor::System, now).await?;
    let due = lookup::due_connections(&mut tx, DUE_AT_ONCE).await?;
    let edited = lookup::changed_connections(&mut tx, DUE_AT_ONCE).await?;
    tx.commit().await?;
    let due = due.into_iter().map(|(workspace_id, config_id)| (workspace_id, config_id, RunTrigger::Schedule));
    let edited = edited.into_iter().map(|(workspace_id, config_id)| (workspace_id, config_id, RunTrigger::Change));
    let mut started = 0;
    for (workspace_id, config_id, trigger) in due.chain(edited) {
        start(engine, workspace_id, config_id, trigger).await?;
        started += 1;
    }
    Ok(started)
}

async fn start(engine: &Engine, workspace_id: Uuid, config_id: Uuid, trigger: RunTrigger) -> Result<(), StoreError> {
    let now = engine.crm.clock.now();
    let mut tx = WorkspaceTx::begin(&engine.crm.pool, workspace_id, Actor::System, now).await?;
    let Some(connection) = setup::connection(&mut tx, config_id).await? else { return Ok(()) };
    if trigger == RunTrigger::Schedule {
        let next = next_run(connection.frequency, connection.schedule.as_ref(), now.timestamp_millis());
        let next = next.and_then(DateTime::from_timestamp_millis);
        setup::set_next_sync(&mut tx, config_id, next).await?;
    }
    if connection.set_up {
        let request = RunRequest {
            trigger,
            direction: connection.direction,
            entities: &connection.entities,
            compares: false,
            requested_by: None,
        };
        jobs::request_run(&mut tx, config_id, &request).await?;
    }
    tx.commit().await
}

/// Hears what other transactions announce until `shutdown`: jobs and edits wake the loops, events go to open screens.
pub async fn listen(
    listen_url: String,
    wake: Arc<Notify>,
    on_event: impl Fn(&str) + Send + 'static,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        if let Err(error) = listen_until_lost(&listen_url, &wake, &on_event, &shutdown).await {
            tracing::warn!(error = %error, "the notification connection was lost; polling until it is back");
        }
        // What was announced meanwhile is lost: everybody looks once.
        wake.notify_waiters();
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn listen_until_lost(
    listen_url: &str,
    wake: &Notify,
    on_event: &(impl Fn(&str) + Send),
    shutdown: &CancellationToken,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(listen_url).await?;
    listener.listen_all([queue::CHANNEL, "crosstie_changes", "crosstie_events"]).await?;
    wake.notify_waiters();
    loop {
        let notification = tokio::select! {
            notification = listener.recv() => notification?,
            () = shutdown.cancelled() => return Ok(()),
        };
        if notification.channel() == "crosstie_events" {
            on_event(notification.payload());
        } else {
            wake.notify_waiters();
        }
    }
}
