//! Plays a history: does what people do, and drives the worker from point to point.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use crosstie::clock::Clock;
use crosstie::engine::{CrmAccess, Engine, worker};
use crosstie::model::{Entity, Provider, SyncDirection};
use crosstie::service::{connections, runs};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Postgres, Transaction};
use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

use super::crm::{HUBSPOT_ZONE, crm};
use super::history::{Event, History, Meanwhile, Point, Rights, Then};
use super::oracle::{Oracle, Sides};
use super::points::{Points, Reached, Watched};
use super::proxy::Proxy;
use super::told::Told;
use super::world::{self, Snapshot, World};
use crate::helpers::{TestApp, TestOptions};

/// Longer than a lease, and than any call may last.
const LEASE_ENDS: TimeDelta = TimeDelta::seconds(200);

/// Turns and waits after which a run is taken for endless.
const MOST_TURNS: usize = 2000;

/// Hears every edit that the capture trigger notes, also those that a run has worked off before it ends.
const HEAR: &str = "
    CREATE TABLE heard
      (id bigint GENERATED ALWAYS AS IDENTITY, config_id uuid, record_id uuid, action text, changed_fields text[]);
    CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO public.heard (config_id, record_id, action, changed_fields)
        VALUES (NEW.config_id, NEW.record_id, NEW.action, NEW.changed_fields);
      RETURN NULL;
    END $$;
    CREATE TRIGGER hear AFTER INSERT ON crm_pending_changes FOR EACH ROW EXECUTE FUNCTION hear()";

/// Runs after the last event within which everything must have come to rest.
const MOST_RUNS_TO_REST: usize = 10;

/// A whole Crosstie in a storm.
pub struct Player {
    pub app: TestApp,
    pub crms: Vec<Provider>,
    pub oracle: Oracle,
    configs: BTreeMap<Provider, Uuid>,
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

/// How all sides and the journal stand at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    pub world: World,
    /// A line for each journal row, sorted.
    pub journal: Vec<String>,
}

/// Plays a history; an error tells what was promised and not kept. In a task of its own, so that a panic is one failure.
pub async fn play(history: &History) -> Result<End, String> {
    let history = history.clone();
    let played = tokio::spawn(async move { Player::begin(&history).await.play_out(&history).await });
    match tokio::time::timeout(std::time::Duration::from_secs(600), played).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(format!("it panicked: {panic}")),
        Err(_) => Err("it hangs".to_owned()),
    }
}

impl Player {
    async fn begin(history: &History) -> Self {
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
        let mut configs = BTreeMap::new();
        for crm in &history.crms {
            let id = match crm {
                Provider::Salesforce => app.connect_salesforce().await,
                Provider::Hubspot => app.connect_hubspot().await,
            };
            configs.insert(*crm, id);
        }
        let zone = format!("UPDATE crm_sync_configs SET time_zone = '{HUBSPOT_ZONE}' WHERE crm_provider = 'hubspot'");
        app.as_superuser(&zone).await;
        app.as_superuser(&format!(
            "UPDATE crm_sync_configs SET conflict_resolution = '{}', sync_entities = '{{accounts,contacts,opportunities}}',
             options = options || '{{\"deleteInApp\": {}, \"deleteInCrm\": {}}}'",
            history.policy, history.delete_in_app, history.delete_in_crm
        ))
        .await;
        Player {
            app,
            crms: history.crms.clone(),
            oracle: Oracle::default(),
            configs,
            engine,
            points,
            reached,
            rights: BTreeMap::new(),
            open: Vec::new(),
            commits: Vec::new(),
            bystander,
            _proxy: proxy,
        }
    }

    async fn play_out(mut self, history: &History) -> Result<End, String> {
        for (place, event) in history.events.iter().enumerate() {
            self.event(event).await.map_err(|breach| format!("event {place}, {event:?}: {breach}"))?;
        }
        self.rest().await?;
        self.check_bystander().await?;
        self.oracle.check(&self.sides().await, &Told::read(&self.app).await)?;
        let journal = "SELECT entity_type, side, action, state, record_id, crm_record_id, fields FROM crm_sync_changes";
        let mut journal: Vec<String> = self.app.rows(journal).await.iter().map(ToString::to_string).collect();
        journal.sort();
        Ok(End { world: self.world().await, journal })
    }

    /// The app and the CRMs as they are.
    async fn world(&self) -> World {
        world::world(&self.app, &self.crms).await
    }

    async fn sides(&self) -> Sides {
        Sides { world: self.world().await, ties: world::ties(&self.app).await }
    }

    /// A CRM's connection.
    pub fn config_of(&self, crm: Provider) -> Uuid {
        self.configs[&crm]
    }

