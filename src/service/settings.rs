//! The settings of a connection: direction, schedule, entities, policy, options.
//!
//! Must not know: how a run uses them. Invariants: only what a run follows can be set; whatever widens is read in full by the
//! next run, which sees it by the fingerprint of its window.

mod rules;
mod screen;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::connections::config;
use super::{FieldProblem, ServiceError, Services, Viewer};
use crate::model::{
    Capability, ConflictPolicy, ConnectionStatus, Entity, Options, Schedule, SyncDirection, SyncFrequency,
};
use crate::store::connections::{self, StoredConnection};
use crate::store::settings::{self, Settings};
use crate::store::{WorkspaceTx, events};
use crate::sync::{next_run, validate_schedule};
use crate::view::connections::Config;

use rules::CheckedRules;
pub use screen::{next_runs, page, save};

/// Most records that the guard can be set to.
const MOST_GUARD_RECORDS: u32 = 1_000_000;

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct SettingsPatch {
    /// Another direction.
    pub direction: Option<SyncDirection>,
    /// Another frequency.
    pub frequency: Option<SyncFrequency>,
    /// Another schedule; the inner `None` is the frequency's own default.
    pub schedule: Option<Option<Schedule>>,
    /// Other entities, as the API names them.
    pub entities: Option<Vec<String>>,
    /// Filters and excluded fields of the entities that it names; `null` narrows none any more.
    pub rules: Option<serde_json::Value>,
    /// Another policy.
    pub policy: Option<ConflictPolicy>,
    /// Other options.
    pub options: OptionsPatch,
}

/// Which options to change.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OptionsPatch {
    /// "Create new records if not found".
    pub create_missing: Option<bool>,
    /// "Delete records when deleted in CRM".
    pub delete_in_app: Option<bool>,
    /// "Delete in CRM when deleted in app".
    pub delete_in_crm: Option<bool>,
    /// "Sync attachments and files".
    pub sync_files: Option<bool>,
    /// Records that a mass delete may touch before it is held.
    pub guard_records: Option<u32>,
    /// Share in percent that it may touch before it is held.
    pub guard_percent: Option<u32>,
}

impl SettingsPatch {
    /// Whether it touches nothing but filters, which whoever manages mappings may change.
    fn is_about_rules(&self) -> bool {
        let Self { direction, frequency, schedule, entities, rules, policy, options } = self;
        rules.is_some()
            && direction.is_none()
            && frequency.is_none()
            && schedule.is_none()
            && entities.is_none()
            && policy.is_none()
            && *options == OptionsPatch::default()
    }
}

/// Changes settings of a connection.
pub async fn update(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    patch: SettingsPatch,
) -> Result<Config, ServiceError> {
    viewer.require(if patch.is_about_rules() { Capability::ManageMappings } else { Capability::ManageConnections })?;
    let rules = match &patch.rules {
        Some(sent) => rules::check(services, viewer, config_id, sent).await?,
        None => CheckedRules::default(),
    };
    let mut tx = services.begin(viewer).await?;
    let before = locked(&mut tx, config_id).await?;
    let changed = changed(&before, &patch, &rules)?;
    write(&mut tx, &before, &changed).await?;
    let after = connections::get(&mut tx, config_id).await?.ok_or_else(|| ServiceError::not_found("connection"))?;
    tx.commit().await?;
    Ok(config(after))
}

