//! The settings screen: the form's words into settings, and what was changed into sentences.

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::{CheckedRules, OptionsPatch, SettingsPatch, changed, locked, of, write};
use crate::model::{
    Capability, ConflictPolicy, ConnectionStatus, Entity, Options, Provider, Schedule, SyncDirection, SyncFrequency,
};
use crate::service::connections::config;
use crate::service::{ServiceError, Services, Viewer};
use crate::store::settings::{self, Settings};
use crate::store::{app_rows, connections};
use crate::sync::{next_runs as runs_after, validate_schedule};
use crate::view::instant::{counted, grouped, relative};
use crate::view::settings::{NextRun, ScheduleForm, SettingsForm, SettingsPage};

/// How many runs are listed.
const RUNS: usize = 5;

/// The settings screen. `saved` names what was just changed.
pub async fn page(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    saved: &str,
) -> Result<SettingsPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::by_provider(&mut tx, provider).await?;
    let stored = stored.ok_or_else(|| ServiceError::not_found("connection"))?;
    let waiting = settings::conflicts_waiting(&mut tx, stored.id).await?;
    let mut records = Vec::new();
    for entity in Entity::ALL {
        let here = app_rows::count(&mut tx, *entity).await?;
        records.push((*entity, format!("{} here", grouped(here))));
    }
    let now = tx.now();
    tx.commit().await?;
    let current = of(&stored)?;
    let not_running = match stored.status {
        ConnectionStatus::Paused => Some("The connection is paused: nothing runs until it is resumed."),
        ConnectionStatus::Error => Some("The connection needs a new sign-in: nothing runs until then."),
        ConnectionStatus::Disconnected => Some("The connection is not signed in: nothing runs until it is."),
        ConnectionStatus::Connected if stored.setup_completed_at.is_none() => {
            Some("Nothing runs by itself before the first sync was started by a person.")
        }
        ConnectionStatus::Connected => None,
    };
    Ok(SettingsPage {
        next_runs: listed(current.frequency, current.schedule.as_ref(), now),
        not_running: not_running.map(str::to_owned),
        time_zones: time_zones(current.schedule.as_ref()),
        records,
        waiting,
        saved: saved.split(',').filter_map(|what| sentence(what, &current)).collect(),
        config: config(stored),
    })
}

/// The next runs of a schedule that is being filled in.
pub fn next_runs(services: &Services, form: &ScheduleForm) -> Result<Vec<NextRun>, ServiceError> {
    let frequency = frequency_of(&form.frequency)?;
    let schedule = schedule_of(frequency, &form.minute, &form.time, &form.time_zone)?;
    validate_schedule(frequency, schedule.as_ref()).map_err(|message| ServiceError::invalid("schedule", message))?;
    Ok(listed(frequency, schedule.as_ref(), services.clock.now()))
}

/// Saves the form. Names what it changed, for [`page`].
pub async fn save(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    form: SettingsForm,
) -> Result<String, ServiceError> {
    viewer.require(Capability::ManageConnections)?;
    let patch = patch_of(&form)?;
    let mut tx = services.begin(viewer).await?;
    let id = connections::by_provider(&mut tx, provider).await?.map_or(Uuid::nil(), |stored| stored.id);
    let before = locked(&mut tx, id).await?;
    let after = changed(&before, &patch, &CheckedRules::default())?;
    write(&mut tx, &before, &after).await?;
    tx.commit().await?;
    Ok(differences(&of(&before)?, &after).join(","))
}