    async fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Wait { seconds } => self.advance(TimeDelta::seconds(i64::from(*seconds))).await,
            Event::Run { crm, direction, entity, compares, meanwhile } => {
                self.run(*crm, (*direction, *entity, *compares), meanwhile).await?;
                self.commit_open().await;
            }
            other => self.people(other, false).await,
        }
        Ok(())
    }

    /// What people do, and what the oracle sees of it.
    async fn people(&mut self, event: &Event, rows_are_locked: bool) {
        let before = self.world().await;
        super::people::act(self, event, &before, rows_are_locked).await;
        let after = self.world().await;
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
        let before = self.world().await;
        self.app.advance(by);
        let now = self.app.clock.now();
        self.commits.retain(|commits| *commits > now);
        let after = self.world().await;
        self.oracle.saw(&before, &after);
    }

    /// Other programs commit.
    async fn commit_open(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let before = self.world().await;
        for open in std::mem::take(&mut self.open) {
            open.commit().await.expect("a commit");
        }
        let after = self.world().await;
        self.oracle.saw(&before, &after);
    }

    /// One run that somebody asks for, and what must hold of every run.
    async fn run(
        &mut self,
        crm: Provider,
        (direction, entity, compares): (Option<SyncDirection>, Option<Entity>, bool),
        meanwhile: &[Meanwhile],
    ) -> Result<(), String> {
        self.reconnect(crm).await;
        let config_id = self.config_of(crm);
        let began = self.oracle.now();
        let before = world::in_app(&self.app).await;
        let heard = self.newest_heard().await;
        let config =
            self.app.row(&format!("SELECT sync_direction FROM crm_sync_configs WHERE id = '{config_id}'")).await;
        let connected: SyncDirection =
            config["sync_direction"].as_str().and_then(|text| text.parse().ok()).expect("a direction");
        let admin = self.app.admin().await;
        let narrow = entity.map(|entity| vec![entity]);
        let waits = self.app.rows("SELECT id FROM crm_sync_runs WHERE state IN ('queued', 'running')").await.len();
        let asked = runs::trigger(&self.app.services, admin, config_id, direction, narrow, compares).await;
        let run_id = asked.map_err(|error| format!("no run: {error:?}"))?.job_id;
        self.points.begin(meanwhile.to_vec());
        self.work_on(crm, run_id).await?;
        let plain = waits == 0
            && !meanwhile.iter().any(|planned| matches!(planned.then, Then::Happens(_) | Then::Sleeps { .. }));
        if plain {
            let allowed = direction.unwrap_or(connected).common(connected);
            self.check_direction(config_id, allowed.pushes(), allowed.pulls(), entity, &before).await?;
            self.check_no_echo(config_id, heard).await?;
        }
        if plain && compares {
            self.check_missed(run_id).await?;
        }
        let run = self.app.run(run_id).await;
        let whole = entity.is_none() && direction.unwrap_or(connected) == SyncDirection::Bidirectional;
        if whole && connected == SyncDirection::Bidirectional && matches!(run.state.as_str(), "completed" | "partial") {
            let (sides, told) = (self.sides().await, Told::read(&self.app).await);
            self.oracle.settle(&sides, &told, began)?;
        }
        Ok(())
    }

    /// Works until the run is over; where it waits for a time the clock moves on.
    async fn work_on(&mut self, crm: Provider, run_id: Uuid) -> Result<(), String> {
        for _ in 0..MOST_TURNS {
            let run = self.app.run(run_id).await;
            if !matches!(run.state.as_str(), "queued" | "running") {
                return if run.error_code.as_deref() == Some("internal") {
                    Err(format!("the engine met a state that it does not understand: {run:?}"))
                } else {
                    Ok(())
                };
            }
            if self.status(crm).await == "paused" {
                self.check_pause(crm).await?;
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
            let admin = self.app.admin().await;
            for config_id in self.configs.values() {
                // Where the sign-in has ended meanwhile there is no run.
                let _ = runs::trigger(&self.app.services, admin, *config_id, None, None, false).await;
            }
            for _ in 0..MOST_TURNS {
                if !Box::pin(self.turn()).await {
                    break;
                }
            }
        }
    }

    /// Faults are over, every setting is as at the beginning; runs until two in a row have written nothing.
    async fn rest(&mut self) -> Result<(), String> {
        for crm in &self.crms {
            self.app.simulator_of(*crm).clear_faults().await;
        }
        super::people::calm_down(self).await;
        // A field that the user may see again is noticed by the next describe, which is fetched hourly at most; an association
        // that moved no stamp by the daily look.
        self.advance(TimeDelta::hours(25)).await;
        let mut quiet = VecDeque::from([String::new(), String::new()]);
        for _ in 0..MOST_RUNS_TO_REST {
            self.advance(TimeDelta::minutes(5)).await;
            for crm in self.crms.clone() {
                self.app.simulator_of(crm).clear_stats().await;
                self.run(crm, (None, None, false), &[]).await.map_err(|breach| format!("at the end: {breach}"))?;
            }
            let state = self.state().await;
            if quiet.iter().all(|before| *before == state) {
                return self.check_rest().await;
            }
            quiet.pop_front();
            quiet.push_back(state);
        }
        let journal = "SELECT entity_type, side, action, state, fields FROM crm_sync_changes ORDER BY id DESC LIMIT 6";
        Err(format!("it does not come to rest: {:?}", self.app.rows(journal).await))
    }

    /// The last runs have only looked, and nothing was missed.
    async fn check_rest(&mut self) -> Result<(), String> {
        let open = self.app.rows("SELECT id FROM crm_record_links WHERE due").await.len();
        for provider in &self.crms {
            let stats = self.app.simulator_of(*provider).stats().await;
            let described = ["describe", "properties", "pipelines", "owners", "account"].map(|call| stats.of(call));
            let looks = crm(*provider).looks * Entity::ALL.len() as u64;
            if stats.calls - described.iter().sum::<u64>() > looks && open == 0 {
                return Err(format!("a run at rest calls {provider}: {stats:?}"));
            }
        }
        for crm in self.crms.clone() {
            self.run(crm, (None, None, true), &[]).await.map_err(|breach| format!("compared at the end: {breach}"))?;
        }
        Ok(())
    }

    async fn state(&self) -> String {
        let written = self.app.row("SELECT count(*) AS rows FROM crm_sync_changes").await;
        format!("{written} {:?}", self.world().await)
    }

    /// A rotated token that a death or a lost answer kept from being stored is gone for good: a person signs in again.
    async fn reconnect(&self, crm: Provider) {
        match self.status(crm).await.as_str() {
            "error" => self.app.sign_in_again_to(crm, self.config_of(crm)).await,
            "paused" => self.resume(crm).await,
            _ => {}
        }
    }

    async fn status(&self, crm: Provider) -> String {
        let config_id = self.config_of(crm);
        let row = self.app.row(&format!("SELECT status FROM crm_sync_configs WHERE id = '{config_id}'")).await;
        row["status"].as_str().unwrap_or_default().to_owned()
    }

    async fn resume(&self, crm: Provider) {
        let admin = self.app.admin().await;
        connections::resume(&self.app.services, admin, self.config_of(crm))
            .await
            .expect("a paused connection can go on");
    }

    /// A full comparison finds nothing that the runs before should have brought.
    async fn check_missed(&self, run_id: Uuid) -> Result<(), String> {
        let query = format!("SELECT * FROM crm_sync_logs WHERE run_id = '{run_id}' AND records_missed > 0");
        match self.app.rows(&query).await {
            missed if missed.is_empty() => Ok(()),
            missed => Err(format!("changes were missed: {missed:?}")),
        }
    }

    /// No call starts while the connection is paused; then it goes on.
    async fn check_pause(&mut self, crm: Provider) -> Result<(), String> {
        let before = self.points.calls();
        for _ in 0..3 {
            self.advance(TimeDelta::seconds(1)).await;
            self.turn().await;
        }
        let after = self.points.calls();
        self.resume(crm).await;
        if before == after { Ok(()) } else { Err(format!("{} calls of a paused connection", after - before)) }
    }

    async fn newest_heard(&self) -> i64 {
        let newest = self.app.row("SELECT coalesce(max(id), 0) AS id FROM heard").await;
        newest["id"].as_i64().unwrap_or_default()
    }

    /// Nobody has edited during a run: so no edit was noted, but for first looks.
    async fn check_no_echo(&self, config_id: Uuid, newest: i64) -> Result<(), String> {
        let query =
            format!("SELECT * FROM heard WHERE id > {newest} AND config_id = '{config_id}' AND action <> 'first_look'");
        match self.app.rows(&query).await {
            echoes if echoes.is_empty() => Ok(()),
            echoes => Err(format!("the engine takes its own write for an edit: {echoes:?}")),
        }
    }

    /// A run writes only where its direction and its entities allow.
    async fn check_direction(
        &self,
        config_id: Uuid,
        pushes: bool,
        pulls: bool,
        entity: Option<Entity>,
        before: &Snapshot,
    ) -> Result<(), String> {
        let sent = self.points.sent();
        if let Some(sent) = sent.iter().find(|sent| !pushes || entity.is_some_and(|entity| entity != sent.entity)) {
            return Err(format!("the run must not write to the CRM: {sent:?}"));
        }
        let mappings = format!(
            "SELECT entity_type, crm_field FROM crm_field_mappings
             WHERE config_id = '{config_id}' AND sync_direction IN ('pull', 'none')"
        );
        for mapping in self.app.rows(&mappings).await {
            let closed = |field: &String| mapping["crm_field"] == **field;
            let breach = sent
                .iter()
                .find(|sent| mapping["entity_type"] == sent.entity.as_str() && sent.fields.iter().any(closed));
            if let Some(sent) = breach {
                return Err(format!("{mapping} must not be written: {sent:?}"));
            }
        }
        let after = world::in_app(&self.app).await;
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