async fn locked(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<StoredConnection, ServiceError> {
    let not_found = || ServiceError::not_found("connection");
    if !settings::lock(tx, config_id).await? {
        return Err(not_found());
    }
    connections::get(tx, config_id).await?.ok_or_else(not_found)
}

async fn write(tx: &mut WorkspaceTx, before: &StoredConnection, after: &Settings) -> Result<(), ServiceError> {
    let same_times = before.frequency == after.frequency && before.schedule == after.schedule;
    let next = if same_times { before.next_sync_at } else { next_sync_at(before, after, tx.now()) };
    settings::write(tx, before.id, after, next).await?;
    events::announce(tx, "connection", before.id, before.id).await?;
    Ok(())
}

/// When a connection runs next by itself: not before its set-up is complete, and not while it is not on.
fn next_sync_at(before: &StoredConnection, after: &Settings, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    before.setup_completed_at.filter(|_| before.status == ConnectionStatus::Connected)?;
    let at = next_run(after.frequency, after.schedule.as_ref(), now.timestamp_millis())?;
    DateTime::from_timestamp_millis(at)
}

fn of(stored: &StoredConnection) -> Result<Settings, ServiceError> {
    Ok(Settings {
        direction: stored.direction,
        frequency: stored.frequency,
        schedule: stored.schedule.clone(),
        entities: stored.entities.clone(),
        policy: stored.policy,
        options: stored.options.clone(),
        rules: settings::rules_of(stored.rules.clone())?,
    })
}

/// The settings after the patch, or everything that is wrong with it.
fn changed(before: &StoredConnection, patch: &SettingsPatch, rules: &CheckedRules) -> Result<Settings, ServiceError> {
    let mut after = of(before)?;
    rules.apply(&mut after.rules);
    let mut problems = rules.problems.clone();
    let mut add = |field: &str, message: &str| {
        problems.push(FieldProblem { field: field.to_owned(), message: message.to_owned() });
    };
    after.direction = patch.direction.unwrap_or(after.direction);
    after.policy = patch.policy.unwrap_or(after.policy);
    after.frequency = patch.frequency.unwrap_or(after.frequency);
    match schedule(before, after.frequency, patch) {
        Ok(schedule) => after.schedule = schedule,
        Err(message) => add("schedule", &message),
    }
    if let Some(names) = &patch.entities {
        match entities(names) {
            Ok(entities) => after.entities = entities,
            Err(message) => add("syncEntities", message),
        }
    }
    if patch.options.guard_records.is_some_and(|records| records > MOST_GUARD_RECORDS) {
        add("options.guardRecords", "The guard takes at most 1,000,000 records. Give a smaller number.");
    }
    if patch.options.guard_percent.is_some_and(|percent| percent > 100) {
        add("options.guardPercent", "The guard's share must be between 0 and 100 percent.");
    }
    options(&mut after.options, &patch.options);
    if problems.is_empty() { Ok(after) } else { Err(ServiceError::invalid_fields(problems)) }
}

fn options(options: &mut Options, patch: &OptionsPatch) {
    options.create_missing = patch.create_missing.unwrap_or(options.create_missing);
    options.delete_in_app = patch.delete_in_app.unwrap_or(options.delete_in_app);
    options.delete_in_crm = patch.delete_in_crm.unwrap_or(options.delete_in_crm);
    options.sync_files = patch.sync_files.unwrap_or(options.sync_files);
    options.guard_records = patch.guard_records.unwrap_or(options.guard_records);
    options.guard_percent = patch.guard_percent.unwrap_or(options.guard_percent);
}

fn entities(names: &[String]) -> Result<Vec<Entity>, &'static str> {
    let named: Option<Vec<Entity>> = names.iter().map(|name| Entity::from_plural(name)).collect();
    match named {
        None => Err("An entity must be accounts, contacts or opportunities."),
        Some(named) if named.is_empty() => Err("A connection needs at least one entity. Pause it to stop everything."),
        Some(named) => Ok(Entity::ALL.iter().copied().filter(|entity| named.contains(entity)).collect()),
    }
}

/// The schedule that goes with the frequency: the one that was sent, else the one there is, else the frequency's own.
fn schedule(
    before: &StoredConnection,
    frequency: SyncFrequency,
    patch: &SettingsPatch,
) -> Result<Option<Schedule>, String> {
    let sent = patch.schedule.clone();
    if sent.is_none() && frequency == before.frequency {
        return Ok(before.schedule.clone());
    }
    let sent = sent.flatten();
    let is_given = |schedule: &Schedule| *schedule != Schedule::default();
    match (frequency, sent) {
        (SyncFrequency::Realtime | SyncFrequency::Manual, Some(sent)) if is_given(&sent) => {
            Err("A schedule goes with hourly or daily only. Leave it out.".to_owned())
        }
        (SyncFrequency::Realtime | SyncFrequency::Manual, _) => Ok(None),
        (SyncFrequency::Hourly, sent) => {
            let sent = sent.unwrap_or_default();
            if sent.time.is_some() || sent.time_zone.is_some() {
                return Err("An hourly schedule has a minute only. Leave time and time zone out.".to_owned());
            }
            let schedule = Schedule { minute: Some(sent.minute.unwrap_or(0)), ..Schedule::default() };
            validate_schedule(frequency, Some(&schedule)).map(|()| Some(schedule))
        }
        (SyncFrequency::Daily, sent) => {
            let sent = sent.unwrap_or_else(|| Schedule { time: Some("00:00".to_owned()), ..Schedule::default() });
            if sent.minute.is_some() {
                return Err("A daily schedule has a time and a time zone. Leave the minute out.".to_owned());
            }
            let time_zone = Some(sent.time_zone.unwrap_or_else(|| "UTC".to_owned()));
            let schedule = Schedule { minute: None, time: sent.time, time_zone };
            validate_schedule(frequency, Some(&schedule)).map(|()| Some(schedule))
        }
    }
}

#[cfg(test)]
mod tests;
