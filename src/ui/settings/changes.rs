//! What the person has chosen so far, and what of it differs from what is stored.

use leptos::prelude::*;

use crate::model::{ConflictPolicy, Entity, SyncDirection, SyncFrequency};
use crate::view::connections::Config;
use crate::view::settings::ScheduleForm;

/// Every choice of the form.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) direction: RwSignal<String>,
    pub(super) frequency: RwSignal<String>,
    pub(super) minute: RwSignal<String>,
    pub(super) time: RwSignal<String>,
    pub(super) time_zone: RwSignal<String>,
    pub(super) policy: RwSignal<String>,
    pub(super) accounts: RwSignal<bool>,
    pub(super) contacts: RwSignal<bool>,
    pub(super) opportunities: RwSignal<bool>,
    pub(super) create_missing: RwSignal<bool>,
    pub(super) delete_in_app: RwSignal<bool>,
    pub(super) delete_in_crm: RwSignal<bool>,
    pub(super) sync_files: RwSignal<bool>,
    pub(super) guard_records: RwSignal<String>,
    pub(super) guard_percent: RwSignal<String>,
}

impl Draft {
    /// The choices as they are stored.
    pub(super) fn of(config: &Config) -> Self {
        let schedule = config.schedule.clone().unwrap_or_default();
        let entities = config.entities();
        let options = &config.options;
        Draft {
            direction: RwSignal::new(config.sync_direction.to_string()),
            frequency: RwSignal::new(config.sync_frequency.to_string()),
            minute: RwSignal::new(schedule.minute.unwrap_or(0).to_string()),
            time: RwSignal::new(schedule.time.unwrap_or_else(|| "07:00".to_owned())),
            time_zone: RwSignal::new(schedule.time_zone.unwrap_or_else(|| "UTC".to_owned())),
            policy: RwSignal::new(config.conflict_resolution.to_string()),
            accounts: RwSignal::new(entities.contains(&Entity::Account)),
            contacts: RwSignal::new(entities.contains(&Entity::Contact)),
            opportunities: RwSignal::new(entities.contains(&Entity::Opportunity)),
            create_missing: RwSignal::new(options.create_missing),
            delete_in_app: RwSignal::new(options.delete_in_app),
            delete_in_crm: RwSignal::new(options.delete_in_crm),
            sync_files: RwSignal::new(options.sync_files),
            guard_records: RwSignal::new(options.guard_records.to_string()),
            guard_percent: RwSignal::new(options.guard_percent.to_string()),
        }
    }

    /// The schedule as it is being filled in.
    pub(super) fn schedule(self) -> ScheduleForm {
        ScheduleForm {
            frequency: self.frequency.get(),
            minute: self.minute.get(),
            time: self.time.get(),
            time_zone: self.time_zone.get(),
        }
    }

    /// The entity's box.
    pub(super) fn entity(self, entity: Entity) -> RwSignal<bool> {
        match entity {
            Entity::Account => self.accounts,
            Entity::Contact => self.contacts,
            Entity::Opportunity => self.opportunities,
        }
    }

    /// What saving would change, one sentence each.
    pub(super) fn changes(self, config: &Config) -> Vec<String> {
        let mut changes = Vec::new();
        changes.extend(self.schedule_change(config));
        let direction = self.direction.get();
        if direction != config.sync_direction.as_str()
            && let Ok(direction) = direction.parse::<SyncDirection>()
        {
            changes.push(format!(
                "Direction: {} instead of {}.",
                direction.label().to_lowercase(),
                config.sync_direction.label().to_lowercase()
            ));
        }
        let policy = self.policy.get();
        if policy != config.conflict_resolution.as_str()
            && let Ok(policy) = policy.parse::<ConflictPolicy>()
        {
            changes.push(format!("Conflicts: {}.", policy.label().to_lowercase()));
        }
        let before = config.entities();
        for entity in Entity::ALL {
            match (before.contains(entity), self.entity(*entity).get()) {
                (false, true) => changes.push(format!("{} join: the next run reads them in full.", entity.title())),
                (true, false) => changes.push(format!("{} rest: their links are kept.", entity.title())),
                _ => {}
            }
        }
        let options = &config.options;
        let switches = [
            (options.create_missing, self.create_missing.get(), "Create new records"),
            (options.delete_in_app, self.delete_in_app.get(), "Delete here"),
            (options.delete_in_crm, self.delete_in_crm.get(), "Delete in the CRM"),
            (options.sync_files, self.sync_files.get(), "Sync files"),
        ];
        for (before, now, what) in switches {
            if before != now {
                changes.push(format!("{what}: {}.", if now { "on" } else { "off" }));
            }
        }
        let (records, percent) = (self.guard_records.get(), self.guard_percent.get());
        if records.trim() != options.guard_records.to_string() || percent.trim() != options.guard_percent.to_string() {
            changes.push(format!("Guard: {records} records and {percent} %."));
        }
        changes
    }

    fn schedule_change(self, config: &Config) -> Option<String> {
        let now = self.schedule();
        let before = config.schedule.clone().unwrap_or_default();
        let frequency: SyncFrequency = now.frequency.parse().ok()?;
        let same = frequency == config.sync_frequency;
        match frequency {
            SyncFrequency::Hourly => {
                let was = before.minute.unwrap_or(0).to_string();
                (!same || was != now.minute.trim())
                    .then(|| format!("Runs move to minute {} of every hour.", now.minute))
            }
            SyncFrequency::Daily => {
                let moved = before.time.as_deref() != Some(now.time.as_str())
                    || before.time_zone.as_deref() != Some(now.time_zone.as_str());
                (!same || moved).then(|| format!("Runs move to {} every day ({}).", now.time, now.time_zone))
            }
            SyncFrequency::Realtime | SyncFrequency::Manual => {
                (!same).then(|| format!("Frequency: {}.", frequency.label().to_lowercase()))
            }
        }
    }
}