fn patch_of(form: &SettingsForm) -> Result<SettingsPatch, ServiceError> {
    let frequency = frequency_of(&form.frequency)?;
    let unknown = |member: &'static str| move |_| ServiceError::invalid(member, "Choose one of the list.");
    let named =
        [(form.accounts, Entity::Account), (form.contacts, Entity::Contact), (form.opportunities, Entity::Opportunity)];
    let entities = named.into_iter().filter(|(on, _)| *on).map(|(_, entity)| entity.plural().to_owned()).collect();
    Ok(SettingsPatch {
        direction: Some(form.direction.parse().map_err(unknown("syncDirection"))?),
        frequency: Some(frequency),
        schedule: Some(schedule_of(frequency, &form.minute, &form.time, &form.time_zone)?),
        entities: Some(entities),
        rules: None,
        policy: Some(form.policy.parse().map_err(unknown("conflictResolution"))?),
        options: OptionsPatch {
            create_missing: Some(form.create_missing),
            delete_in_app: Some(form.delete_in_app),
            delete_in_crm: Some(form.delete_in_crm),
            sync_files: Some(form.sync_files),
            guard_records: Some(number("options.guardRecords", &form.guard_records)?),
            guard_percent: Some(number("options.guardPercent", &form.guard_percent)?),
        },
    })
}

fn frequency_of(text: &str) -> Result<SyncFrequency, ServiceError> {
    text.parse().map_err(|_| ServiceError::invalid("syncFrequency", "Choose real-time, hourly, daily or manual."))
}

/// What the form says of the frequency that it names; the fields of the other one are sent too and do not count.
fn schedule_of(
    frequency: SyncFrequency,
    minute: &str,
    time: &str,
    time_zone: &str,
) -> Result<Option<Schedule>, ServiceError> {
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    match frequency {
        SyncFrequency::Realtime | SyncFrequency::Manual => Ok(None),
        SyncFrequency::Hourly => {
            let minute = match filled(minute) {
                None => 0,
                Some(minute) => minute
                    .parse()
                    .map_err(|_| ServiceError::invalid("schedule", "The minute must be between 0 and 59."))?,
            };
            Ok(Some(Schedule { minute: Some(minute), ..Schedule::default() }))
        }
        SyncFrequency::Daily => Ok(Some(Schedule { minute: None, time: filled(time), time_zone: filled(time_zone) })),
    }
}

fn number(member: &str, text: &str) -> Result<u32, ServiceError> {
    let digits: String = text.chars().filter(|letter| *letter != ',' && !letter.is_whitespace()).collect();
    digits.parse().map_err(|_| ServiceError::invalid(member, "The guard needs a whole number, for example 50."))
}

fn listed(frequency: SyncFrequency, schedule: Option<&Schedule>, now: DateTime<Utc>) -> Vec<NextRun> {
    if frequency == SyncFrequency::Realtime {
        return Vec::new();
    }
    let zone: Tz = schedule.and_then(|schedule| schedule.time_zone.as_deref()?.parse().ok()).unwrap_or(Tz::UTC);
    let today = now.with_timezone(&zone).num_days_from_ce();
    let now_ms = now.timestamp_millis();
    runs_after(frequency, schedule, now_ms, RUNS)
        .into_iter()
        .filter_map(|ms| Some((ms, DateTime::from_timestamp_millis(ms)?.with_timezone(&zone))))
        .map(|(ms, at)| NextRun {
            time: match at.num_days_from_ce() - today {
                0 => at.format("%H:%M").to_string(),
                _ => at.format("%a %H:%M").to_string(),
            },
            ahead: relative(ms, now_ms),
            title: at.format("%-d %b %Y, %H:%M %Z").to_string(),
        })
        .collect()
}

/// Zones that are places, and the one that is chosen.
fn time_zones(chosen: Option<&Schedule>) -> Vec<String> {
    const REGIONS: [&str; 8] =
        ["Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/"];
    let places = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let mut zones: Vec<String> =
        places.filter(|name| REGIONS.iter().any(|region| name.starts_with(region))).map(str::to_owned).collect();
    zones.sort_unstable();
    zones.insert(0, "UTC".to_owned());
    if let Some(chosen) = chosen.and_then(|schedule| schedule.time_zone.clone())
        && !zones.contains(&chosen)
    {
        zones.push(chosen);
    }
    zones
}

