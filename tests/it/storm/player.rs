//! Plays a history: does what people do, and drives the worker from point to point.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use crosstie::clock::Clock;
use crosstie::engine::{CrmAccess, Engine, worker};
use crosstie::model::{Entity, SyncDirection};
use crosstie::service::{connections, runs};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Postgres, Transaction};
use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

use super::crm::Crm;
use super::history::{Event, History, Meanwhile, Point, Rights, Then};
use super::oracle::Oracle;
use super::points::{Points, Reached, Watched};
use super::proxy::Proxy;
use super::world::{self, Snapshot};
use crate::helpers::{TestApp, TestOptions};

/// Longer than a lease, and than any call may last.
const LEASE_ENDS: TimeDelta = TimeDelta::seconds(200);

/// Turns and waits after which a run is taken for endless.
const MOST_TURNS: usize = 400;

/// Hears every edit that the capture trigger notes, also those that a run has worked off before it ends.
const HEAR: &str = "
    CREATE TABLE heard (id bigint GENERATED ALWAYS AS IDENTITY, record_id uuid, action text, changed_fields text[]);
    CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO public.heard (record_id, action, changed_fields) VALUES (NEW.record_id, NEW.action, NEW.changed_fields);
      RETURN NULL;
    END $$;
    CREATE TRIGGER hear AFTER INSERT ON crm_pending_changes FOR EACH ROW EXECUTE FUNCTION hear()";

/// Runs after the last event within which everything must have come to rest.
const MOST_RUNS_TO_REST: usize = 10;

/// A whole Crosstie in a storm.
pub struct Player {
    pub app: TestApp,
    pub crm: &'static Crm,
    pub oracle: Oracle,
    /// Its pool goes through the proxy, its connector is watched.
    engine: Engine,
    points: Arc<Points>,
    reached: UnboundedReceiver<Reached>,
    /// Fields that the connected user may not do everything with.
    pub rights: BTreeMap<(Entity, &'static str), Rights>,
    /// Transactions of other programs in the app that are not committed yet.
    pub open: Vec<Transaction<'static, Postgres>>,
    /// When transactions in the CRM commit.
    commits: Vec<DateTime<Utc>>,
    /// Another workspace, which nothing may touch.
    bystander: Uuid,
    _proxy: Proxy,
}

/// How both sides and the journal stand at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    pub app: Snapshot,
    pub crm: Snapshot,
    /// A line for each journal row, sorted.
    pub journal: Vec<String>,
}

/// Plays a history; an error tells what was promised and not kept. In a task of its own, so that a panic is one failure.
pub async fn play(history: &History, crm: &'static Crm) -> Result<End, String> {
    let history = history.clone();
    let played = tokio::spawn(async move { Player::begin(&history, crm).await.play_out(&history).await });
    match tokio::time::timeout(std::time::Duration::from_secs(600), played).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(format!("it panicked: {panic}")),
        Err(_) => Err("it hangs".to_owned()),
    }
}

impl Player {
    async fn begin(history: &History, crm: &'static Crm) -> Self {
        let app = TestApp::with(TestOptions { seed: history.seed, ..TestOptions::default() }).await;
        app.leave_jobs();
        let (points, reached) = Points::new();
        let options: PgConnectOptions = app.database_url().parse().expect("an address");
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let proxy = Proxy::start(server, points.clone()).await;
        let options = options.host("127.0.0.1").port(proxy.port).ssl_mode(PgSslMode::Disable);
        let pool = PgPoolOptions::new().max_connections(6).connect_lazy_with(options);
        let watched = |real: &Arc<_>| Arc::new(Watched { real: Arc::clone(real), points: points.clone() }) as Arc<_>;
        let connectors = app.engine.crm.connectors.iter().map(watched).collect();
        let access = Arc::new(CrmAccess { pool, connectors, ..CrmAccess::clone(&app.engine.crm) });
        let engine = Engine { crm: access, ..app.engine.clone() };
        let (bystander, _) = app.other_workspace().await;
        app.sql(&format!("INSERT INTO accounts (workspace_id, name, phone) VALUES ('{bystander}', 'Company 1', '1')"))
            .await;
        app.as_superuser(HEAR).await;
        app.connect_salesforce().await;
        app.set_config(&format!(
            "conflict_resolution = '{}', sync_entities = '{{accounts,contacts,opportunities}}',
             options = options || '{{\"deleteInApp\": {}, \"deleteInCrm\": {}}}'",
            history.policy, history.delete_in_app, history.delete_in_crm
        ))
        .await;
        let (rights, open, commits) = (BTreeMap::new(), Vec::new(), Vec::new());
        let oracle = Oracle::default();
        Player { app, crm, oracle, engine, points, reached, rights, open, commits, bystander, _proxy: proxy }
    }

