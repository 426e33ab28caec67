//! The settings of a connection as its screen sees them.

use serde::{Deserialize, Serialize};

use super::connections::Config;
use crate::model::Entity;

/// The settings screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsPage {
    /// The connection as it is.
    pub config: Config,
    /// Time zones to choose from: IANA names.
    pub time_zones: Vec<String>,
    /// The next runs of the schedule as it is.
    pub next_runs: Vec<NextRun>,
    /// Why none is planned, where the schedule alone does not say it.
    pub not_running: Option<String>,
    /// How many app records of each entity there are, in words.
    pub records: Vec<(Entity, String)>,
    /// Conflicts that wait for a person.
    pub waiting: i64,
    /// What the last saving changed, as sentences.
    pub saved: Vec<String>,
}

/// A run that is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextRun {
    /// The time in the schedule's zone, "11:30", with the day where it is not today's.
    pub time: String,
    /// How far ahead.
    pub ahead: String,
    /// The exact instant with its zone.
    pub title: String,
}

/// The schedule's part of the settings form, while it is being filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleForm {
    /// `realtime`, `hourly`, `daily` or `manual`.
    pub frequency: String,
    /// Minute of the hour.
    pub minute: String,
    /// `HH:MM`.
    pub time: String,
    /// IANA name.
    pub time_zone: String,
}

/// The settings form as it is sent. A box that is not checked is not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SettingsForm {
    /// `bidirectional`, `push` or `pull`.
    pub direction: String,
    /// `realtime`, `hourly`, `daily` or `manual`.
    pub frequency: String,
    /// Minute of the hour.
    pub minute: String,
    /// `HH:MM`.
    pub time: String,
    /// IANA name.
    pub time_zone: String,
    /// The policy.
    pub policy: String,
    /// Whether accounts are synchronised.
    pub accounts: bool,
    /// Whether contacts are.
    pub contacts: bool,
    /// Whether opportunities are.
    pub opportunities: bool,
    /// "Create new records if not found".
    pub create_missing: bool,
    /// "Delete records when deleted in CRM".
    pub delete_in_app: bool,
    /// "Delete in CRM when deleted in app".
    pub delete_in_crm: bool,
    /// "Sync attachments and files".
    pub sync_files: bool,
    /// Records that a mass delete may touch before it is held.
    pub guard_records: String,
    /// Share in percent that it may touch.
    pub guard_percent: String,
}