/// Names of what differs, as the address carries them.
fn differences(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let Options { create_missing, delete_in_app, delete_in_crm, sync_files, guard_records, guard_percent } =
        before.options;
    let now = &after.options;
    [
        (before.frequency != after.frequency || before.schedule != after.schedule, "schedule"),
        (before.direction != after.direction, "direction"),
        (before.entities != after.entities, "entities"),
        (before.policy != after.policy, "policy"),
        (create_missing != now.create_missing, "create"),
        (delete_in_app != now.delete_in_app, "delete_here"),
        (delete_in_crm != now.delete_in_crm, "delete_there"),
        (sync_files != now.sync_files, "files"),
        ((guard_records, guard_percent) != (now.guard_records, now.guard_percent), "guard"),
    ]
    .into_iter()
    .filter(|(differs, _)| *differs)
    .map(|(_, name)| name)
    .collect()
}

/// What a named setting says now.
fn sentence(what: &str, settings: &Settings) -> Option<String> {
    let options = &settings.options;
    let on = |on: bool, yes: &str, no: &str| (if on { yes } else { no }).to_owned();
    Some(match what {
        "schedule" => schedule_sentence(settings.frequency, settings.schedule.as_ref()),
        "direction" => match settings.direction {
            SyncDirection::Bidirectional => "Changes sync both ways; the next run reads everything once.".to_owned(),
            SyncDirection::Push => {
                "Changes only go from the app to the CRM; the next run reads everything once.".to_owned()
            }
            SyncDirection::Pull => {
                "Changes only come from the CRM to the app; the next run reads everything once.".to_owned()
            }
        },
        "entities" => {
            let titles: Vec<&str> = settings.entities.iter().map(|entity| entity.plural()).collect();
            format!("Runs take {}.", titles.join(", "))
        }
        "policy" => match settings.policy {
            ConflictPolicy::LastWriteWins => "The later edit decides conflicts from now on.".to_owned(),
            ConflictPolicy::CrmWins => "The CRM decides conflicts from now on.".to_owned(),
            ConflictPolicy::AppWins => "The app decides conflicts from now on.".to_owned(),
            ConflictPolicy::ManualReview => "A person decides conflicts from now on.".to_owned(),
        },
        "create" => {
            on(options.create_missing, "Records without a partner are created.", "Records without a partner rest.")
        }
        "delete_here" => on(
            options.delete_in_app,
            "Records deleted in the CRM are deleted here.",
            "Records deleted in the CRM stay here.",
        ),
        "delete_there" => on(
            options.delete_in_crm,
            "Records deleted here are deleted in the CRM.",
            "Records deleted here stay in the CRM.",
        ),
        "files" => {
            on(options.sync_files, "Files sync from the next run on.", "Files rest: what is on both sides stays there.")
        }
        "guard" => format!(
            "A run that would delete more than {} and {} % of an entity waits for an admin.",
            counted(options.guard_records.into(), "record"),
            options.guard_percent
        ),
        _ => return None,
    })
}

fn schedule_sentence(frequency: SyncFrequency, schedule: Option<&Schedule>) -> String {
    match frequency {
        SyncFrequency::Realtime => "Changes here sync at once; the CRM is looked at every minute.".to_owned(),
        SyncFrequency::Hourly => {
            format!("Runs start every hour at minute {}.", schedule.and_then(|schedule| schedule.minute).unwrap_or(0))
        }
        SyncFrequency::Daily => format!(
            "Runs start every day at {} ({}).",
            schedule.and_then(|schedule| schedule.time.as_deref()).unwrap_or("00:00"),
            schedule.and_then(|schedule| schedule.time_zone.as_deref()).unwrap_or("UTC")
        ),
        SyncFrequency::Manual => "Runs start only when a person asks for one.".to_owned(),
    }
}