    async fn play_out(mut self, history: &History) -> Result<End, String> {
        for (place, event) in history.events.iter().enumerate() {
            self.event(event).await.map_err(|breach| format!("event {place}, {event:?}: {breach}"))?;
        }
        self.rest().await?;
        self.check_bystander().await?;
        self.oracle.check(&self.app, self.crm).await?;
        let journal = "SELECT entity_type, side, action, state, record_id, crm_record_id, fields FROM crm_sync_changes";
        let mut journal: Vec<String> = self.app.rows(journal).await.iter().map(ToString::to_string).collect();
        journal.sort();
        let (app, crm) = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        Ok(End { app, crm, journal })
    }

    async fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Wait { seconds } => self.advance(TimeDelta::seconds(i64::from(*seconds))).await,
            Event::Run { direction, entity, compares, meanwhile } => {
                self.run((*direction, *entity, *compares), meanwhile).await?;
                self.commit_open().await;
            }
            other => self.people(other, false).await,
        }
        Ok(())
    }

    /// What people do, and what the oracle sees of it.
    async fn people(&mut self, event: &Event, rows_are_locked: bool) {
        let before = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        super::people::act(self, event, &before.0, &before.1, rows_are_locked).await;
        let after = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        self.oracle.saw(&before, &after);
    }

    /// A transaction in the CRM commits so much later.
    pub fn commits_at(&mut self, later: TimeDelta) {
        self.commits.push(self.app.clock.now() + later);
    }

    /// Time goes by, in which transactions in the CRM may commit.
    async fn advance(&mut self, by: TimeDelta) {
        if self.commits.is_empty() {
            return self.app.advance(by);
        }
        let before = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        self.app.advance(by);
        let now = self.app.clock.now();
        self.commits.retain(|commits| *commits > now);
        let after = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        self.oracle.saw(&before, &after);
    }

    /// Other programs commit.
    async fn commit_open(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let before = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        for open in std::mem::take(&mut self.open) {
            open.commit().await.expect("a commit");
        }
        let after = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        self.oracle.saw(&before, &after);
    }

    /// One run that somebody asks for, and what must hold of every run.
    async fn run(
        &mut self,
        (direction, entity, compares): (Option<SyncDirection>, Option<Entity>, bool),
        meanwhile: &[Meanwhile],
    ) -> Result<(), String> {
        self.reconnect().await;
        let began = self.oracle.now();
        let before = world::in_app(&self.app, self.crm).await;
        let heard = self.newest_heard().await;
        let config = self.app.row("SELECT id, sync_direction FROM crm_sync_configs").await;
        let connected: SyncDirection =
            config["sync_direction"].as_str().and_then(|text| text.parse().ok()).expect("a direction");
        let admin = self.app.admin().await;
        let config_id = self.app.config_id().await;
        let narrow = entity.map(|entity| vec![entity]);
        let waits = self.app.rows("SELECT id FROM crm_sync_runs WHERE state IN ('queued', 'running')").await.len();
        let asked = runs::trigger(&self.app.services, admin, config_id, direction, narrow, compares).await;
        let run_id = asked.map_err(|error| format!("no run: {error:?}"))?.job_id;
        self.points.begin(meanwhile.to_vec());
        self.work_on(run_id).await?;
        let plain = waits == 0
            && !meanwhile.iter().any(|planned| matches!(planned.then, Then::Happens(_) | Then::Sleeps { .. }));
        if plain {
            let allowed = direction.unwrap_or(connected).common(connected);
            self.check_direction(allowed.pushes(), allowed.pulls(), entity, &before).await?;
            self.check_no_echo(heard).await?;
        }
        let run = self.app.run(run_id).await;
        let whole = entity.is_none() && direction.unwrap_or(connected) == SyncDirection::Bidirectional;
        if whole && connected == SyncDirection::Bidirectional && matches!(run.state.as_str(), "completed" | "partial") {
            self.oracle.settle(&self.app, self.crm, began).await?;
        }
        Ok(())
    }

    /// Works until the run is over; where it waits for a time the clock moves on.
    async fn work_on(&mut self, run_id: Uuid) -> Result<(), String> {
        for _ in 0..MOST_TURNS {
            let run = self.app.run(run_id).await;
            if !matches!(run.state.as_str(), "queued" | "running") {
                return if run.error_code.as_deref() == Some("internal") {
                    Err(format!("the engine met a state that it does not understand: {run:?}"))
                } else {
                    Ok(())
                };
            }
            if self.status().await == "paused" {
                self.check_pause().await?;
            } else if !self.turn().await {
                let waits = self.app.row("SELECT min(greatest(run_at, coalesce(leased_until, run_at))) AS until FROM jobs WHERE state IN ('queued', 'running')").await;
                let until: Option<DateTime<Utc>> = waits["until"].as_str().and_then(|until| until.parse().ok());
                let wait = until.ok_or_else(|| format!("nothing works on {run:?}"))? - self.app.clock.now();
                self.advance(wait.max(TimeDelta::seconds(1))).await;
            }
        }
        Err(format!("the run does not end: {:?}", self.app.run(run_id).await))
    }

    /// A worker's turn from point to point; `false` where no job is due.
    async fn turn(&mut self) -> bool {
        let engine = self.engine.clone();
        let mut turn = Box::pin(async move { worker::work_once(&engine).await });
        loop {
            let reached = tokio::select! {
                biased;
                Some(reached) = self.reached.recv() => reached,
                done = &mut turn => match done {
                    Ok(worked) => return worked,
                    Err(_) => {
                        // Postgres went away under it: its lease ends some time.
                        self.advance(LEASE_ENDS).await;
                        return true;
                    }
                },
            };
            let Reached { point, then, go_on } = reached;
            match then {
                Then::Happens(events) => {
                    for event in events.iter().filter(|event| event.is_small()) {
                        self.people(event, point == Point::BeforeCommit).await;
                    }
                }
                Then::Dies => {
                    drop((turn, go_on));
                    self.advance(LEASE_ENDS).await;
                    return true;
                }
                // What sleeps before a commit holds its locks, and nobody gets past it.
                Then::Sleeps { turns, happens } if point != Point::BeforeCommit => {
                    self.meanwhile(turns, &happens).await
                }
                Then::Sleeps { .. } => {}
                Then::Breaks => {
                    drop(go_on);
                    continue;
                }
            }
            // Whoever waited may be gone with a connection that broke.
            let _ = go_on.send(());
        }
    }

    /// A worker sleeps longer than its lease; others do its work.
    async fn meanwhile(&mut self, turns: u32, happens: &[Event]) {
        self.advance(LEASE_ENDS).await;
        for _ in 0..turns {
            Box::pin(self.turn()).await;
        }
        for event in happens.iter().filter(|event| event.is_small()) {
            self.people(event, false).await;
        }
        if !happens.is_empty() {
            let (admin, config_id) = (self.app.admin().await, self.app.config_id().await);
            // Where the sign-in has ended meanwhile there is no run.
            let _ = runs::trigger(&self.app.services, admin, config_id, None, None, false).await;
            for _ in 0..MOST_TURNS {
                if !Box::pin(self.turn()).await {
                    break;
                }
            }
        }
    }

    /// Faults are over, every setting is as at the beginning; runs until two in a row have written nothing.
    async fn rest(&mut self) -> Result<(), String> {
        self.app.simulator.clear_faults().await;
        super::people::calm_down(self).await;
        // A field that the user may see again is noticed by the next describe, which is fetched hourly at most.
        self.advance(TimeDelta::minutes(61)).await;
        let mut quiet = VecDeque::from([String::new(), String::new()]);
        for _ in 0..MOST_RUNS_TO_REST {
            self.advance(TimeDelta::minutes(5)).await;
            self.app.simulator.clear_stats().await;
            self.run((None, None, false), &[]).await.map_err(|breach| format!("at the end: {breach}"))?;
            let state = self.state().await;
            if quiet.iter().all(|before| *before == state) {
                let stats = self.app.simulator.stats().await;
                let calls = stats.calls - stats.of("describe");
                let looks = self.crm.looks * Entity::ALL.len() as u64;
                let open = self.app.rows("SELECT id FROM crm_record_links WHERE due").await.len();
                return if calls > looks && open == 0 {
                    Err(format!("a run at rest calls: {stats:?}"))
                } else {
                    Ok(())
                };
            }
            quiet.pop_front();
            quiet.push_back(state);
        }
        let journal = "SELECT entity_type, side, action, state, fields FROM crm_sync_changes ORDER BY id DESC LIMIT 6";
        Err(format!("it does not come to rest: {:?}", self.app.rows(journal).await))
    }

    async fn state(&self) -> String {
        let written = self.app.row("SELECT count(*) AS rows FROM crm_sync_changes").await;
        let (app, crm) = (world::in_app(&self.app, self.crm).await, world::in_crm(&self.app, self.crm).await);
        format!("{written} {app:?} {crm:?}")
    }

    /// A rotated token that a death or a lost answer kept from being stored is gone for good: a person signs in again.
    async fn reconnect(&self) {
        match self.status().await.as_str() {
            "error" => self.app.sign_in_again().await,
            "paused" => self.resume().await,
            _ => {}
        }
    }

    async fn status(&self) -> String {
        let row = self.app.row("SELECT status FROM crm_sync_configs").await;
        row["status"].as_str().unwrap_or_default().to_owned()
    }

    async fn resume(&self) {
        let (admin, config_id) = (self.app.admin().await, self.app.config_id().await);
        connections::resume(&self.app.services, admin, config_id).await.expect("a paused connection can go on");
    }

    /// No call starts while the connection is paused; then it goes on.
    async fn check_pause(&mut self) -> Result<(), String> {
        let before = self.points.calls();
        for _ in 0..3 {
            self.advance(TimeDelta::seconds(1)).await;
            self.turn().await;
        }
        let after = self.points.calls();
        self.resume().await;
        if before == after { Ok(()) } else { Err(format!("{} calls of a paused connection", after - before)) }
    }

    async fn newest_heard(&self) -> i64 {
        let newest = self.app.row("SELECT coalesce(max(id), 0) AS id FROM heard").await;
        newest["id"].as_i64().unwrap_or_default()
    }

    /// Nobody has edited during a run: so no edit was noted, but for first looks.
    async fn check_no_echo(&self, newest: i64) -> Result<(), String> {
        let query = format!("SELECT * FROM heard WHERE id > {newest} AND action <> 'first_look'");
        match self.app.rows(&query).await {
            echoes if echoes.is_empty() => Ok(()),
            echoes => Err(format!("the engine takes its own write for an edit: {echoes:?}")),
        }
    }

    /// A run writes only where its direction and its entities allow.
    async fn check_direction(
        &self,
        pushes: bool,
        pulls: bool,
        entity: Option<Entity>,
        before: &Snapshot,
    ) -> Result<(), String> {
        let sent = self.points.sent();
        if let Some(sent) = sent.iter().find(|sent| !pushes || entity.is_some_and(|entity| entity != sent.entity)) {
            return Err(format!("the run must not write to the CRM: {sent:?}"));
        }
        let mappings = "SELECT entity_type, crm_field FROM crm_field_mappings WHERE sync_direction IN ('pull', 'none')";
        for mapping in self.app.rows(mappings).await {
            let closed = |field: &String| mapping["crm_field"] == **field;
            let breach = sent
                .iter()
                .find(|sent| mapping["entity_type"] == sent.entity.as_str() && sent.fields.iter().any(closed));
            if let Some(sent) = breach {
                return Err(format!("{mapping} must not be written: {sent:?}"));
            }
        }
        let after = world::in_app(&self.app, self.crm).await;
        let moved = after.iter().find(|(key, row)| {
            before.get(*key) != Some(*row) && (!pulls || entity.is_some_and(|entity| entity != key.0))
        });
        match moved {
            Some(moved) => Err(format!("the run must not write to the app: {moved:?}")),
            None => Ok(()),
        }
    }

    async fn check_bystander(&self) -> Result<(), String> {
        let id = self.bystander;
        let rows = self.app.rows(&format!("SELECT name, phone FROM accounts WHERE workspace_id = '{id}'")).await;
        let foreign = format!(
            "SELECT id::text FROM crm_record_links WHERE workspace_id = '{id}'
             UNION ALL SELECT id::text FROM crm_sync_changes WHERE workspace_id = '{id}'"
        );
        let is_untouched = rows == [serde_json::json!({ "name": "Company 1", "phone": "1" })];
        if is_untouched && self.app.rows(&foreign).await.is_empty() {
            Ok(())
        } else {
            Err(format!("another workspace was touched: {rows:?}"))
        }
    }
}
