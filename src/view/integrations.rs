//! The Integrations screen.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Moment;
use super::connections::{Config, EntityStats};
use crate::model::{Entity, Provider, RunState};

/// A part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phrase {
    /// The words.
    pub text: String,
    /// What matters in the sentence.
    pub strong: bool,
}

impl Phrase {
    /// Words that matter.
    pub fn strong(text: impl Into<String>) -> Self {
        Phrase { text: text.into(), strong: true }
    }

    /// The words between.
    pub fn plain(text: impl Into<String>) -> Self {
        Phrase { text: text.into(), strong: false }
    }
}

/// The whole screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationsPage {
    /// The one sentence.
    pub sentence: Vec<Phrase>,
    /// What needs a person, three at the most.
    pub attention: Vec<Attention>,
    /// A card per connection.
    pub cards: Vec<ConnectionCard>,
    /// CRMs that this version can connect and that are not connected yet.
    pub offered: Vec<Provider>,
    /// Whether the built-in simulator can be connected.
    pub simulator: bool,
}

/// One thing that needs a person, with the one action that helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    /// Something is wrong; otherwise something waits.
    pub bad: bool,
    /// What it is.
    pub what: String,
    /// What that means.
    pub detail: String,
    /// Label of the action.
    pub action: String,
    /// Where it leads.
    pub href: String,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionCard {
    /// The connection.
    pub config: Config,
    /// Id of the org.
    pub organization: Option<String>,
    /// Set-up was completed, or a run has begun.
    pub set_up: bool,
    /// The true sentence.
    pub truth: Vec<Phrase>,
    /// "3 conflicts", linked to them; nothing where none waits.
    pub conflicts: Option<String>,
    /// "4 failed", linked to the log; nothing where none failed.
    pub failed: Option<(String, String)>,
    /// Per entity.
    pub entities: Vec<EntityRow>,
    /// When the last run ended.
    pub last_sync: Option<Moment>,
    /// When it runs next by itself.
    pub next_sync: Option<Moment>,
    /// Why no next run is planned, or what it waits for.
    pub next_words: String,
    /// "Two-way, hourly".
    pub rhythm: String,
    /// Calls today.
    pub budget: Option<Budget>,
    /// The run that is on.
    pub run: Option<LiveRun>,
    /// The run that waits for an admin.
    pub held: Option<HeldRun>,
    /// One more run waits for its turn.
    pub queued: bool,
    /// The last runs, the oldest first.
    pub track: Vec<Tie>,
    /// "21 whole, 1 partial".
    pub track_words: String,
    /// What Disconnect would end and what would stay.
    pub kept: Vec<String>,
}

/// One entity of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityRow {
    /// Which entity.
    pub entity: Entity,
    /// Whether the connection synchronises it.
    pub on: bool,
    /// Its numbers.
    pub stats: EntityStats,
}

/// Calls of a day against what the org is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// "7,250 of 15,000".
    pub words: String,
    /// Crosstie's share: number and percent of the day.
    pub own: (String, String),
    /// Others' share.
    pub others: (String, String),
    /// What Crosstie leaves to others.
    pub reserve: (String, String),
}

/// A run that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveRun {
    /// The run.
    pub id: Uuid,
    /// "Pulling contacts".
    pub doing: String,
    /// "3,400 of 10,000 · 165 a second · about 40 s left".
    pub so_far: String,
    /// Percent done of what is going on.
    pub percent: Option<u8>,
    /// Per entity, in the order of work.
    pub stages: Vec<StageLine>,
    /// "Started by Tomás Rivera".
    pub by: String,
    /// Somebody asked it to stop.
    pub stopping: bool,
}

/// One entity of a run that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageLine {
    /// `completed`, `running` or `queued`.
    pub state: RunState,
    /// "Accounts: 312 pulled, 64 pushed".
    pub text: String,
}

/// A run that waits for an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldRun {
    /// The run.
    pub id: Uuid,
    /// "Stopped before the first delete."
    pub what: String,
    /// What it would do.
    pub detail: String,
    /// Some of the records.
    pub sample: Vec<String>,
    /// "and 807 more".
    pub more: Option<String>,
    /// "Delete them".
    pub approve: String,
    /// "Keep them, drop these deletes".
    pub reject: String,
}

/// One of the last runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tie {
    /// Its state.
    pub state: RunState,
    /// When and how, for the hover.
    pub title: String,
}
